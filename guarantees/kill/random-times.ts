/** kill -9 of the built command at random times; then the next run. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena, Attack } from '../attack.ts';
import { BANK, bankSql, BANK_STREAMS, doBusiness, startReader } from './bank.ts';
import { runCommand, startCommand } from './command.ts';
import type { AnyPair, SqlPair } from '../pair.ts';
import { FROM_DATABASES } from '../pairs.ts';
import { expectAtRest, expectSoundState, linesOf, same } from './rest.ts';

const KILLS = 10;
/** How often a killed run is followed by another one that is killed, so that also its first steps are hit. */
const AGAIN = 0.3;
/** How often leases and history are objects in the lake. */
const LAKE_STATE = 0.3;

export const RANDOM_TIMES: Attack<SqlPair> = {
  name: 'random-times',
  part: 'kill',
  promise: 'whole-or-not',
  tries: `kills the command \`sluice run\` ${KILLS} times a round with SIGKILL at random moments while four tables are loaded in four ways and another process reads them, and runs again`,
  rounds: 20,
  pairs: FROM_DATABASES,
  brief: false,
  run: killAtRandomTimes,
};

async function killAtRandomTimes(arena: Arena<SqlPair>): Promise<string> {
  const { random, tally } = arena;
  const pair = await arena.open(BANK_STREAMS, bankSql);
  if (random.chance(LAKE_STATE) && pair.to.type === 'lake')
    pair.stateOptions = { type: 'lake', connection: 'to' };
  await runCommand(pair, ['run']);
  await doBusiness(pair, random);
  const began = performance.now();
  await runCommand(pair, ['run']);
  const wholeMs = performance.now() - began;
  const reader = startReader(pair);
  const wanted = arena.few ? 1 : KILLS;
  let killed = 0;
  // A run may end before its kill; then it counts for nothing.
  for (let tries = 0; killed < wanted && tries < 3 * KILLS; tries++) {
    arena.signal.throwIfAborted();
    await doBusiness(pair, random);
    const delay = random.int(0, Math.round(wholeMs));
    arena.say(`kill after ${delay} ms`);
    if (await runAndKill(pair, { delay, tables: BANK })) {
      killed++;
      tally.kills++;
    }
    if (random.chance(AGAIN)) continue;
    await runToTheEnd(pair, random.chance(0.5));
    await arena.verify(pair, BANK);
  }
  await runToTheEnd(pair, true);
  await arena.verify(pair, BANK);
  await expectAtRest(pair);
  const reads = await reader.stop();
  if (killed < wanted) throw new Error(`only ${killed} of ${wanted} runs lived long enough to be killed`);
  if (reads < wanted) throw new Error(`the reader read only ${reads} times`);
  return 'works';
}

/**
 * Kills a run after a while; what readers see then is each table as it was or as it should become, unless the source has moved on
 * meanwhile. Whether it was killed.
 */
export async function runAndKill(
  pair: AnyPair,
  { delay, tables, moves = false }: { delay: number; tables: readonly string[]; moves?: boolean },
): Promise<boolean> {
  const before = new Map<string, string[]>();
  for (const table of tables) before.set(table, await linesOf(pair, table));
  const command = await startCommand(pair, ['run']);
  await sleep(delay);
  command.kill('SIGKILL');
  const { signal } = await command.ended;
  await pair.to.settled();
  for (const [table, was] of before) {
    if (moves) break;
    const now = await linesOf(pair, table);
    if (same(now, was) || same(now, await pair.sourceLines(table))) continue;
    throw new Error(`killed after ${delay} ms: table ${table} is neither as before nor as it should become`);
  }
  await expectSoundState(pair);
  return signal === 'SIGKILL';
}

/** The next run, by the command or in this process, finds nothing in its way: a dead process holds no lease. */
async function runToTheEnd(pair: SqlPair, byCommand: boolean): Promise<void> {
  if (byCommand) await runCommand(pair, ['run']);
  else await pair.run();
}
