import { rmSync } from 'node:fs';
import type {
  Committed,
  Load,
  StageOptions,
  Supersede,
  TableSpec,
  TableWriter,
} from '../../core/destination.ts';
import { ConfigError, ConflictError, SluiceError } from '../../core/errors.ts';
import { schemaToJson } from '../../core/schema.ts';
import type { SliceReader } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { Checkpoint, Slice } from '../../core/stream.ts';
import type { FileOptions, StagedFile } from '../shared/lane/lane-protocol.ts';
import type { Lane } from '../shared/lane/lane.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';
import { type ExportForm, fileKey } from './export-name.ts';
import { expectWritten, joinParquet, joinText, rowsInFooter } from './export-parts.ts';
import { newestVersion, type StoredRecord, writeRecord } from './export-record.ts';
import { NULL_LINE, selectSql, textFormat } from './export-sql.ts';

/** What all writers of one run share. */
export interface ExportContext {
  storage: ObjectStorage;
  pool: ThreadPool<Lane>;
  /** Called when readers see a file. */
  published(table: string, key: string): void;
  /** A local folder that nobody else uses, on the disk of the exports where these are on one. */
  scratch(): string;
}

/** Private part of a Load. */
interface Parts {
  files: StagedFile[];
  directory: string;
  /** Where the file goes. */
  key: string;
  /** Place among the slices of the file; the first has the header. */
  order: number;
}

/**
 * Slices become files out of readers' sight; a commit makes one of those that belong together, and gives it its name. What
 * has to be known by later runs is recorded after that: a run that dies in between publishes the same again.
 */
export class ExportWriter implements TableWriter {
  readonly #context: ExportContext;
  readonly #spec: TableSpec;
  readonly #form: ExportForm;
  #stored: StoredRecord | undefined;
  /** Slices that came without a place. */
  #arrived = 0;

  constructor(
    context: ExportContext,
    spec: TableSpec,
    { form, stored }: { form: ExportForm; stored: StoredRecord | undefined },
  ) {
    this.#context = context;
    this.#spec = spec;
    this.#form = form;
    this.#stored = stored;
  }

  async stage(slice: Slice, reader: SliceReader, options: StageOptions, signal: AbortSignal): Promise<Load> {
    const key = this.#keyOf(slice);
    const order = options.order ?? this.#arrived++;
    // A day is a file of its own.
    const first = isDated(slice) || order === 0;
    const directory = this.#context.scratch();
    const task = {
      stream: this.#spec.stream,
      data: selectSql(this.#form, this.#spec.schema, reader.schema),
      meta: undefined,
      minus: undefined,
      files: this.#fileOptions(directory, first),
    };
    try {
      const { facts, files } = await this.#context.pool.use((lane) =>
        lane.stage(task, reader, options.onRows, signal),
      );
      const parts: Parts = { files, directory, key, order };
      const rows = sum(files, 'rows');
      expectWritten(rows, facts.rows, this.#spec.stream);
      return { slice, facts, rows, bytes: sum(files, 'bytes'), parts };
    } catch (error) {
      discard(directory);
      throw this.#translated(error);
    }
  }

  #translated(error: unknown): unknown {
    if (!(error instanceof SluiceError) || !error.message.includes(NULL_LINE)) return error;
    const { schema, stream } = this.#spec;
    return new ConfigError(
      `exporting ${stream}: NULL in the only column "${schema.fields[0]!.name}" would be an empty line, which readers skip`,
      {
        code: 'files.export_null',
        remedy: 'set `export.null` to a text such as "NULL", or write .jsonl',
      },
    );
  }

  async commit(loads: Load[], _how: Supersede, checkpoint: Checkpoint | undefined): Promise<Committed> {
    await this.#checkVersion();
    const totals = { rows: sum(loads, 'rows'), bytes: sum(loads, 'bytes') };
    const files: string[] = [];
    const { storage } = this.#context;
    for (const [key, some] of Map.groupBy(loads, (load) => (load.parts as Parts).key)) {
      // Most columns may be NULL and never are: no file says so, each day, that no row is without one.
      if (some.every(({ slice, rows }) => slice.range.kind === 'missing' && rows === 0)) {
        await storage.delete([key]);
        continue;
      }
      await storage.upload(key, await this.#join(some));
      files.push(key);
      this.#context.published(this.#spec.table, key);
    }
    await this.#record(checkpoint, { ...totals, files });
    await this.abort(loads);
    return { version: this.#stored?.version ?? 0, ...totals };
  }

  async abort(loads: Load[]): Promise<void> {
    for (const load of loads) discard((load.parts as Parts).directory);
  }

  async close(): Promise<void> {}

  async #join(loads: Load[]): Promise<string> {
    const files = loads
      .map((load) => load.parts as Parts)
      .toSorted((a, b) => a.order - b.order)
      .flatMap((parts) => parts.files);
    if (this.#form.format !== 'parquet') return joinText(files);
    const { pool } = this.#context;
    const joined = await joinParquet(pool, files, this.#fileOptions(this.#context.scratch(), true));
    expectWritten(await rowsInFooter(pool, joined), sum(loads, 'rows'), this.#spec.stream);
    return joined;
  }

  /** Where nothing has to be known by later runs, nothing lies beside the files. */
  async #record(
    checkpoint: Checkpoint | undefined,
    totals: { rows: number; bytes: number; files: string[] },
  ): Promise<void> {
    const before = this.#stored;
    const kept = checkpoint && keptOf(checkpoint);
    if (!before && (!kept || Object.keys(kept).length === 1)) return;
    const { stream, schema, fence, run, loadedAt } = this.#spec;
    const record = {
      ...(before && totals.files.length === 0 ? before.record : totals),
      format: 1,
      stream,
      schema: schemaToJson(schema),
      checkpoint: kept ?? before?.record.checkpoint,
      fence,
      run,
      at: loadedAt,
    } as const;
    const { rows, bytes, files } = { ...totals, ...record };
    const next = { version: (before?.version ?? 0) + 1, record: { ...record, rows, bytes, files } };
    if (!(await writeRecord(this.#context.storage, this.#spec.table, next))) throw this.#conflict();
    this.#stored = next;
  }

  /** Before anything is published: whoever has lost the lease must not put older rows in the place of newer ones. */
  async #checkVersion(): Promise<void> {
    if (!this.#stored) return;
    if ((await newestVersion(this.#context.storage, this.#spec.table)) !== this.#stored.version)
      throw this.#conflict();
  }

  #conflict(): ConflictError {
    const { table } = this.#spec;
    return new ConflictError(`exporting "${table}": somebody else has committed since the plan was made`, {
      code: 'files.conflict',
      remedy: 'run again',
      details: { table },
    });
  }

  #keyOf({ id, range }: Slice): string {
    const { table, stream, loadedAt: at } = this.#spec;
    if (range.kind === 'missing') return fileKey(this.#form, { table, at, day: null });
    if (range.kind !== 'column') return fileKey(this.#form, { table, at, day: undefined });
    if (range.from === undefined) {
      throw new ConfigError(`exporting ${stream}: a full refresh reads many days as one`, {
        code: 'files.export_refresh',
        remedy: 'name the days with --from and --to: their files are replaced',
      });
    }
    // Bounds may lie in another zone than their day.
    const day = id.slice('day-'.length);
    return fileKey(this.#form, { table, at, day });
  }

  #fileOptions(directory: string, header: boolean): FileOptions {
    const { compression } = this.#form;
    return {
      directory,
      compression: compression === 'none' ? 'uncompressed' : compression,
      text: textFormat(this.#form, this.#form.header && header),
      empty: true,
      rowGroupRows: undefined,
      fileBytes: Infinity,
      partitions: [],
    };
  }
}

/**
 * A file that holds everything is written anew by the next run, whatever this one has read: of its checkpoint only the records
 * count that were put aside.
 */
function keptOf(checkpoint: Checkpoint): Checkpoint {
  const { day, unfinished, quarantine = [] } = checkpoint;
  if (day !== undefined || unfinished) return checkpoint;
  return { cursor: [], ...(quarantine.length > 0 && { quarantine }) };
}

function isDated({ range }: Slice): boolean {
  return range.kind === 'column' || range.kind === 'missing';
}

function discard(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // What stays is swept when this process is gone.
  }
}

function sum(items: readonly { rows: number; bytes: number }[], what: 'rows' | 'bytes'): number {
  return items.reduce((total, item) => total + item[what], 0);
}
