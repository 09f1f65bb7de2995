/**
 * What a table's log says. A commit record is a small JSON file; the state of a table is the fold of its
 * records, and nothing else. Reading checks every field by hand: a log that was damaged or edited is refused
 * with the place that is wrong, it is never half understood.
 */
import { ConfigError } from '../../core/errors.ts';
import { changesOfJson, changeText } from '../../core/schema-changes.ts';
import type { SchemaJson } from '../../core/schema.ts';
import type { Checkpoint, PartitionBy } from '../../core/stream.ts';
import * as json from './records-json.ts';

/**
 * Of records and snapshots. A program that finds a greater number does not touch the table. All formats end in the
 * same kind of checksum.
 */
export const LOG_FORMAT = 1;

/**
 * - `load`: new rows, perhaps in the place of old ones, and how far the source is read
 * - `checkpoint`: only how far the source is read
 * - `fence`: a new lease holder shuts out the former one
 * - `compact`: the same rows in other files
 * - `retain`: files that are no longer kept
 */
export type CommitKind = 'load' | 'checkpoint' | 'fence' | 'compact' | 'retain';

const KINDS: readonly CommitKind[] = ['load', 'checkpoint', 'fence', 'compact', 'retain'];

/** Commits that change no row, schema or checkpoint: loads and they do not get in each other's way. */
export function isMaintenance(kind: CommitKind): boolean {
  return kind === 'compact' || kind === 'retain';
}

export interface DataFile {
  key: string;
  rows: number;
  bytes: number;
  /** Levels in order; empty for a table without partitions. NULL is the NULL partition. */
  partition: Record<string, string | null>;
  /** Version of the schema that the file was written with: an index into the schema history. */
  schema: number;
  /** Least and greatest cursor value, as source text; absent when unknown. */
  cursor?: { min: string; max: string } | undefined;
  /** Of the whole file, 8 hexadecimal digits; absent when unknown. */
  crc32?: string | undefined;
  /** Number of the commit that brought the rows; 0 when rows of several loads were merged. Set by the log. */
  origin: number;
}

export interface CommitRecord {
  format: typeof LOG_FORMAT;
  seq: number;
  table: string;
  stream: string;
  kind: CommitKind;
  /** Who committed. */
  run: string;
  host?: string | undefined;
  pid?: number | undefined;
  /** Id of the load, the `_sluice_load_id` of its rows; sorts by time. */
  load: string;
  fence: number;
  /** Database time of what was read; for maintenance the time of the machine. ISO 8601. */
  at: string;
  /** The committing machine's clock, milliseconds; only for keeping removed files a while. Set by the log. */
  wallMs: number;
  /** Rows in the added files. Set by the log. */
  rows: number;
  add: DataFile[];
  /** Keys of live files that the table no longer consists of. */
  remove: string[];
  /** Keys of files that are about to be deleted and can no longer be committed by anybody. */
  purge: string[];
  /** Slices that the load consists of. */
  slices: string[];
  /** The full schema after the commit; only when it changed. */
  schema?: SchemaJson | undefined;
  /** Absent: unchanged. */
  checkpoint?: Checkpoint | undefined;
  partitionBy?: PartitionBy | undefined;
}

/** A commit as its author states it; the log adds the rest. */
export type CommitDraft = Omit<
  CommitRecord,
  'format' | 'seq' | 'table' | 'wallMs' | 'rows' | 'add' | 'purge'
> & {
  /** Without `origin` the rows are those of this commit. */
  add: (Omit<DataFile, 'origin'> & { origin?: number | undefined })[];
  purge?: string[] | undefined;
};

interface SchemaVersion {
  seq: number;
  at: string;
  /** Absent in snapshots of earlier programs. */
  run?: string | undefined;
  schema: SchemaJson;
  /** `+ loyalty_tier utf8`, `total int32 → int64`. */
  changes: string[];
}

/** A file that is no longer part of the table, kept for readers that began before. */
export interface RemovedFile {
  key: string;
  bytes: number;
  seq: number;
  wallMs: number;
}

export interface LastCommit {
  seq: number;
  at: string;
  kind: CommitKind;
  run: string;
  host: string | undefined;
  wallMs: number;
}

/** Everything that is true of a table after a commit. */
export interface FoldedState {
  readonly table: string;
  readonly stream: string;
  /** Number of the newest commit. */
  readonly version: number;
  /** Greatest fence seen. */
  readonly fence: number;
  /** Schemas by version; the last one is the table's own. Empty before the first load. */
  readonly schemas: readonly SchemaVersion[];
  readonly checkpoint: Checkpoint | undefined;
  readonly partitionBy: PartitionBy | undefined;
  /** Live files in the order of their commits. */
  readonly files: readonly DataFile[];
  readonly rows: number;
  readonly bytes: number;
  readonly removed: readonly RemovedFile[];
  readonly last: LastCommit;
  /** Database time of the newest load; undefined before the first. */
  readonly loadedAt: string | undefined;
}

/** The table's own schema; undefined before the first load. */
export function currentSchema(state: FoldedState): SchemaJson | undefined {
  return state.schemas.at(-1)?.schema;
}

/** The version that files written with `schema` carry in a commit on top of `state`, and whether the commit has to bring the schema. */
export function schemaVersionFor(
  state: FoldedState | undefined,
  schema: SchemaJson,
): { version: number; isNew: boolean } {
  const schemas = state?.schemas ?? [];
  const last = schemas.at(-1);
  const same = last !== undefined && JSON.stringify(last.schema) === JSON.stringify(schema);
  return same ? { version: schemas.length - 1, isNew: false } : { version: schemas.length, isNew: true };
}

/** For people; also for a table that only has its columns in another order. */
function changesText(before: SchemaJson | undefined, after: SchemaJson): string[] {
  if (!before) return [];
  const changes = changesOfJson(before, after);
  return changes.length > 0 ? changes.map(changeText) : ['columns in another order'];
}

/** Reads a commit record; `key` names the file in messages. */
export function parseCommit(text: string, key: string): CommitRecord {
  return json.parsed(text, { key, what: 'commit', code: 'lake.commit_corrupt' }, (top): CommitRecord => {
    json.checkFormat(top, LOG_FORMAT);
    return {
      format: LOG_FORMAT,
      seq: json.count(top, 'seq'),
      table: json.text(top, 'table'),
      stream: json.text(top, 'stream'),
      kind: json.oneOf(top, 'kind', KINDS),
      run: json.text(top, 'run'),
      host: json.optional(top, 'host', json.text),
      pid: json.optional(top, 'pid', json.count),
      load: json.text(top, 'load'),
      fence: json.count(top, 'fence'),
      at: json.text(top, 'at'),
      wallMs: json.count(top, 'wallMs'),
      rows: json.count(top, 'rows'),
      add: json.list(top, 'add', parseFile),
      remove: json.texts(top, 'remove'),
      purge: json.texts(top, 'purge'),
      slices: json.texts(top, 'slices'),
      schema: json.optional(top, 'schema', json.schema),
      checkpoint: json.optional(top, 'checkpoint', json.checkpoint),
      partitionBy: json.optional(top, 'partitionBy', json.partitionBy),
    };
  });
}

export function renderCommit(record: CommitRecord): string {
  return json.render(record);
}

/** Reads a snapshot of the state; throws like {@link parseCommit}, and the log then does without it. */
export function parseSnapshot(text: string, key: string): FoldedState {
  return json.parsed(text, { key, what: 'snapshot', code: 'lake.snapshot_corrupt' }, (top): FoldedState => {
    json.checkFormat(top, LOG_FORMAT);
    const files = json.list(top, 'files', parseFile);
    const state: FoldedState = {
      table: json.text(top, 'table'),
      stream: json.text(top, 'stream'),
      version: json.count(top, 'version'),
      fence: json.count(top, 'fence'),
      schemas: json.list(top, 'schemas', parseSchemaVersion),
      checkpoint: json.optional(top, 'checkpoint', json.checkpoint),
      partitionBy: json.optional(top, 'partitionBy', json.partitionBy),
      files,
      rows: json.count(top, 'rows'),
      bytes: json.count(top, 'bytes'),
      removed: json.list(top, 'removed', parseRemoved),
      last: parseLast(json.member(top, 'last')),
      loadedAt: json.optional(top, 'loadedAt', json.text),
    };
    // Totals are derivable, so they tell whether the list of files is whole.
    if (sum(files, 'rows') !== state.rows || sum(files, 'bytes') !== state.bytes)
      json.wrong(top, 'rows', 'the sum of the files');
    return state;
  });
}

export function renderSnapshot(state: FoldedState): string {
  return json.render({ format: LOG_FORMAT, ...state });
}

function parseFile(at: json.Place): DataFile {
  return {
    key: json.text(at, 'key'),
    rows: json.count(at, 'rows'),
    bytes: json.count(at, 'bytes'),
    partition: json.partition(json.member(at, 'partition')),
    schema: json.count(at, 'schema'),
    cursor: json.optional(at, 'cursor', (place, name) => {
      const inner = json.member(place, name);
      return { min: json.text(inner, 'min'), max: json.text(inner, 'max') };
    }),
    crc32: json.optional(at, 'crc32', json.text),
    origin: json.count(at, 'origin'),
  };
}

function parseSchemaVersion(at: json.Place): SchemaVersion {
  return {
    seq: json.count(at, 'seq'),
    at: json.text(at, 'at'),
    run: json.optional(at, 'run', json.text),
    schema: json.schema(at, 'schema'),
    changes: json.texts(at, 'changes'),
  };
}

function parseRemoved(at: json.Place): RemovedFile {
  return {
    key: json.text(at, 'key'),
    bytes: json.count(at, 'bytes'),
    seq: json.count(at, 'seq'),
    wallMs: json.count(at, 'wallMs'),
  };
}

function parseLast(at: json.Place): LastCommit {
  return {
    seq: json.count(at, 'seq'),
    at: json.text(at, 'at'),
    kind: json.oneOf(at, 'kind', KINDS),
    run: json.text(at, 'run'),
    host: json.optional(at, 'host', json.text),
    wallMs: json.count(at, 'wallMs'),
  };
}

function sum(files: readonly DataFile[], what: 'rows' | 'bytes'): number {
  let total = 0;
  for (const file of files) total += file[what];
  return total;
}

/** Builds the state of one table commit by commit. Applying is all or nothing. */
export class Fold {
  readonly #files = new Map<string, DataFile>();
  readonly #removed = new Map<string, RemovedFile>();
  #head: Omit<FoldedState, 'files' | 'removed'> | undefined;

  /** Starts from nothing or from a snapshot. */
  constructor(state?: FoldedState) {
    if (!state) return;
    const { files, removed, ...head } = state;
    for (const file of files) this.#files.set(file.key, file);
    for (const file of removed) this.#removed.set(file.key, file);
    this.#head = head;
  }

  get version(): number {
    return this.#head?.version ?? 0;
  }

  get fence(): number {
    return this.#head?.fence ?? 0;
  }

  get last(): LastCommit | undefined {
    return this.#head?.last;
  }

  isLive(key: string): boolean {
    return this.#files.has(key);
  }

  /** The state as of now; later commits do not change it. */
  state(): FoldedState | undefined {
    if (!this.#head) return undefined;
    return { ...this.#head, files: [...this.#files.values()], removed: [...this.#removed.values()] };
  }

  /** Why the record cannot follow the state; undefined when it can. */
  problem(record: CommitRecord): string | undefined {
    const head = this.#head;
    if (record.seq !== this.version + 1)
      return `it has number ${record.seq} where ${this.version + 1} belongs`;
    if (head && head.table !== record.table)
      return `it belongs to table "${record.table}", not "${head.table}"`;
    const schemas = (head?.schemas.length ?? 0) + (record.schema ? 1 : 0);
    const removing = new Set(record.remove);
    for (const key of removing)
      if (!this.#files.has(key)) return `it removes "${key}", which is not part of the table`;
    for (const key of record.purge)
      if (this.#files.has(key)) return `it purges "${key}", which is part of the table`;
    for (const file of record.add) {
      if (this.#files.has(file.key) || this.#removed.has(file.key))
        return `it adds "${file.key}", whose name is already taken`;
      if (file.schema >= schemas)
        return `it adds "${file.key}" with schema version ${file.schema} of ${schemas}`;
    }
    return undefined;
  }

  apply(record: CommitRecord, key: string): void {
    const problem = this.problem(record);
    if (problem !== undefined) {
      throw new ConfigError(
        `reading the log of table "${record.table}": commit "${key}" does not fit: ${problem}`,
        {
          code: 'lake.commit_invalid',
          remedy:
            'restore the _sluice folder of the table from a backup, or look for a file that was copied between lakes',
          details: { table: record.table, file: key },
        },
      );
    }
    let { rows, bytes } = this.#head ?? { rows: 0, bytes: 0 };
    for (const removed of new Set(record.remove)) {
      const file = this.#files.get(removed)!;
      this.#files.delete(removed);
      this.#removed.set(removed, { key: removed, bytes: file.bytes, seq: record.seq, wallMs: record.wallMs });
      rows -= file.rows;
      bytes -= file.bytes;
    }
    for (const gone of record.purge) this.#removed.delete(gone);
    for (const file of record.add) {
      this.#files.set(file.key, file);
      rows += file.rows;
      bytes += file.bytes;
    }
    this.#head = { ...nextHead(this.#head, record), rows, bytes };
  }
}

function nextHead(
  before: Omit<FoldedState, 'files' | 'removed'> | undefined,
  record: CommitRecord,
): Omit<FoldedState, 'files' | 'removed' | 'rows' | 'bytes'> {
  const { seq, at, kind, run, host, wallMs, schema } = record;
  const schemas = before?.schemas ?? [];
  return {
    table: record.table,
    stream: isMaintenance(kind) && before ? before.stream : record.stream,
    version: seq,
    fence: Math.max(before?.fence ?? 0, record.fence),
    schemas: schema
      ? [...schemas, { seq, at, schema, run, changes: changesText(schemas.at(-1)?.schema, schema) }]
      : schemas,
    checkpoint: record.checkpoint ?? before?.checkpoint,
    partitionBy: record.partitionBy ?? before?.partitionBy,
    last: { seq, at, kind, run, host, wallMs },
    loadedAt: kind === 'load' ? at : before?.loadedAt,
  };
}
