/** What faults of a database that is written to need: tables of each strategy, and the life of a fault there. */
import type { Arena, Attack } from '../attack.ts';
import type { Pair, Streams } from '../pair.ts';
import { type OpenOptions, TO_POSTGRES } from '../pairs.ts';
import type { PostgresSide } from '../postgres-side.ts';
import type { PostgresTargetSide } from '../postgres-target-side.ts';
import { errorOf, expectError } from './expect.ts';
import { STREAMS, tablesSql, write } from './source-tables.ts';

export type Replica = Pair<PostgresSide, PostgresTargetSide>;

export const TARGET: Pick<Attack<Replica>, 'part' | 'promise' | 'rounds' | 'brief' | 'pairs'> = {
  part: 'faults',
  promise: 'faults-heal',
  rounds: 1,
  brief: false,
  pairs: TO_POSTGRES,
};

/** Tables of the ways of loading that are named, not yet loaded. */
export async function openReplica(
  arena: Arena<Replica>,
  rows: number,
  names: readonly string[],
  options: OpenOptions = {},
): Promise<Replica> {
  const streams: Streams = Object.fromEntries(names.map((name) => [name, { ...STREAMS[name]! }]));
  const pair = await arena.open(streams, tablesSql(rows, names), options);
  pair.to.connection = { ...pair.to.connection, lock_timeout: '300 ms' };
  return pair;
}

export interface TargetFault {
  /** SQL for the target. */
  inject: string | (() => Promise<unknown>);
  heal: string | (() => Promise<unknown>);
  codes: readonly string[];
  names: readonly (string | RegExp)[];
}

/** Changes rows, has the next run fail as expected, sees that readers see no change, heals, and runs again. Returns the code. */
export async function meetTargetFault(
  arena: Arena<Replica>,
  pair: Replica,
  fault: TargetFault,
): Promise<string> {
  const act = async (work: TargetFault['heal']): Promise<unknown> =>
    typeof work === 'string' ? pair.to.db.query(work) : work();
  await write(pair, 20);
  const before = await linesOfAll(pair);
  await act(fault.inject);
  arena.tally.faults++;
  const error = await errorOf(pair);
  if (!error) throw new Error(`the run went well; expected ${fault.codes.join(' or ')}`);
  expectError(error, fault);
  await pair.to.settled();
  await act(fault.heal);
  const after = await linesOfAll(pair);
  if (JSON.stringify(after) !== JSON.stringify(before))
    throw new Error(`readers see a change after ${error.code}`);
  await heals(arena, pair);
  return error.code;
}

async function linesOfAll(pair: Replica): Promise<string[][]> {
  const lines: string[][] = [];
  for (const table of Object.keys(pair.streams))
    lines.push((await pair.to.schema(table)) ? await pair.to.lines(table, 'history') : []);
  return lines;
}

/** The next run makes all tables equal and leaves nothing. */
export async function heals(arena: Arena<Replica>, pair: Replica): Promise<void> {
  const error = await errorOf(pair);
  if (error) throw new Error(`the next run does not heal: ${error.code}: ${error.message}`);
  await arena.verify(pair, Object.keys(pair.streams));
  const leftovers = [...(await pair.to.leftovers()), ...(await pair.leases()).map(String)];
  if (leftovers.length > 0) throw new Error(`left lying about: ${leftovers.join(', ')}`);
}
