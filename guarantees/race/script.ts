/**
 * One schedule for many writers: which of them does what to which row, one step after the other, and where loads begin and
 * where the naive reader looks. Row locks are kept account of, so no step ever waits for another transaction, and the same
 * seed gives the same interleaving. Pure.
 */
import type { Random } from '../random.ts';
import { type Action, writeShortTransaction, writeTransaction } from './transaction.ts';

export interface ScriptSize {
  writers: number;
  loads: number;
  /** Between two loads. */
  turns: number;
}

export type Step =
  /** `full`: everything again, in the place of what is there. */
  | { kind: 'load'; full: boolean }
  | { kind: 'naive-read' }
  /** All open transactions are idle. */
  | { kind: 'pause' }
  | { kind: 'write'; writer: number; action: Action; row: number };

/** Rows that are there before the race, and every writer may update. */
export const SHARED_ROWS = 6;

/** Who is idle for more turns than this is not counted. */
const SOON = 30;

interface Transaction {
  /** Rows inserted by it, one list for each savepoint that is open. */
  inserted: number[][];
  locked: number[];
}

interface Writer {
  index: number;
  actions: Action[];
  transaction: Transaction | undefined;
  /** Turn at which it goes on. */
  at: number;
  /** Rows of its own that are committed. */
  rows: number[];
}

/** What happens between two loads. */
interface Mood {
  /** Open transactions, not counting those that are idle for long. */
  crowd: number;
  write: (random: Random) => Action[];
}

/** First, moments in which nothing is open. */
const CALM: readonly Mood[] = [
  { crowd: 2, write: writeShortTransaction },
  { crowd: 3, write: writeShortTransaction },
];
/** Then few, which leave the watermark nothing older to hide behind, or as many as a server has. */
const LIVELY: readonly Mood[] = [
  { crowd: 1, write: writeTransaction },
  { crowd: 2, write: writeTransaction },
  { crowd: 8, write: writeTransaction },
];
const CALM_SHARE = 0.4;

export function writeScript(random: Random, size: ScriptSize): Step[] {
  const scheduler = new Scheduler(random, size.writers);
  for (let load = 0; load <= size.loads; load++) {
    const mood = random.pick(load <= size.loads * CALM_SHARE ? CALM : LIVELY);
    if (load > 0) scheduler.steps.push({ kind: 'load', full: random.chance(0.1) });
    const looks = [random.int(0, size.turns - 1), random.int(0, size.turns - 1)];
    for (let turn = 0; turn < size.turns; turn++) {
      if (looks.includes(turn)) scheduler.steps.push({ kind: 'naive-read' });
      scheduler.turn(mood);
    }
  }
  scheduler.finish();
  scheduler.steps.push({ kind: 'naive-read' });
  return scheduler.steps;
}

class Scheduler {
  readonly steps: Step[] = [];
  readonly #random: Random;
  readonly #writers: Writer[];
  readonly #locked = new Set<number>();
  #turn = 0;
  #rows = SHARED_ROWS;
  #last: Writer | undefined;

  constructor(random: Random, writers: number) {
    this.#random = random;
    this.#writers = Array.from({ length: writers }, (_, index) => ({
      index,
      actions: [],
      transaction: undefined,
      at: 0,
      rows: [],
    }));
  }

  /** One writer does one thing; nobody, when all that may are idle. Transactions begin while fewer than `crowd` are awake. */
  turn({ crowd, write }: Mood): void {
    this.#turn++;
    const open = this.#writers.filter((writer) => writer.actions.length > 0);
    const ready = open.filter((writer) => writer.at <= this.#turn);
    const free = this.#writers.filter((writer) => writer.actions.length === 0);
    const awake = open.filter((writer) => writer.at <= this.#turn + SOON);
    if (awake.length < crowd && free.length > 0) ready.push(this.#random.pick(free));
    if (ready.length === 0) {
      this.steps.push({ kind: 'pause' });
      return;
    }
    // Whoever has just worked often works on: short transactions within a longer one of somebody else.
    const again = this.#last && ready.includes(this.#last) && this.#random.chance(0.5);
    const writer = again ? this.#last! : this.#random.pick(ready);
    this.#last = writer;
    if (writer.actions.length === 0) writer.actions = write(this.#random);
    this.#act(writer, writer.actions.shift()!);
  }

  /** Ends what is open. */
  finish(): void {
    while (this.#writers.some((writer) => writer.actions.length > 0))
      this.turn({ crowd: 0, write: writeTransaction });
  }

  #act(writer: Writer, action: Action): void {
    if (action.do === 'idle') {
      writer.at = this.#turn + action.turns;
      return;
    }
    const row = this.#rowOf(writer, action);
    if (row === undefined) return;
    this.#follow(writer, action, row);
    this.steps.push({ kind: 'write', writer: writer.index, action, row });
  }

  /** Undefined when every row that the action could mean is locked by others. */
  #rowOf(writer: Writer, action: Action): number | undefined {
    if (action.do === 'insert') return ++this.#rows;
    if (action.do !== 'update') return 0;
    const { transaction } = writer;
    const shared = Array.from({ length: SHARED_ROWS }, (_, row) => row + 1);
    const wanted = action.whose === 'shared' ? shared : [...writer.rows, ...transaction!.inserted.flat()];
    const rows = wanted.filter((row) => !this.#locked.has(row) || transaction!.locked.includes(row));
    return rows.length === 0 ? undefined : this.#random.pick(rows);
  }

  /** What the server does with rows and locks. */
  #follow(writer: Writer, action: Action, row: number): void {
    const transaction = (writer.transaction ??= { inserted: [[]], locked: [] });
    const { inserted } = transaction;
    switch (action.do) {
      case 'insert':
        inserted.at(-1)!.push(row);
        break;
      case 'update':
        this.#locked.add(row);
        transaction.locked.push(row);
        break;
      case 'savepoint':
        inserted.push([]);
        break;
      case 'rollback-to':
        // The savepoint stays.
        inserted[inserted.length - 1] = [];
        break;
      case 'release':
        inserted.at(-2)!.push(...inserted.pop()!);
        break;
      case 'commit':
      case 'commit-prepared':
        writer.rows.push(...inserted.flat());
        this.#end(writer);
        break;
      case 'rollback':
      case 'rollback-prepared':
        this.#end(writer);
        break;
      default:
    }
  }

  #end(writer: Writer): void {
    for (const row of writer.transaction!.locked) this.#locked.delete(row);
    writer.transaction = undefined;
  }
}
