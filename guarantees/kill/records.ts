/** kill -9 of loads from an API whose records change meanwhile, and two of them at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '../../src/engine/types.ts';
import { API_STREAMS, API_TABLES } from '../api-side.ts';
import type { Arena, Attack } from '../attack.ts';
import type { ApiPair } from '../pair.ts';
import { FROM_APIS } from '../pairs.ts';
import { expectWhole, NOTHING } from '../race/records.ts';
import { type Command, type Ended, runCommand, startCommand } from './command.ts';
import { runAndKill } from './random-times.ts';
import { expectAtRest } from './rest.ts';

const KILLS = 6;
const TURNS = 5;
const CHANGES = 40;
const JSON_RUN = ['run', '--json'] as const;
/** How often a killed run is followed by another one that is killed. */
const AGAIN = 0.3;
/** How often the API changes while it is read. */
const MOVING = 0.5;
/** Said by whoever has come second. */
const REFUSED = /^(lease\.held|lease\.lost|.*\.(fenced|conflict|swept))$/;

const RECORDS_KILLED: Attack<ApiPair> = {
  name: 'records',
  part: 'kill',
  promise: 'whole-or-not',
  tries: `kills the command \`sluice run\` ${KILLS} times a round with SIGKILL at random moments while it fetches and loads records of an API, which stand still or move from page to page, and runs again`,
  rounds: 4,
  pairs: FROM_APIS,
  brief: false,
  run: killAtRandomTimes,
};

async function killAtRandomTimes(arena: Arena<ApiPair>): Promise<string> {
  const { random, tally } = arena;
  const { pair, wholeMs } = await begin(arena);
  const wanted = arena.few ? 1 : KILLS;
  let killed = 0;
  // A run may end before its kill; then it counts for nothing.
  for (let tries = 0; killed < wanted && tries < 3 * KILLS; tries++) {
    arena.signal.throwIfAborted();
    business(arena, pair);
    const moves = random.chance(MOVING);
    if (moves) pair.from.beforeAnswer = (name) => pair.from.change(random, name);
    const delay = random.int(0, wholeMs);
    arena.say(`kill after ${delay} ms`);
    if (await runAndKill(pair, { delay, tables: Object.keys(API_TABLES), moves })) {
      killed++;
      tally.kills++;
    }
    await pair.from.settled();
    await expectWhole(pair, NOTHING);
    pair.from.beforeAnswer = () => undefined;
    if (random.chance(AGAIN)) continue;
    await expectHealed(arena, pair);
  }
  await expectHealed(arena, pair);
  await expectAtRest(pair);
  if (killed < wanted) throw new Error(`only ${killed} of ${wanted} runs lived long enough to be killed`);
  return 'works';
}

const RECORDS_TWICE: Attack<ApiPair> = {
  name: 'records-two-at-once',
  part: 'kill',
  promise: 'one-at-a-time',
  tries: `starts two runs at once, ${TURNS} times a round, of one project or of two that have no state in common, while the records of their API move from page to page; one in three is killed`,
  rounds: 2,
  pairs: FROM_APIS,
  brief: false,
  run: runTwoAtOnce,
};

async function runTwoAtOnce(arena: Arena<ApiPair>): Promise<string> {
  const { random, tally } = arena;
  const { pair, wholeMs } = await begin(arena);
  const stranger = await arena.open(API_STREAMS);
  Object.assign(stranger.from.connection, pair.from.connection);
  const { readBy } = pair.to;
  stranger.to.connection = { ...pair.to.connection, ...('connection' in readBy && readBy.connection) };
  for (let turn = 0; turn < (arena.few ? 1 : TURNS); turn++) {
    arena.signal.throwIfAborted();
    business(arena, pair);
    pair.from.beforeAnswer = (name) => pair.from.change(random, name);
    const first = await startCommand(pair, JSON_RUN);
    await sleep(random.int(0, wholeMs / 4));
    const second = await startCommand(random.chance(0.5) ? pair : stranger, JSON_RUN);
    if (turn % 3 === 2) {
      await sleep(random.int(0, wholeMs));
      if (random.pick([first, second]).kill('SIGKILL')) tally.kills++;
    }
    for (const ended of await endsOf([first, second])) expectRefusedAtMost(ended);
    pair.from.beforeAnswer = () => undefined;
    await expectHealed(arena, pair);
  }
  await expectAtRest(pair);
  return 'one works, the other may be refused; then works';
}

function endsOf(commands: readonly Command[]): Promise<Ended[]> {
  return Promise.all(commands.map(({ ended }) => ended));
}

function expectRefusedAtMost({ code, signal, output }: Ended): void {
  if (signal === 'SIGKILL') return;
  const report = output.split('\n').find((line) => line.startsWith('{"kind":"report"'));
  const { streams } = JSON.parse(report ?? '{"streams":[]}') as Pick<RunReport, 'streams'>;
  const codes = streams.flatMap(({ error }) => error?.code ?? []);
  if (streams.length > 0 && codes.every((each) => REFUSED.test(each))) return;
  throw new Error(`a run ended with ${code ?? signal}: ${codes.join(', ')}: ${output.slice(-2000)}`);
}

/** Loads what there is at first; how long another load takes. */
async function begin(arena: Arena<ApiPair>): Promise<{ pair: ApiPair; wholeMs: number }> {
  const pair = await arena.open(API_STREAMS);
  pair.from.fill(arena.random);
  await runCommand(pair, ['run']);
  business(arena, pair);
  const began = performance.now();
  await runCommand(pair, ['run']);
  return { pair, wholeMs: Math.round(performance.now() - began) };
}

function business({ random }: Arena<ApiPair>, { from }: ApiPair): void {
  for (let i = 0; i < CHANGES; i++) from.change(random);
}

/** The next run finds nothing in its way, and what the API has is there, each once. */
async function expectHealed(arena: Arena<ApiPair>, pair: ApiPair): Promise<void> {
  await runCommand(pair, ['run']);
  await arena.verify(pair, Object.keys(API_TABLES));
}

export const RECORD_KILLS: readonly Attack<ApiPair>[] = [RECORDS_KILLED, RECORDS_TWICE];
