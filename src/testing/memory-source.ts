/**
 * A source in the memory of this process: the reference for whoever writes a connector, and fast company for tests. It has
 * what makes real sources hard - transactions that commit late - and shows what the contract asks of them.
 */
import { ConfigError, throwIfAborted, TransientError } from '../core/errors.ts';
import type { Schema } from '../core/schema.ts';
import type {
  BatchesReader,
  DecodeFacts,
  Loaded,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from '../core/source.ts';
import type { Checkpoint, RunWindow, Slice, SliceRange, StreamConfig } from '../core/stream.ts';
import { type Cell, toBatch } from './batch-rows.ts';

interface MemoryTable {
  schema: Schema;
  /** By key; a write takes the place of the row that was there. */
  rows: Map<string, readonly Cell[]>;
}

const BATCH_ROWS = 1024;

/** The system: named tables, a clock, and transactions that are under way. */
export class MemoryDatabase {
  readonly tables: Map<string, MemoryTable> = new Map();
  /** Start of each open transaction. */
  readonly open: Set<bigint> = new Set();
  /** Does not answer. */
  down: boolean = false;
  /** Counts how often all connections were cut. */
  cuts: number = 0;
  #clock = 1_800_000_000_000_000n;

  /** Microseconds since 1970, each moment once. */
  tick(): bigint {
    return ++this.#clock;
  }

  createTable(name: string, schema: Schema): void {
    this.tables.set(name, { schema, rows: new Map() });
  }

  /**
   * Begins a transaction; `at` is what its rows get as their time. What it writes is seen by others once it commits, by
   * which time others may have written and committed rows with a later one.
   */
  begin(): MemoryTransaction {
    const at = this.tick();
    this.open.add(at);
    const writes: (() => void)[] = [];
    return {
      at,
      write: (table, row) => {
        const { schema, rows } = this.tables.get(table)!;
        const key = JSON.stringify(
          schema.key.map((name) => row[schema.fields.findIndex((field) => field.name === name)]),
        );
        writes.push(() => rows.set(key, row));
      },
      commit: () => {
        this.open.delete(at);
        for (const write of writes) write();
      },
    };
  }
}

export interface MemoryTransaction {
  readonly at: bigint;
  write(table: string, row: readonly Cell[]): void;
  commit(): void;
}

export class MemorySource implements Source {
  readonly #database: MemoryDatabase;

  constructor(database: MemoryDatabase) {
    this.#database = database;
  }

  async check(signal: AbortSignal): Promise<SourceFacts> {
    this.#reach('checking memory', signal);
    return { title: 'memory of this process', warnings: [] };
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    this.#reach('reading the catalog of memory', signal);
    const names = [...this.#database.tables.keys()].sort();
    return names.map((name): StreamInfo => {
      const { schema, rows } = this.#database.tables.get(name)!;
      const cursors = schema.fields
        .filter((field) => field.type.kind === 'timestamp')
        .map((field) => ({ column: field.name, type: 'timestamptz', indexed: true, reason: 'a timestamp' }));
      return {
        name,
        kind: 'table',
        schema,
        estimatedRows: rows.size,
        bytes: undefined,
        cursors,
        proposal: { load: 'append', cursor: cursors.map(({ column }) => column) },
        notes: [],
      };
    });
  }

  async open(signal: AbortSignal): Promise<Snapshot> {
    this.#reach('taking a snapshot of memory', signal);
    return new MemorySnapshot(this.#database);
  }

  async close(): Promise<void> {}

  #reach(doing: string, signal: AbortSignal): void {
    throwIfAborted(signal);
    if (this.#database.down)
      throw new TransientError(`${doing}: it does not answer`, { code: 'memory.down' });
  }
}

interface MemorySurvey extends Survey {
  rows: readonly (readonly Cell[])[];
  cursorIndex: number;
}

/** One moment: the rows that were committed, and what may still be written with an earlier time. */
export class MemorySnapshot implements Snapshot {
  readonly at: string;
  readonly #tables: Map<string, { schema: Schema; rows: (readonly Cell[])[] }>;
  /** Nothing below this can appear any more: the oldest open transaction, looked at before the rows are. */
  readonly #horizon: bigint;
  readonly #database: MemoryDatabase;
  /** Times that all connections had been cut when this one was made. */
  readonly #cuts: number;
  #closed = false;

  constructor(database: MemoryDatabase) {
    this.#database = database;
    this.#cuts = database.cuts;
    const now = database.tick();
    this.#horizon = [...database.open].reduce((least, at) => (at < least ? at : least), now);
    this.#tables = new Map(
      [...database.tables].map(([name, { schema, rows }]) => [name, { schema, rows: [...rows.values()] }]),
    );
    this.at = `${new Date(Number(now / 1000n)).toISOString().slice(0, -1).replace('T', ' ')}${String(now % 1000n).padStart(3, '0')}+00`;
  }

  async survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    _window: RunWindow,
    signal: AbortSignal,
  ): Promise<Survey> {
    this.#reach(`looking at ${stream.name}`, signal);
    const table = this.#tables.get(stream.name);
    if (!table)
      throw new ConfigError(`reading ${stream.name}: there is no such table`, {
        code: 'memory.no_table',
        remedy: '`sluice discover` lists what is there',
      });
    const { schema, rows } = table;
    const [column] = stream.cursor;
    const cursorIndex = schema.fields.findIndex((field) => field.name === column);
    if (column !== undefined && cursorIndex < 0)
      throw new ConfigError(`reading ${stream.name}: there is no column "${column}"`, {
        code: 'memory.no_column',
      });
    const survey: MemorySurvey = {
      schema,
      rows,
      cursorIndex,
      estimatedRows: rows.length,
      estimatedBytes: undefined,
      layout: 'rows',
      parts: [],
      sql: `all of ${stream.name}`,
    };
    if (column !== undefined) {
      survey.cursor = {
        from: checkpoint?.watermark,
        horizon: this.#horizon.toString(),
        note: undefined,
        indexed: false,
        fresh: undefined,
        overlap: undefined,
        boundaries: [],
        estimatedRows: undefined,
        nullRows: undefined,
      };
    }
    return survey;
  }

  async read(
    stream: StreamConfig,
    surveyed: Survey,
    slice: Slice,
    signal: AbortSignal,
  ): Promise<BatchesReader> {
    const { schema, rows, cursorIndex } = surveyed as MemorySurvey;
    const wanted = rows.filter((row) => within(slice.range, row, { schema, cursorIndex }));
    const facts: DecodeFacts = { rows: 0, bytes: 0, high: undefined, coerced: {} };
    const reach = (): void => this.#reach(`reading ${stream.name}`, signal);
    reach();
    return {
      format: 'batches',
      schema,
      async *batches() {
        for (let from = 0; from < wanted.length; from += BATCH_ROWS) {
          reach();
          const part = wanted.slice(from, from + BATCH_ROWS);
          facts.rows += part.length;
          for (const row of part) facts.high = greatest(facts.high, row[cursorIndex] ?? undefined);
          yield toBatch(schema, part);
        }
      },
      facts: () => facts,
      close: async () => {},
    };
  }

  advance({ stream, survey, before, loads }: Loaded): Checkpoint {
    const base: Checkpoint = { cursor: stream.cursor, readAt: this.at };
    if (!survey.cursor) return base;
    let high = before?.high;
    for (const { facts } of loads) high = greatest(high, facts.high);
    return { ...base, high, watermark: greatest(before?.watermark, String(survey.cursor.horizon)) };
  }

  async alive(): Promise<boolean> {
    return !this.#closed && this.#cuts === this.#database.cuts;
  }

  #reach(doing: string, signal: AbortSignal): void {
    throwIfAborted(signal);
    if (this.#closed || this.#cuts !== this.#database.cuts)
      throw new TransientError(`${doing}: connection lost`, { code: 'memory.connection_lost' });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

function greatest(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return BigInt(a) >= BigInt(b) ? a : b;
}

/** Whether a slice reads the row; bounds as stream.ts defines them. */
function within(
  range: SliceRange,
  row: readonly Cell[],
  { schema, cursorIndex }: { schema: Schema; cursorIndex: number },
): boolean {
  if (range.kind !== 'column' && range.kind !== 'missing' && range.kind !== 'cursor') return true;
  const column =
    range.kind === 'column' || range.kind === 'missing'
      ? schema.fields.findIndex((field) => field.name === range.column)
      : cursorIndex;
  const cell = row[column] ?? null;
  if (range.kind === 'missing') return cell === null;
  if (cell === null) return range.nulls === true;
  const value = BigInt(cell);
  if (range.kind === 'cursor') {
    if (range.upTo !== undefined && value > BigInt(range.upTo)) return false;
    if (range.above !== undefined && value <= BigInt(range.above)) return false;
  }
  if (range.to !== undefined && value >= BigInt(range.to)) return false;
  return range.from === undefined || value >= BigInt(range.from);
}
