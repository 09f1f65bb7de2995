/** What the checks of a source are written against. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Recovery, SluiceError } from '../core/errors.ts';
import type { Snapshot, Source, Survey } from '../core/source.ts';
import type { Checkpoint, Slice, StreamConfig } from '../core/stream.ts';
import { planSlices } from '../engine/plan-slices.ts';
import type { Cell } from './batch-rows.ts';
import { readSlice } from './read-slice.ts';

/** How to reach one kind of source, and what it cannot do. */
export interface SourceSuite {
  name: string;
  /** A new, empty system. */
  open(): Promise<SourceUnderTest>;
  /** Checks to leave out, by name, and why. */
  skips?: { check: string; reason: string }[];
}

export interface LabelledRow {
  id: number;
  label: string | null;
}

/** Every table that the suite makes has the columns `id` (a whole number, the key), `label` (text) and `changed` (an instant: when the row was written). */
export interface SourceUnderTest {
  /** A handle on the system as a new run has it; the suite closes it in `close`. */
  source(): Promise<Source>;
  /** A handle on a system that does not answer, whose password is {@link UNREACHABLE_SECRET}. */
  unreachable(): Promise<Source>;
  /** Makes an empty table of the name and returns that of its stream. */
  createTable(name: string): Promise<string>;
  /** Inserts or replaces rows by id and commits. */
  write(stream: string, rows: LabelledRow[]): Promise<void>;
  /** The same in a transaction that stays open until the returned function is called; all its rows carry the time of its begin. */
  writeOpen(stream: string, rows: LabelledRow[]): Promise<() => Promise<void>>;
  /** Makes a table with a column of every type, and tells what a reader should find there. */
  everyType(): Promise<{ stream: string; columns: { name: string; type: string }[]; rows: Cell[][] }>;
  /** Cuts all connections, as a failing network does. */
  disconnect(): Promise<void>;
  close(): Promise<void>;
}

/** One obligation of every source. */
export interface SourceCheck {
  name: string;
  run(under: SourceUnderTest): Promise<void>;
}

/** Part of what `unreachable` connects with; may never show up in a message. */
export const UNREACHABLE_SECRET = 'conformance-secret';

export const SIGNAL: AbortSignal = new AbortController().signal;
export const NAMES: readonly string[] = [
  'Orders',
  'my table',
  `it's "quoted"`,
  'a.b',
  'größe',
  '注文',
  '🚚',
  'select',
  `${'long'.repeat(15)}`,
  '_hidden',
  '%s',
  '*',
];

export function streamOf(name: string, cursor: string[] = ['changed']): StreamConfig {
  // Without a margin, that what is open is really looked at.
  return {
    name,
    table: 'table',
    load: 'append',
    cursor,
    nullCursor: 'load',
    overlapSeconds: 0,
    rename: {},
    types: {},
  };
}

export function rowsUpTo(count: number, label: string): LabelledRow[] {
  return Array.from({ length: count }, (_, i) => ({ id: i + 1, label: `${label} ${i + 1}` }));
}

export interface Increment {
  rows: Cell[][];
  checkpoint: Checkpoint;
  survey: Survey;
}

/** What a run reads now, slice by slice as the engine plans them, and where it leaves off. */
export async function readIncrement(
  snapshot: Snapshot,
  stream: StreamConfig,
  before?: Checkpoint,
): Promise<Increment> {
  const survey = await snapshot.survey(stream, before, {}, SIGNAL);
  const { slices } = planSlices({
    stream,
    survey,
    checkpoint: before,
    window: {},
    fullRefresh: false,
    restart: false,
  });
  const rows: Cell[][] = [];
  let checkpoint = before;
  for (const [i, slice] of slices.entries()) {
    const read = await readSlice(await snapshot.read(stream, survey, slice, SIGNAL));
    expect(read.facts.rows).toBe(read.rows.length);
    rows.push(...read.rows);
    checkpoint = snapshot.advance({
      stream,
      survey,
      before: checkpoint,
      loads: [{ slice, facts: read.facts }],
      last: i === slices.length - 1,
    });
  }
  return { rows, checkpoint: checkpoint ?? { cursor: stream.cursor }, survey };
}

/** A run of its own, with a snapshot of its own. */
export async function readNow(source: Source, stream: StreamConfig, before?: Checkpoint): Promise<Increment> {
  const snapshot = await source.open(SIGNAL);
  try {
    return await readIncrement(snapshot, stream, before);
  } finally {
    await snapshot.close();
  }
}

/** The columns id and label. */
export function labels(rows: readonly Cell[][]): Map<string, Cell> {
  return new Map(rows.map((row) => [row[0]!, row[1] ?? null]));
}

export async function refusal(work: Promise<unknown>, recoveries: readonly Recovery[]): Promise<SluiceError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, 'expected an error').toBeInstanceOf(SluiceError);
  expect(recoveries).toContain((error as SluiceError).recovery);
  return error as SluiceError;
}

export function soon<T>(work: Promise<T>): Promise<T> {
  return Promise.race([work, sleep(10_000).then((): never => expect.fail('it took longer than 10 s'))]);
}

export const WHOLE: Slice = { id: 'all', range: { kind: 'all' }, overlap: false };
