/** Connections that break at any byte, that nobody answers any more, and that are slow. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunOptions } from '../../src/engine/types.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import type { Random } from '../random.ts';
import { errorOf, expectError, expectVisible, mustBeWhole, mustHeal, seen } from './expect.ts';
import { type Cut, Proxy, type Treatment } from './proxy.ts';
import { openTables, write } from './source-tables.ts';

const PASS: Treatment = { kind: 'pass' };
/** What every error of a connection names: the server, or what was being read. */
const NAMES = /postgres@127\.0\.0\.1:\d+|appended|merged|replaced|snapshot/;

async function through(pair: Pair): Promise<Proxy> {
  const proxy = await Proxy.open(pair.from.server);
  pair.from.connection = { ...pair.from.connection, url: proxy.url(String(pair.from.connection['url'])) };
  return proxy;
}

/** A place to cut: some early, where logins, settings and catalogs are, the others in the rows. */
function randomCut(random: Random, hows: readonly Cut['how'][]): Cut {
  const direction = random.chance(0.7) ? 'down' : 'up';
  const most = direction === 'up' ? 3000 : random.pick([1500, 20_000, 300_000]);
  return { kind: 'cut', direction, after: random.int(1, most), how: random.pick(hows) };
}

/** Runs while connections are cut: it comes through by its own attempts, or says so and shows nothing that is wrong. */
async function runCut(arena: Arena, pair: Pair, proxy: Proxy, codes: readonly string[]): Promise<void> {
  const before = await seen(pair, Object.keys(pair.streams));
  const struck = proxy.struck;
  const error = await errorOf(pair);
  arena.tally.faults += proxy.struck - struck;
  proxy.treat = () => PASS;
  if (!error) return;
  expectError(error, { codes, names: [NAMES] });
  await expectVisible(pair, Object.keys(pair.streams), before, 'part');
}

async function cutAtRandom(arena: Arena): Promise<string> {
  const { random } = arena;
  await using pair = await openTables(arena, arena.brief ? 1500 : 4000);
  await using proxy = await through(pair);
  const runs = arena.brief ? 1 : 4;
  for (let run = 1; run <= runs; run++) {
    arena.say(`cutting connections, run ${run} of ${runs}`);
    const first = proxy.connections;
    const cuts = arena.brief ? 1 : random.int(1, 6);
    // The first connection holds the snapshot, the others read.
    const from = random.int(0, 3);
    const treat = (n: number): Treatment =>
      n >= from && n < from + cuts ? randomCut(random, ['end', 'reset']) : PASS;
    proxy.treat = (connection) => treat(connection - first);
    await runCut(arena, pair, proxy, ['postgres.connection_lost', 'postgres.shutting_down']);
    if (run < runs) await write(pair, random.int(0, 500));
  }
  await mustHeal(arena, pair, Object.keys(pair.streams));
  return 'tries again, or postgres.connection_lost; then whole';
}

export const CUT_CONNECTIONS: Attack = {
  name: 'cut-connections',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'Connections end or are reset at random bytes in either direction: in logins, in answers, in the midst of rows, run after run',
  rounds: 10,
  brief: true,
  run: cutAtRandom,
};

/** Far longer than what the timeouts add up to. */
const HANGS_MS = 120_000;

/** One connection of many falls silent, or all from then on. */
async function fallSilent(arena: Arena): Promise<string> {
  const { random } = arena;
  await using pair = await openTables(arena, 3000);
  await using proxy = await through(pair);
  pair.from.connection = { ...pair.from.connection, connect_timeout: '1 s', stall_timeout: '1 s' };
  for (const load of ['a first load', 'a load of changes']) {
    arena.say(`${load} on a network that swallows what is sent`);
    const silent = proxy.connections + random.int(0, 4);
    const all = random.chance(0.4);
    proxy.treat = (connection) =>
      connection === silent || (all && connection > silent) ? randomCut(random, ['silence']) : PASS;
    const run = runCut(arena, pair, proxy, ['postgres.timeout', 'postgres.connection_lost']);
    await endsInTime(run, proxy);
    await write(pair, 100);
  }
  await mustHeal(arena, pair, Object.keys(pair.streams));
  return 'tries again, or postgres.timeout; then whole';
}

async function endsInTime(run: Promise<unknown>, proxy: Proxy): Promise<void> {
  const controller = new AbortController();
  const late = sleep(HANGS_MS, 'late', { signal: controller.signal }).catch(() => undefined);
  const outcome = await Promise.race([run, late]).finally(() => controller.abort());
  if (outcome !== 'late') return;
  // Otherwise nothing would ever end it.
  await proxy.close();
  throw new Error('the run waits for ever on a connection that nobody answers');
}

export const BLACK_HOLES: Attack = {
  name: 'black-holes',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'The network swallows what is sent from a random byte on, on one connection or on all, and tells nobody',
  rounds: 2,
  brief: false,
  run: fallSilent,
};

/** A user who stops a run that waits for a dead connection is not kept waiting either. */
async function stopInSilence(arena: Arena): Promise<string> {
  await using pair = await openTables(arena, 3000);
  await using proxy = await through(pair);
  const controller = new AbortController();
  proxy.treat = (connection) =>
    connection === 0 ? PASS : { kind: 'cut', direction: 'down', after: 40_000, how: 'silence' };
  const options: RunOptions = { signal: controller.signal };
  const run = errorOf(pair, options);
  while (proxy.struck === 0) await sleep(5);
  controller.abort();
  arena.tally.faults++;
  await endsInTime(run, proxy);
  const error = await run;
  if (error?.recovery !== 'cancelled')
    throw new Error(`expected a run that was stopped, found ${error?.code}`);
  proxy.treat = () => PASS;
  await mustHeal(arena, pair, Object.keys(pair.streams));
  return 'cancelled, then whole';
}

export const STOPPED_IN_SILENCE: Attack = {
  name: 'stop-in-silence',
  part: 'faults',
  promise: 'faults-heal',
  tries: 'A run is stopped by its user while the network swallows what is sent',
  rounds: 1,
  brief: false,
  run: stopInSilence,
};

/** Also with a check for stalled connections that looks far more often than bytes come. */
async function slowly(arena: Arena): Promise<string> {
  const { random } = arena;
  await using pair = await openTables(arena, 300);
  await using proxy = await through(pair);
  pair.from.connection = { ...pair.from.connection, stall_timeout: '1 s', slice_size: '1 MB' };
  for (const treatment of [
    { kind: 'slow', bytes: random.int(100, 500), pauseMs: 2 },
    { kind: 'slow', bytes: 20_000, pauseMs: 1500 },
  ] as const) {
    proxy.treat = () => treatment;
    await pair.run();
    if (pair.events.some(({ kind }) => kind === 'retry')) throw new Error('a slow server was given up');
    await mustBeWhole(arena, pair, Object.keys(pair.streams));
    arena.tally.faults++;
    await write(pair, 200);
  }
  proxy.treat = () => PASS;
  await mustHeal(arena, pair, Object.keys(pair.streams));
  return 'works';
}

export const SLOW_NETWORK: Attack = {
  name: 'slow-network',
  part: 'faults',
  promise: 'faults-heal',
  tries: 'The network lets some bytes through at a time, or pauses for longer than a check of the connection',
  rounds: 1,
  brief: false,
  run: slowly,
};
