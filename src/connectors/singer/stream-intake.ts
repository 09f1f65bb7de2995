/** What messages say of one stream: its records go to disk, its schemas become types. */
import type { LogicalType } from '../../core/types.ts';
import { readBatchFile } from './batch-files.ts';
import { typesOf } from './json-schema.ts';
import type { BatchMessage, ReadRecord, SchemaMessage } from './message-reader.ts';
import { EXTRACTED_AT, type RecordFiles } from './record-files.ts';

export class StreamIntake {
  readonly files: RecordFiles;
  /** Of the last schema; undefined: there was none. */
  key: readonly string[] | undefined;
  readonly types: Record<string, LogicalType> = {};
  /** That the tap has said is the one that counts. */
  active: number | undefined;

  constructor(files: RecordFiles) {
    this.files = files;
  }

  /** Columns that an earlier schema had stay: records with them came. */
  schema({ schema, key }: SchemaMessage): void {
    for (const [name, type] of typesOf(schema)) if (type) this.types[name] = type;
    if (this.files.extracted) this.types[EXTRACTED_AT] = { kind: 'timestamp', zone: true };
    this.key = key;
  }

  record(record: ReadRecord): void {
    this.files.write(record);
  }

  /** Throws what is wrong with its files. */
  async batch(message: BatchMessage, signal: AbortSignal): Promise<void> {
    for (const file of message.manifest) await readBatchFile(file, message, { files: this.files, signal });
  }
}
