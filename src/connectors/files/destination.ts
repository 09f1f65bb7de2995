import path from 'node:path';
import type { LimitsRequest, TableLimits } from '../../core/diagnose.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import type { Destination, TableSpec, TableState, TableWriter } from '../../core/destination.ts';
import { ConfigError, ConflictError } from '../../core/errors.ts';
import { engineMemory, lanesWithin } from '../../core/memory.ts';
import { schemaFromJson } from '../../core/schema.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { StreamConfig } from '../../core/stream.ts';
import { type Lane, lanePool } from '../shared/lane/lane.ts';
import { openLocalStorage } from '../shared/local-storage.ts';
import { StagingFolder } from '../shared/staging-folder.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';
import { acceptStreams } from './export-accept.ts';
import { formOf } from './export-name.ts';
import { readRecord } from './export-record.ts';
import { ExportWriter } from './export-writer.ts';
import type { FilesConnection } from './options.ts';

/** Tables as files: each load writes its file anew, and gives it its name when it is whole. */
export class FilesDestination implements Destination {
  readonly separate = true;
  readonly #storage: ObjectStorage;
  readonly #options: FilesConnection;
  readonly #pool: ThreadPool<Lane>;
  readonly #staging: StagingFolder;
  readonly #published = new Map<string, Set<string>>();

  constructor(storage: ObjectStorage, options: FilesConnection, context: ConnectorContext) {
    this.#storage = storage;
    this.#options = options;
    // Beside the files where they are on a disk, so that naming one is a step of its own; in a bucket nobody sees parts.
    this.#staging = new StagingFolder(openLocalStorage(path.dirname(storage.localPath('_sluice'))));
    const lanes = Math.max(1, Math.min(context.workers, lanesWithin(context.memoryBytes)));
    this.#pool = lanePool(
      {
        memoryBytes: engineMemory(context.memoryBytes, lanes),
        tempDirectory: this.#staging.path('spill'),
        threads: 1,
      },
      lanes,
    );
  }

  async check(): Promise<{ title: string }> {
    return { title: this.#storage.describe() };
  }

  accept(streams: readonly StreamConfig[]): void {
    acceptStreams(streams, this.#options.export);
  }

  published(table: string): readonly string[] {
    return [...(this.#published.get(table) ?? [])];
  }

  async describe(table: string): Promise<TableState | undefined> {
    const stored = await readRecord(this.#storage, table);
    if (!stored) return undefined;
    const { stream, schema, checkpoint, fence, rows, bytes } = stored.record;
    return {
      schema: schemaFromJson(schema),
      checkpoint,
      stream,
      rows,
      bytes,
      version: stored.version,
      fence,
    };
  }

  /** Text holds whatever a batch does. */
  async limits({ merges }: LimitsRequest): Promise<TableLimits> {
    return { columns: [], unique: merges };
  }

  async openTable(spec: TableSpec): Promise<TableWriter> {
    this.#pool.warm();
    await this.#staging.announce();
    const stored = await readRecord(this.#storage, spec.table);
    if ((stored?.version ?? 0) !== spec.expectedVersion) {
      throw new ConflictError(
        `exporting "${spec.table}": somebody else has committed since the plan was made`,
        { code: 'files.conflict', remedy: 'run again', details: { table: spec.table } },
      );
    }
    const { format, ...form } = formOf(spec.export, this.#options.export);
    if (format === undefined) {
      throw new ConfigError(`exporting "${spec.table}": the ending of "${form.path}" says no format`, {
        code: 'files.export',
        remedy: 'set `export.format` to csv, jsonl or parquet',
      });
    }
    const context = {
      storage: this.#storage,
      pool: this.#pool,
      scratch: () => this.#staging.scratch(),
      published: (table: string, key: string) => {
        this.#published.set(table, (this.#published.get(table) ?? new Set()).add(key));
      },
    };
    return new ExportWriter(context, spec, { form: { ...form, format }, stored });
  }

  async close(): Promise<void> {
    await this.#pool.close();
    if (await this.#staging.leave()) await this.#staging.sweep();
  }
}
