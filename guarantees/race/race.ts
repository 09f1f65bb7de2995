/** Carries out a script while loads run beside it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunEvent } from '../../src/core/events.ts';
import type { Arena } from '../attack.ts';
import type { SqlPair } from '../pair.ts';
import type { SqlSession } from '../sides.ts';
import { NaiveReader } from './naive-reader.ts';
import { type ScriptSize, type Step, writeScript } from './script.ts';
import type { RaceTable } from './tables.ts';
import { writersOf } from './writers-of.ts';
import type { Writers } from './writers.ts';

/** About what a step takes. */
const PAUSE_MS = 1;
const SIZE: ScriptSize = { writers: 8, loads: 8, turns: 80 };
const BRIEF: ScriptSize = { writers: 8, loads: 3, turns: 60 };

export interface Field {
  pair: SqlPair;
  writers: Writers;
  tables: readonly RaceTable[];
  sessions: SqlSession[];
  naive: NaiveReader;
}

/** `roles` are those of the writers, one each; undefined is the owner of the tables. */
export async function openField(
  arena: Arena<SqlPair>,
  tables: readonly RaceTable[],
  roles: readonly (string | undefined)[],
): Promise<Field> {
  const pair = await arena.open({});
  const database = new URL(String(pair.from.connection['url'])).pathname.slice(1);
  const writers = writersOf(pair.from)(tables, database);
  pair.streams = Object.fromEntries(writers.tables.map(({ name, options }) => [name, options]));
  await pair.from.query(writers.setup);
  const sessions = await Promise.all(roles.map((role) => pair.from.session(role)));
  const naive = new NaiveReader(await pair.from.session(), writers, writers.tables[0]!);
  return { pair, writers, tables: writers.tables, sessions, naive };
}

export function sizeOf(arena: Arena<SqlPair>): ScriptSize {
  return arena.brief ? BRIEF : SIZE;
}

export async function race(arena: Arena<SqlPair>, tables: readonly RaceTable[]): Promise<string> {
  const size = sizeOf(arena);
  const roles = Array.from({ length: size.writers }, () => undefined);
  const field = await openField(arena, tables, roles);
  await follow(arena, field, writeScript(arena.random, size));
  return finish(arena, field);
}

/** The steps go on while a load runs; the next load waits for it. */
export async function follow(arena: Arena<SqlPair>, field: Field, steps: readonly Step[]): Promise<void> {
  const { writers, sessions, naive } = field;
  let failure: Error | undefined;
  let load: Promise<unknown> = Promise.resolve();
  for (const step of steps) {
    arena.signal.throwIfAborted();
    if (step.kind === 'load') {
      await load;
      const { begun, done } = startLoad(field, step.full);
      // Whatever comes of it, the transactions are ended: prepared ones would stay on the server.
      load = done.catch((error: Error) => (failure ??= error));
      await begun;
    } else if (step.kind === 'naive-read') await naive.read();
    else if (step.kind === 'pause') await sleep(PAUSE_MS);
    else await sessions[step.writer]!.query(writers.statement(step));
  }
  await load;
  if (failure) throw failure;
}

/** It has begun when it holds its leases: then the look at open transactions is next, in the midst of the steps to come. */
function startLoad(
  { pair, tables }: Field,
  fullRefresh: boolean,
): { begun: Promise<void>; done: Promise<unknown> } {
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  let leases = 0;
  const onEvent = (event: RunEvent): void => {
    if (event.kind === 'step' && event.step === 'lease' && ++leases === tables.length) resolve();
  };
  return { begun, done: pair.run({ fullRefresh, onEvent }).finally(resolve) };
}

/** After one last load the two are equal, and another one finds nothing. */
export async function finish(arena: Arena<SqlPair>, { pair, tables, naive }: Field): Promise<string> {
  const naiveRowsLost = await naive.lost();
  if (naiveRowsLost === 0) throw new Error('the naive reader lost nothing: there was no race');
  arena.tally.races++;
  arena.tally.naiveRowsLost += naiveRowsLost;
  await pair.run();
  await arena.verify(
    pair,
    tables.map(({ name }) => name),
  );
  const { streams } = await pair.attempt();
  const again = streams.filter((stream) => stream.totals.loaded > 0 || stream.error);
  if (again.length > 0) throw new Error(`a load after the last one brought rows: ${JSON.stringify(again)}`);
  return 'works';
}
