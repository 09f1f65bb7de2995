/** A destination in the memory of this process: the reference for whoever writes one. Every promise of the contract is kept in the plainest way. */
import type { ComparedTable, ComparedTables } from '../core/compare.ts';
import {
  type Committed,
  DELETED_AT,
  type Destination,
  type GoneRows,
  KEY_HASH,
  type Load,
  type StageOptions,
  type Supersede,
  type TableSpec,
  type TableState,
  type TableWriter,
} from '../core/destination.ts';
import { CancelledError, ConflictError, DataError, SchemaError, throwIfAborted } from '../core/errors.ts';
import { nextVersions } from '../core/schema-changes.ts';
import type { Schema } from '../core/schema.ts';
import type { SliceReader } from '../core/source.ts';
import type { Checkpoint, Slice } from '../core/stream.ts';
import { renderType, sameType, widen } from '../core/types.ts';
import type { Cell } from './batch-rows.ts';
import { microseconds } from './kit-load.ts';
import { compareMemory, hashOf } from './memory-compare.ts';
import { readSlice } from './read-slice.ts';

/** A row by names, so that it outlives changes of the schema; `load` tells which of two versions is newer. */
interface StoredRow {
  cells: ReadonlyMap<string, Cell>;
  load: number;
  /** When it was valid, in tables with versions. */
  from?: string;
  to?: string;
}

interface StoredTable {
  state: TableState;
  rows: readonly StoredRow[];
}

/** What outlives a destination, as a disk does. */
export class MemoryStore {
  readonly tables: Map<string, StoredTable> = new Map();
  loads = 0;

  /** What a reader sees. */
  read(table: string): { columns: string[]; rows: Cell[][] } | undefined {
    const stored = this.tables.get(table);
    if (!stored) return undefined;
    const columns = stored.state.schema.fields.map((field) => field.name);
    return { columns, rows: stored.rows.map(({ cells }) => columns.map((name) => cells.get(name) ?? null)) };
  }

  /** The same, each row with the times between which it was valid. */
  versions(table: string): { columns: string[]; rows: Cell[][] } | undefined {
    const times = this.tables.get(table)?.rows.map(({ from, to }) => [from, to].map(microseconds));
    const found = this.read(table);
    return found && { ...found, rows: found.rows.map((row, i) => [...row, ...times![i]!]) };
  }
}

export class MemoryDestination implements Destination {
  readonly #store: MemoryStore;

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  async check(): Promise<{ title: string }> {
    return { title: 'memory of this process' };
  }

  async describe(table: string): Promise<TableState | undefined> {
    return this.#store.tables.get(table)?.state;
  }

  async compare(): Promise<ComparedTables> {
    return { table: async (name) => this.#compared(name), close: async () => {} };
  }

  #compared(name: string): ComparedTable | undefined {
    const stored = this.#store.tables.get(name);
    if (!stored) return undefined;
    const present = stored.rows.filter(({ cells, to }) => to === undefined && !cells.get(DELETED_AT));
    return {
      state: stored.state,
      rows: compareMemory(present.map(({ cells }) => cells)),
      close: async () => {},
    };
  }

  async openTable(spec: TableSpec): Promise<TableWriter> {
    const writer = new MemoryTableWriter(this.#store, spec);
    writer.checkVersion();
    return writer;
  }

  async close(): Promise<void> {}
}

/** Private part of a Load. */
interface Parts {
  rows: StoredRow[];
  groups: StoredRow[];
}

class MemoryTableWriter implements TableWriter {
  readonly #store: MemoryStore;
  readonly #spec: TableSpec;
  #version: number;

  constructor(store: MemoryStore, spec: TableSpec) {
    this.#store = store;
    this.#spec = spec;
    this.#version = spec.expectedVersion;
  }

  async stage(slice: Slice, reader: SliceReader, options: StageOptions, signal: AbortSignal): Promise<Load> {
    throwIfAborted(signal);
    const { rows, facts } = await untilAborted(readSlice(reader), signal);
    options.onRows(facts.rows, facts.bytes);
    const load = ++this.#store.loads;
    const incoming = rows.map((row): StoredRow => ({
      load,
      cells: new Map(reader.schema.fields.map((field, i) => [field.name, row[i] ?? null])),
    }));
    const rest = options.distinct ? this.#withoutLoaded(incoming, options.distinct) : incoming;
    const { groups } = reader;
    const named =
      options.supersede.kind === 'groups' ? await untilAborted(readSlice(groups!), signal) : undefined;
    const parts: Parts = {
      rows: rest,
      groups: (named?.rows ?? []).map((row) => ({
        load,
        cells: new Map(groups!.schema.fields.map((field, i) => [field.name, row[i] ?? null])),
      })),
    };
    return { slice, facts, rows: rest.length, bytes: 0, parts };
  }

  /** Nothing here waits, so no other commit can come in between. */
  async commit(loads: Load[], supersede: Supersede, checkpoint: Checkpoint | undefined): Promise<Committed> {
    this.checkVersion();
    const { table, stream, schema, fence, loadedAt, history, run } = this.#spec;
    const before = this.#store.tables.get(table);
    if (before && fence < before.state.fence) {
      throw new ConflictError(`committing to "${table}": somebody with a newer lease has taken it over`, {
        code: 'memory.fenced',
      });
    }
    if (before && supersede.kind !== 'everything') checkGrows(before.state.schema, schema, table);
    const incoming = loads
      .flatMap((load) => (load.parts as Parts).rows)
      .map((row) => (history === 'versions' ? { ...row, from: loadedAt } : row));
    const groups = loads.flatMap((load) => (load.parts as Parts).groups);
    const old = (before?.rows ?? []).map((row) => widened(row, before!.state.schema, schema));
    const { rows, changed } =
      supersede.kind === 'gone'
        ? withoutGone(old, incoming, { ...supersede, at: loadedAt })
        : supersede.kind === 'versions'
          ? followed(old, incoming, { ...supersede, schema, at: loadedAt })
          : {
              rows: [
                ...staying(old, supersede.kind === 'groups' ? groups : incoming, supersede),
                ...incoming,
              ],
            };
    const changes = loads.length > 0 || checkpoint !== undefined || !before;
    const { schemas = [] } = before?.state ?? {};
    const state: TableState = {
      schema: changes ? schema : before.state.schema,
      schemas: changes
        ? nextVersions(
            schemas,
            { before: before?.state.schema, after: schema },
            { commit: this.#version + 1, at: loadedAt, run },
          )
        : schemas,
      checkpoint: checkpoint ?? before?.state.checkpoint,
      stream,
      rows: rows.length,
      bytes: 0,
      version: this.#version + 1,
      fence,
      versions: history === 'versions',
    };
    this.#store.tables.set(table, { state, rows });
    this.#version = state.version;
    return { version: state.version, rows: state.rows, bytes: 0, changed };
  }

  async abort(): Promise<void> {}

  async close(): Promise<void> {}

  checkVersion(): void {
    const version = this.#store.tables.get(this.#spec.table)?.state.version ?? 0;
    if (version === this.#version) return;
    throw new ConflictError(
      `loading "${this.#spec.table}": somebody else has committed since the plan was made`,
      { code: 'memory.conflict' },
    );
  }

  #withoutLoaded(incoming: StoredRow[], distinct: NonNullable<StageOptions['distinct']>): StoredRow[] {
    const { rows } = this.#store.tables.get(this.#spec.table) ?? { rows: [] };
    const { schema } = this.#spec;
    const newest = new Map<string, StoredRow>();
    for (const row of rows.filter(({ to }) => to === undefined)) {
      const key = keyOf(row, distinct.key);
      if (row.load >= (newest.get(key)?.load ?? 0)) newest.set(key, row);
    }
    const there = distinct.key.length > 0 ? [...newest.values()] : rows;
    const counts = new Map<string, number>();
    for (const row of there) counts.set(textOf(row, schema), (counts.get(textOf(row, schema)) ?? 0) + 1);
    return incoming.filter((row) => {
      const text = textOf(row, schema);
      const left = counts.get(text) ?? 0;
      counts.set(text, left - 1);
      return left <= 0;
    });
  }
}

function staying(
  rows: readonly StoredRow[],
  incoming: readonly StoredRow[],
  supersede: Exclude<Supersede, { kind: 'versions' | 'gone' }>,
): readonly StoredRow[] {
  switch (supersede.kind) {
    case 'nothing':
      return rows;
    case 'everything':
      return [];
    case 'key': {
      const keys = byKey(incoming, supersede.key);
      return rows.filter((row) => !keys.has(keyOf(row, supersede.key)));
    }
    case 'groups': {
      const groups = new Set(incoming.map((row) => keyOf(row, supersede.columns)));
      return rows.filter((row) => !groups.has(keyOf(row, supersede.columns)));
    }
    case 'window': {
      const { column, from, to } = supersede;
      const inside = (cell: Cell | undefined): boolean =>
        cell !== null && cell !== undefined && BigInt(cell) >= BigInt(from) && BigInt(cell) < BigInt(to);
      return rows.filter((row) => !inside(row.cells.get(column)));
    }
    case 'value':
      return rows.filter((row) => (row.cells.get(supersede.column) ?? null) !== supersede.value);
  }
}

/** Without the rows whose keys have these hashes, or with a mark of them. */
function withoutGone(
  rows: readonly StoredRow[],
  hashes: readonly StoredRow[],
  { how, columns, at }: GoneRows & { at: string },
): { rows: StoredRow[]; changed: number } {
  const gone = new Set(hashes.map(({ cells }) => cells.get(KEY_HASH)));
  const isGone = ({ cells, to }: StoredRow): boolean =>
    to === undefined && !cells.get(DELETED_AT) && gone.has(hashOf(cells, columns));
  const marked = (row: StoredRow): StoredRow =>
    how === 'end'
      ? { ...row, to: at }
      : { ...row, cells: new Map([...row.cells, [DELETED_AT, microseconds(at)]]) };
  const changed = rows.filter(isGone).length;
  if (how === 'remove') return { rows: rows.filter((row) => !isGone(row)), changed };
  return { rows: rows.map((row) => (isGone(row) ? marked(row) : row)), changed };
}

/** Rows by their key; throws when two of them share it. */
function byKey(rows: readonly StoredRow[], key: readonly string[]): Map<string, StoredRow> {
  const found = new Map(rows.map((row) => [keyOf(row, key), row]));
  if (found.size === rows.length) return found;
  throw new DataError(`merging by (${key.join(', ')}): rows share their key`, {
    code: 'memory.duplicate_key',
  });
}

/** Versions that end at this moment, and those that begin. */
function followed(
  rows: readonly StoredRow[],
  incoming: readonly StoredRow[],
  how: Extract<Supersede, { kind: 'versions' }> & { schema: Schema; at: string },
): { rows: StoredRow[]; changed: number } {
  const news = byKey(incoming, how.key);
  const ends = (row: StoredRow): boolean => {
    const next = row.to === undefined ? news.get(keyOf(row, how.key)) : undefined;
    if (next) return textOf(next, how.schema) !== textOf(row, how.schema);
    return row.to === undefined && how.gone;
  };
  const after = rows.map((row) => (ends(row) ? { ...row, to: how.at } : row));
  const valid = new Set(after.filter(({ to }) => to === undefined).map((row) => keyOf(row, how.key)));
  const begun = incoming.filter((row) => !valid.has(keyOf(row, how.key)));
  const gone = after.filter((row, i) => row !== rows[i] && !news.has(keyOf(row, how.key)));
  return { rows: [...after, ...begun], changed: begun.length + gone.length };
}

/** A row that is there, with its values as the types of the new schema write them. */
function widened(row: StoredRow, before: Schema, after: Schema): StoredRow {
  const cells = new Map(row.cells);
  for (const { name, type } of after.fields) {
    const was = before.fields.find((field) => field.name === name)?.type;
    const cell = cells.get(name);
    if (!was || sameType(was, type) || cell === null || cell === undefined) continue;
    if (type.kind === 'decimal') {
      const [whole = '', fraction = ''] = cell.split('.');
      cells.set(name, type.scale === 0 ? whole : `${whole}.${fraction.padEnd(type.scale, '0')}`);
    } else if (was.kind === 'date') cells.set(name, (BigInt(cell) * 86_400_000_000n).toString());
  }
  return { ...row, cells };
}

function keyOf(row: StoredRow, key: readonly string[]): string {
  return JSON.stringify(key.map((name) => row.cells.get(name) ?? null));
}

function textOf(row: StoredRow, schema: Schema): string {
  return JSON.stringify(schema.fields.map((field) => row.cells.get(field.name) ?? null));
}

function checkGrows(before: Schema, after: Schema, table: string): void {
  for (const was of before.fields) {
    const is = after.fields.find((field) => field.name === was.name);
    const wide = is && widen(was.type, is.type);
    if (is && wide && sameType(wide, is.type)) continue;
    throw new SchemaError(
      `loading "${table}": column "${was.name}" is ${renderType(was.type)} and cannot become ${is ? renderType(is.type) : 'nothing'}`,
      { code: 'memory.narrowing' },
    );
  }
}

/** A reader that never ends must not keep us from stopping. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void =>
    reject(new CancelledError('stopped on request', { code: 'cancelled', cause: signal.reason }));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
