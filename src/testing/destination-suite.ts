/** What the checks of a destination are written against. */
import { expect } from 'vitest';
import type { Destination } from '../core/destination.ts';
import { type Recovery, SluiceError } from '../core/errors.ts';
import type { Field } from '../core/schema.ts';
import type { LogicalType } from '../core/types.ts';
import type { Cell } from './batch-rows.ts';

/** How to reach one kind of destination, and what it cannot do. */
export interface DestinationSuite {
  name: string;
  /** A new, empty system. */
  open(): Promise<DestinationUnderTest>;
  /** Checks to leave out, by name, and why. */
  skips?: { check: string; reason: string }[];
}

export interface DestinationUnderTest {
  /** A handle on the system as a new run has it; the suite closes it in `close`. */
  destination(): Promise<Destination>;
  /** What the system keeps of a value that it has no equal for, by a rule that its TYPES.md states; absent: every value. */
  kept?(cell: Cell, type: LogicalType): Cell;
  /** What a reader sees now, in any order; undefined when there is no table. Cells as in batch-rows.ts. */
  read(table: string): Promise<{ columns: string[]; rows: Cell[][] } | undefined>;
  /** The same of a table with versions, two columns more: when each row began to be valid, and when it ended. */
  versions?(table: string): Promise<{ columns: string[]; rows: Cell[][] } | undefined>;
  close(): Promise<void>;
}

/** One obligation of every destination. */
export interface DestinationCheck {
  name: string;
  run(under: DestinationUnderTest): Promise<void>;
}

/** The columns of `versions` in databases. */
export const VERSION_FIELDS: readonly Field[] = ['_sluice_valid_from', '_sluice_valid_to'].map((name) => ({
  name,
  type: { kind: 'timestamp', zone: true },
  nullable: true,
}));

/** Rows of the table that most checks load. */
export const CAST: Cell[][] = [
  ['1', 'Ada', '36'],
  ['2', 'Bob', null],
  ['3', null, '7'],
];

export async function expectRows(
  under: DestinationUnderTest,
  table: string,
  rows: readonly Cell[][],
): Promise<void> {
  const text = (row: readonly Cell[]): string => JSON.stringify(row);
  expect(((await under.read(table))?.rows ?? []).map(text).sort()).toEqual(rows.map(text).sort());
}

export async function refusal(work: Promise<unknown>, recovery: Recovery): Promise<void> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, `expected an error with recovery "${recovery}"`).toBeInstanceOf(SluiceError);
  expect((error as SluiceError).recovery).toBe(recovery);
}
