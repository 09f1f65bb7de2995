/** A destination in the memory of this process: the reference for whoever writes one. Every promise of the contract is kept in the plainest way. */
import type {
  Destination,
  Load,
  StageOptions,
  Supersede,
  TableSpec,
  TableState,
  TableWriter,
} from '../core/destination.ts';
import { CancelledError, ConflictError, DataError, SchemaError, throwIfAborted } from '../core/errors.ts';
import type { Schema } from '../core/schema.ts';
import type { SliceReader } from '../core/source.ts';
import type { Checkpoint, Slice } from '../core/stream.ts';
import { renderType, sameType, widen } from '../core/types.ts';
import type { Cell } from './batch-rows.ts';
import { readSlice } from './read-slice.ts';

/** A row by names, so that it outlives changes of the schema; `load` tells which of two versions is newer. */
interface StoredRow {
  cells: ReadonlyMap<string, Cell>;
  load: number;
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

  async openTable(spec: TableSpec): Promise<TableWriter> {
    const writer = new MemoryTableWriter(this.#store, spec);
    writer.checkVersion();
    return writer;
  }

  async close(): Promise<void> {}
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
    const parts = options.distinct ? this.#withoutLoaded(incoming, options.distinct) : incoming;
    return { slice, facts, rows: parts.length, bytes: 0, parts };
  }

  /** Nothing here waits, so no other commit can come in between. */
  async commit(
    loads: Load[],
    supersede: Supersede,
    checkpoint: Checkpoint | undefined,
  ): Promise<{ version: number; rows: number; bytes: number }> {
    this.checkVersion();
    const { table, stream, schema, fence } = this.#spec;
    const before = this.#store.tables.get(table);
    if (before && fence < before.state.fence) {
      throw new ConflictError(`committing to "${table}": somebody with a newer lease has taken it over`, {
        code: 'memory.fenced',
      });
    }
    if (before && supersede.kind !== 'everything') checkGrows(before.state.schema, schema, table);
    const incoming = loads.flatMap((load) => load.parts as StoredRow[]);
    const kept = staying(before?.rows ?? [], incoming, supersede).map((row) =>
      widened(row, before!.state.schema, schema),
    );
    const rows = [...kept, ...incoming];
    const state: TableState = {
      schema: loads.length > 0 || checkpoint || !before ? schema : before.state.schema,
      checkpoint: checkpoint ?? before?.state.checkpoint,
      stream,
      rows: rows.length,
      bytes: 0,
      version: this.#version + 1,
      fence,
    };
    this.#store.tables.set(table, { state, rows });
    this.#version = state.version;
    return { version: state.version, rows: state.rows, bytes: 0 };
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
    for (const row of rows) {
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
  supersede: Supersede,
): readonly StoredRow[] {
  switch (supersede.kind) {
    case 'nothing':
      return rows;
    case 'everything':
      return [];
    case 'key': {
      const keys = new Set(incoming.map((row) => keyOf(row, supersede.key)));
      if (keys.size < incoming.length)
        throw new DataError(`merging by (${supersede.key.join(', ')}): rows share their key`, {
          code: 'memory.duplicate_key',
        });
      return rows.filter((row) => !keys.has(keyOf(row, supersede.key)));
    }
    case 'window': {
      const { column, from, to } = supersede;
      const inside = (cell: Cell | undefined): boolean =>
        cell !== null && cell !== undefined && BigInt(cell) >= BigInt(from) && BigInt(cell) < BigInt(to);
      return rows.filter((row) => !inside(row.cells.get(column)));
    }
  }
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
  return { cells, load: row.load };
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
