/** The life of a fault: it is injected, a run meets it and says so, readers see what they saw, it goes, the next run heals. */
import { isDeepStrictEqual } from 'node:util';
import { errorInfo } from '../../src/core/error-json.ts';
import { asSluiceError } from '../../src/core/errors.ts';
import type { ErrorInfo } from '../../src/core/events.ts';
import type { RunOptions } from '../../src/engine/types.ts';
import type { Arena } from '../attack.ts';
import type { SqlPair } from '../pair.ts';

/** What the error of a run that meets a fault has to say. */
export interface Expected {
  /** Codes, of which it has one. */
  codes: readonly string[];
  /** What its message names: table, column, host, file. */
  names: readonly (string | RegExp)[];
  /**
   * What readers may see afterwards: `unchanged` (the default), or for loads in parts `part`: what they saw before and some
   * more of the source's rows, none of them twice.
   */
  visible?: 'unchanged' | 'part';
}

export interface Fault {
  /** Tables that are compared, by name in source and destination. */
  tables: readonly string[];
  /** Makes it happen before the run, or returns what is to happen during it. */
  inject: () => Promise<RunOptions | void>;
  expected: Expected;
  /** Ends it. */
  heal: () => Promise<void>;
}

/**
 * All of it: inject, run (must fail as expected, readers see no change), heal, run (must make the tables equal, leave no
 * lease and nothing lying about). Counts one fault and returns the code.
 */
export async function meetFault(arena: Arena<SqlPair>, pair: SqlPair, fault: Fault): Promise<string> {
  const before = await seen(pair, fault.tables);
  const options = await fault.inject();
  arena.tally.faults++;
  const code = await mustFail(pair, fault.expected, options ?? {});
  await expectVisible(pair, fault.tables, before, fault.expected.visible);
  await fault.heal();
  await mustHeal(arena, pair, fault.tables);
  return code;
}

/** Rows that readers see, and whether there is a table at all. */
export async function seen(
  pair: SqlPair,
  tables: readonly string[],
): Promise<Map<string, string[] | undefined>> {
  const rows = new Map<string, string[] | undefined>();
  for (const table of tables)
    rows.set(table, (await pair.to.schema(table)) && (await pair.to.lines(table, 'history')));
  return rows;
}

/** Throws when readers see something else than `before` (from {@link seen}), or with `part` anything but rows of the source. */
export async function expectVisible(
  pair: SqlPair,
  tables: readonly string[],
  before: Map<string, string[] | undefined>,
  visible: Expected['visible'] = 'unchanged',
): Promise<void> {
  const now = await seen(pair, tables);
  for (const table of tables) {
    const [was, is] = [before.get(table), now.get(table)];
    if (visible === 'unchanged') {
      if (!isDeepStrictEqual(was, is))
        throw new Error(
          `readers see ${is?.length} rows in ${table} after the failure, before ${was?.length}`,
        );
      continue;
    }
    if (is === undefined) continue;
    const difference = await pair.compare(table);
    // Changes that were not loaded yet: what was there stays.
    const extra = difference.extra.filter((line) => !was?.includes(line));
    const { doubled } = difference;
    if (extra.length > 0 || doubled.length > 0)
      throw new Error(`readers see rows in ${table} that are not the source's: ${[...extra, ...doubled][0]}`);
  }
}

/** Runs the pipeline and returns the error of the run, or of the first stream that failed; undefined when all went well. */
export async function errorOf(pair: SqlPair, options: RunOptions = {}): Promise<ErrorInfo | undefined> {
  try {
    const report = await pair.attempt(options);
    return report.streams.find((stream) => stream.error)?.error;
  } catch (error) {
    return errorInfo(asSluiceError(error, 'running'));
  }
}

/** Runs the pipeline, which must fail with an error as expected: code, names, a remedy, no lease left. Returns the code. */
export async function mustFail(pair: SqlPair, expected: Expected, options: RunOptions = {}): Promise<string> {
  const error = await errorOf(pair, options);
  if (!error) throw new Error(`the run went well; expected ${expected.codes.join(' or ')}`);
  expectError(error, expected);
  return error.code;
}

/** Throws unless the error has one of the codes, names the object and says what to do. */
export function expectError(error: ErrorInfo, expected: Expected): void {
  const told = `${error.code}: ${error.message}; remedy: ${error.remedy}`;
  if (!expected.codes.includes(error.code))
    throw new Error(`expected ${expected.codes.join(' or ')}, found ${told}`);
  for (const name of expected.names) {
    const named = typeof name === 'string' ? error.message.includes(name) : name.test(error.message);
    if (!named) throw new Error(`the message does not name ${String(name)}: ${told}`);
  }
  if (error.remedy === undefined) throw new Error(`there is no remedy: ${told}`);
}

/** Runs the pipeline, which must make the tables equal to the source and leave no lease and nothing lying about. */
export async function mustHeal(
  arena: Arena<SqlPair>,
  pair: SqlPair,
  tables: readonly string[],
  options: RunOptions = {},
): Promise<void> {
  const error = await errorOf(pair, options);
  if (error) throw new Error(`the next run does not heal: ${error.code}: ${error.message}`);
  await mustBeWhole(arena, pair, tables);
}

/** Throws unless the tables are equal to the source, nobody holds a lease and nothing unseen lies about. */
export async function mustBeWhole(
  arena: Arena<SqlPair>,
  pair: SqlPair,
  tables: readonly string[],
): Promise<void> {
  await arena.verify(pair, tables);
  const leases = await pair.leases();
  if (leases.length > 0) throw new Error(`leases are left: ${JSON.stringify(leases)}`);
  const leftovers = await pair.to.leftovers();
  if (leftovers.length > 0) throw new Error(`left lying about: ${leftovers.slice(0, 5).join(', ')}`);
}
