/** What SCHEMA messages say of one stream. */
import type { LogicalType } from '../../core/types.ts';
import { commonType, typesOf } from './json-schema.ts';
import type { SchemaMessage } from './message-reader.ts';
import { EXTRACTED_AT } from './record-files.ts';

export class StreamSchema {
  /** Of the last message; undefined: there was none. */
  key: readonly string[] | undefined;
  readonly types: Record<string, LogicalType> = {};
  readonly #extracted: boolean;
  #last: SchemaMessage | undefined;

  /** `extracted`: records have a column with the time at which they were read. */
  constructor(extracted: boolean) {
    this.#extracted = extracted;
  }

  /** Records of all messages have to fit: columns of an earlier one stay, and types hold the values of both. */
  add(message: SchemaMessage): void {
    for (const [name, type] of typesOf(message.schema)) {
      if (!type) continue;
      const before = Object.hasOwn(this.types, name) ? this.types[name] : undefined;
      this.types[name] = before ? commonType(before, type) : type;
    }
    if (this.#extracted) this.types[EXTRACTED_AT] = { kind: 'timestamp', zone: true };
    this.key = message.key;
    this.#last = message;
  }

  /** For records that come from now on: only the last message counts. */
  next(): StreamSchema {
    const schema = new StreamSchema(this.#extracted);
    if (this.#last) schema.add(this.#last);
    return schema;
  }
}
