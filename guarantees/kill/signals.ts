/** SIGTERM and Ctrl-C, once and twice, at random times. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena, Attack } from '../attack.ts';
import type { Random } from '../random.ts';
import { BANK, bankSql, BANK_STREAMS, doBusiness, startReader } from './bank.ts';
import { type Ended, runCommand, startCommand } from './command.ts';
import type { SqlPair } from '../pair.ts';
import { FROM_DATABASES } from '../pairs.ts';
import { expectAtRest, expectSoundState, linesOf, same } from './rest.ts';

const STOPS = 8;
const CODES: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143 };

export const SIGNALS: Attack<SqlPair> = {
  name: 'signals',
  part: 'kill',
  promise: 'whole-or-not',
  tries: `stops the command \`sluice run\` ${STOPS} times a round with SIGTERM, Ctrl-C or two of them at random moments, looks for what it left, and runs again`,
  rounds: 3,
  pairs: FROM_DATABASES,
  brief: false,
  async run(arena) {
    const pair = await arena.open(BANK_STREAMS, bankSql);
    const began = performance.now();
    await runCommand(pair, ['run']);
    const wholeMs = performance.now() - began;
    const reader = startReader(pair);
    for (let i = 0; i < (arena.few ? 1 : STOPS); i++) {
      arena.signal.throwIfAborted();
      await doBusiness(pair, arena.random);
      await stopOnce(arena, pair, draw(arena.random, wholeMs));
      await pair.run();
      await arena.verify(pair, BANK);
    }
    await expectAtRest(pair);
    await reader.stop();
    return 'works';
  },
};

interface Stop {
  signal: 'SIGINT' | 'SIGTERM';
  afterMs: number;
  /** After the first one; undefined for a single one. */
  againMs: number | undefined;
}

function draw(random: Random, wholeMs: number): Stop {
  return {
    signal: random.pick(['SIGINT', 'SIGTERM']),
    afterMs: random.int(0, Math.round(wholeMs)),
    againMs: random.chance(0.3) ? random.int(0, 200) : undefined,
  };
}

async function stopOnce(arena: Arena<SqlPair>, pair: SqlPair, stop: Stop): Promise<void> {
  const what = `${stop.signal} after ${stop.afterMs} ms${stop.againMs === undefined ? '' : ` and ${stop.againMs} ms`}`;
  arena.say(what);
  const before = new Map<string, string[]>();
  for (const table of BANK) before.set(table, await linesOf(pair, table));
  const command = await startCommand(pair, ['run']);
  await sleep(stop.afterMs);
  command.kill(stop.signal);
  if (stop.againMs !== undefined) {
    await sleep(stop.againMs);
    command.kill(stop.signal);
  }
  const ended = await command.ended;
  await pair.to.settled();
  const wrong = await findWrong(pair, before, { stop, ended });
  if (wrong !== undefined) throw new Error(`${what}: ${wrong}\n${ended.output}`);
}

/** What is not as promised after a stop. */
async function findWrong(
  pair: SqlPair,
  before: ReadonlyMap<string, string[]>,
  { stop, ended }: { stop: Stop; ended: Ended },
): Promise<string | undefined> {
  // It may have ended before the signal, or not yet have begun to listen; a shell says 128 + signal then, too.
  const known = ended.code === 0 || ended.code === CODES[stop.signal] || ended.signal === stop.signal;
  if (!known) return `ended with ${ended.code ?? ended.signal}`;
  for (const table of BANK) {
    const now = await linesOf(pair, table);
    if (!same(now, before.get(table)!) && !same(now, await pair.sourceLines(table)))
      return `table ${table} is neither as before nor as it should become`;
  }
  await expectSoundState(pair);
  if (ended.code === null || stop.againMs !== undefined) return undefined;
  // Who stops by itself cleans up after itself.
  if ((await pair.leases()).length > 0) return 'it kept its leases';
  const leftovers = await pair.to.leftovers();
  return leftovers.length > 0 ? `it left behind: ${leftovers.join(', ')}` : undefined;
}
