/** What faults of a database that is written to need: tables of each strategy, and the life of a fault there. */
import type { Arena, Attack } from '../attack.ts';
import type { Pair, Streams } from '../pair.ts';
import { type OpenOptions, POSTGRES_TO_POSTGRES, TO_DATABASES } from '../pairs.ts';
import type { PostgresSide } from '../postgres-side.ts';
import type { PostgresTargetSide } from '../postgres-target-side.ts';
import type { SqlSide, TargetSide } from '../sides.ts';
import { errorOf, expectError } from './expect.ts';
import { STREAMS, tablesSql, write } from './source-tables.ts';

export type Replica = Pair<SqlSide, TargetSide>;
export type PostgresReplica = Pair<PostgresSide, PostgresTargetSide>;

type What = Pick<Attack, 'part' | 'promise' | 'rounds' | 'brief' | 'pairs'>;

export const TARGET: What = {
  part: 'faults',
  promise: 'faults-heal',
  rounds: 1,
  brief: false,
  pairs: TO_DATABASES,
};

/** For attacks that restart it, or change its settings. */
export const OWN_SERVER = { target: { own: true } } as const;

/** For attacks on what PostgreSQL alone does to those who write to it. */
export const POSTGRES_TARGET: What = { ...TARGET, pairs: POSTGRES_TO_POSTGRES };

/** What is said and found differently in each system that is written to. */
export type Each<T> = Readonly<Record<TargetSide['type'], T>>;

/** `postgres.locked`, `mysql.locked` */
export function codeOf(pair: Replica, name: string): string {
  return `${pair.to.type}.${name}`;
}

/** Tables of the ways of loading that are named, not yet loaded. */
export async function openReplica<R extends Replica>(
  arena: Arena<R>,
  rows: number,
  names: readonly string[],
  options: OpenOptions = {},
): Promise<R> {
  const streams: Streams = Object.fromEntries(names.map((name) => [name, { ...STREAMS[name]! }]));
  const pair = await arena.open(streams, tablesSql(rows, names), options);
  pair.to.connection = { ...pair.to.connection, lock_timeout: '300 ms' };
  return pair;
}

export interface TargetFault {
  /** SQL for the target. */
  inject: string | (() => Promise<unknown>);
  heal: string | (() => Promise<unknown>);
  /** Without the system: `locked`. */
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
    typeof work === 'string' ? pair.to.query(work) : work();
  await write(pair, 20);
  const before = await linesOfAll(pair);
  await act(fault.inject);
  arena.tally.faults++;
  const error = await errorOf(pair);
  if (!error) throw new Error(`the run went well; expected ${fault.codes.join(' or ')}`);
  expectError(error, { codes: fault.codes.map((code) => codeOf(pair, code)), names: fault.names });
  await act(fault.heal);
  await pair.to.settled();
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
