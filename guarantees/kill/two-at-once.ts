/** Two processes on one table: one works, the other says who does; whoever was replaced cannot commit. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sweepLake } from '../../src/connectors/lake/sweep.ts';
import { thisOwner } from '../../src/connectors/shared/staging.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import type { Arena, Attack } from '../attack.ts';
import type { SqlPair, Pair } from '../pair.ts';
import { FROM_DATABASES } from '../pairs.ts';
import { pauseAt } from '../pause.ts';
import type { SourceSql } from '../source-sql.ts';
import { runCommand, startCommand } from './command.ts';
import { type Both, of } from './moments.ts';
import { expectAtRest, expireLeases } from './rest.ts';

const table = ({ stamp, now, later, numbers }: SourceSql): string => `
  CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, at ${stamp});
  CREATE INDEX t_at ON t (at);
  INSERT INTO t SELECT g, 'x', ${later(now, '-3600')} FROM ${numbers(300)}`;
const APPEND = { t: { cursor: 'at' } };
const MERGE = { t: { cursor: 'at', load: 'merge' } } as const;

/** Other values in the rows where it holds. */
async function change({ from }: SqlPair, value: string, where: string): Promise<void> {
  await from.query(`UPDATE t SET v = ${value}, at = ${from.sql.now} WHERE ${where}`);
}
const REFUSED: readonly (string | undefined)[] = [
  'lake.fenced',
  'lake.conflict',
  'lake.swept',
  'sql.fenced',
  'sql.conflict',
  'lease.lost',
];
/** A lease lasts a minute; nobody may wait for it much longer. */
const PATIENCE_MS = 180_000;

const SECOND_RUN: Attack<SqlPair> = {
  name: 'second-run',
  part: 'kill',
  promise: 'one-at-a-time',
  tries: 'runs the command while another process holds one of two tables, then while it holds both',
  rounds: 1,
  pairs: FROM_DATABASES,
  brief: false,
  async run(arena) {
    const streams = { ...APPEND, u: { load: 'replace' as const } };
    const pair = await arena.open(streams, (sql) => `${table(sql)}; CREATE TABLE u AS SELECT * FROM t`);
    for (const [select, code] of arena.some([
      [['t'], 3],
      [undefined, 5],
    ] as const)) {
      const first = await pauseAt(pair, 'event:slice-started:1', select ? { select: [...select] } : {});
      const { holder, expiresAt } = (await pair.leases())[0] as {
        holder: { run: string; host: string };
        expiresAt: number;
      };
      const second = await (await startCommand(pair, ['run'])).ended;
      if (second.code !== code) throw new Error(`the second run ended with ${second.code}: ${second.output}`);
      for (const wanted of [holder.run, holder.host, String(first.pid), new Date(expiresAt).toISOString()])
        if (!second.output.includes(wanted))
          throw new Error(`the second run does not say "${wanted}": ${second.output}`);
      if ((await first.goOn()).some(({ status }) => status !== 'loaded'))
        throw new Error('the first run did not load');
      await runCommand(pair, ['run']);
      await arena.verify(pair, ['t', 'u']);
      await change(pair, `v || 'y'`, 'id <= 10');
    }
    await expectAtRest(pair);
    return 'lease.held, then works';
  },
};

const SLEEPS_OF_LAKES: readonly string[] = [
  'event:step/lease:1',
  'event:step/snapshot:1',
  'event:slice-started:1',
  'before:block:1',
  'event:step/staged:1',
  'event:step/publish:1',
  'after:upload:1',
  'before:commit:1',
];

/** Where a run sleeps while another one takes its table over. */
const SLEEPS: Both<readonly string[]> = {
  // The record is written and its number was free; what is left is to give it its name.
  lake: [...SLEEPS_OF_LAKES, 'before:link:2'],
  bucket: [...SLEEPS_OF_LAKES, 'before:upload:1'],
  sql: [
    'event:step/lease:1',
    'event:step/snapshot:1',
    'event:slice-started:1',
    'before:sent:1',
    'event:step/staged:1',
    'before:lock-record:1',
    'after:lock-record:1',
    'after:record-rows:1',
    'before:commit:1',
  ],
};

const SLEEPER: Attack<SqlPair> = {
  name: 'sleeper',
  part: 'kill',
  promise: 'one-at-a-time',
  tries: `stops a run with SIGSTOP at ${SLEEPS.lake.length} named steps, has its lease end (once by waiting for it), lets another run load the table, changes rows and wakes it`,
  rounds: 1,
  pairs: FROM_DATABASES,
  brief: true,
  async run(arena) {
    // The first one waits for a lease to end, which takes a minute.
    const steps = [...SLEEPS.lake.keys()].slice(arena.few ? 1 : 0);
    for (const i of arena.brief ? [0] : arena.some(steps)) {
      const pair = await arena.open(i % 2 === 0 ? MERGE : APPEND, table);
      const moment = arena.brief ? 'before:commit:1' : of(pair, SLEEPS)[i]!;
      const wait = moment === 'event:step/lease:1';
      if (wait && pair.to.type === 'lake') pair.stateOptions = { type: 'lake', connection: 'to' };
      await pair.run();
      await sleepThrough(arena, pair, { moment, wait });
    }
    return 'refused with a conflict, then works';
  },
};

const FIRST_SLEEPER: Attack<SqlPair> = {
  name: 'sleeper-first-load',
  part: 'kill',
  promise: 'one-at-a-time',
  tries: 'the same at 3 steps of a first load, when there is no table yet that could be fenced',
  rounds: 1,
  pairs: FROM_DATABASES,
  brief: false,
  async run(arena) {
    for (const i of arena.some([0, 1, 2])) {
      const pair = await arena.open(MERGE, table);
      const third = of(pair, { lake: 'before:link:3', bucket: 'before:upload:1', sql: 'before:finish:1' });
      const moment = ['event:step/staged:1', 'before:commit:1', third][i]!;
      await sleepThrough(arena, pair, { moment, wait: false });
    }
    return 'refused with a conflict, then works';
  },
};

async function sleepThrough(
  arena: Arena<SqlPair>,
  pair: SqlPair,
  { moment, wait }: { moment: string; wait: boolean },
): Promise<void> {
  arena.say(moment);
  // How long its heir waits for what it holds.
  if (pair.to.type !== 'lake') pair.to.connection = { ...pair.to.connection, lock_timeout: '20 s' };
  await change(pair, `'y'`, 'id <= 10');
  const sleeper = await pauseAt(pair, moment);
  await change(pair, `'z'`, 'id <= 5');
  if (wait) await loadWhenFree(arena, pair);
  else {
    if (expireLeases(pair) !== 1) throw new Error('the sleeper holds no lease');
    await pair.run();
  }
  const version = await pair.to.version('t');
  // Whoever wakes up has something to load, if it is let.
  await change(pair, `'a'`, 'id <= 3');
  const [outcome] = await sleeper.goOn();
  if (outcome!.status !== 'failed' || !REFUSED.includes(outcome!.code))
    throw new Error(`slept at ${moment} and was not refused: ${JSON.stringify(outcome)}`);
  if ((await pair.to.version('t')) !== version) throw new Error(`slept at ${moment} and changed the table`);
  await pair.run();
  await arena.verify(pair, ['t']);
  await expectAtRest(pair);
}

/** Tries until the lease of the sleeper has run out by itself. */
async function loadWhenFree(arena: Arena<SqlPair>, pair: SqlPair): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end;) {
    arena.signal.throwIfAborted();
    const { streams } = await pair.attempt();
    const error = streams[0]!.error;
    if (error === undefined) return;
    if (error.code !== 'lease.held') throw new Error(`${error.code}: ${error.message}`);
    arena.say('waiting for a lease to end');
    await sleep(3000);
  }
  throw new Error(`a lease outlived its time: ${JSON.stringify(await pair.leases())}`);
}

const MEETING: Attack<SqlPair> = {
  name: 'sleeper-meets-its-heir',
  part: 'kill',
  promise: 'one-at-a-time',
  tries:
    'wakes a run that was stopped right before its commit while the one that took its table over is still at work',
  rounds: 1,
  pairs: FROM_DATABASES,
  brief: false,
  async run(arena) {
    const pair = await arena.open(MERGE, table);
    await pair.run();
    await change(pair, `'y'`, 'id <= 10');
    const sleeper = await pauseAt(pair, 'before:commit:1');
    expireLeases(pair);
    // Its first commit is the fence.
    const heir = await pauseAt(pair, 'before:commit:2');
    const [refused] = await sleeper.goOn();
    if (refused!.status !== 'failed' || !REFUSED.includes(refused!.code))
      throw new Error(`the sleeper was not refused: ${JSON.stringify(refused)}`);
    const [loaded] = await heir.goOn();
    if (loaded!.status !== 'loaded') throw new Error(`the heir did not load: ${JSON.stringify(loaded)}`);
    await arena.verify(pair, ['t']);
    await expectAtRest(pair);
    return 'refused with a conflict, the other one works';
  },
};

const STRANGERS: Attack<SqlPair> = {
  name: 'strangers',
  part: 'kill',
  promise: 'one-at-a-time',
  tries: 'two processes that have no state in common load one table at once, while rows are changed',
  rounds: 3,
  pairs: FROM_DATABASES,
  brief: false,
  async run(arena) {
    const streams = arena.random.chance(0.5) ? MERGE : APPEND;
    const pair = await arena.open(streams, table);
    const stranger = await arena.open(streams);
    Object.assign(stranger.from.connection, pair.from.connection);
    const { readBy } = pair.to;
    stranger.to.connection = { ...pair.to.connection, ...('connection' in readBy && readBy.connection) };
    for (const round of arena.some([0, 1, 2, 3])) {
      await change(pair, `v || 'y'`, `id % 7 = ${round}`);
      const commands = await Promise.all([pair, stranger].map((each) => startCommand(each, ['run'])));
      const ends = await Promise.all(commands.map(({ ended }) => ended));
      const bad = ends.find(({ code }) => code !== 0 && code !== 5);
      if (bad) throw new Error(`a run ended with ${bad.code}: ${bad.output}`);
      if (ends.every(({ code }) => code !== 0))
        throw new Error(`nobody won:\n${ends.map(({ output }) => output).join('\n')}`);
    }
    await pair.run();
    await arena.verify(pair, ['t']);
    await expectAtRest(pair);
    return 'one works, the other may get a conflict; then works';
  },
};

const UPKEEP_IN_BETWEEN: Attack = {
  name: 'upkeep-in-between',
  part: 'kill',
  promise: 'one-at-a-time',
  tries:
    'a sweep that knows no grace, with and without a compaction, runs while a merge stands still at 3 named steps',
  rounds: 1,
  brief: true,
  async run(arena) {
    const pair = await arena.open(MERGE, table);
    await pair.run();
    const moments = ['before:commit:1', 'after:upload:1', 'event:step/staged:1'];
    for (const moment of arena.brief ? moments.slice(0, 1) : arena.some(moments))
      for (const compacts of arena.brief ? [true] : arena.some([true, false]))
        await tidyDuring(arena, pair, { moment, compacts });
    await expectAtRest(pair);
    return 'works';
  },
};

async function tidyDuring(
  arena: Arena,
  pair: Pair,
  { moment, compacts }: { moment: string; compacts: boolean },
): Promise<void> {
  arena.say(`${compacts ? 'compaction and sweep' : 'sweep'} at ${moment}`);
  // Several files, so that there is something to merge.
  for (const id of [1, 2]) {
    await pair.from.query(`INSERT INTO t SELECT max(id) + ${id}, 'new', clock_timestamp() FROM t`);
    await pair.run();
  }
  await change(pair, `v || 'y'`, 'true');
  const merge = await pauseAt(pair, moment);
  if (compacts) {
    await runCommand(pair, ['catalog', 'compact']);
    if ((await pair.to.state('t'))!.last.kind !== 'compact') throw new Error('there was nothing to compact');
  }
  await sweepLake(openLocalStorage(pair.to.root), { owner: thisOwner('sweep'), graceMs: 0 });
  const [outcome] = await merge.goOn();
  if (outcome!.status !== 'loaded')
    throw new Error(`the merge ${outcome!.status}: ${outcome!.code} (${moment})`);
  await arena.verify(pair, ['t']);
}

export const TWO_AT_ONCE_ATTACKS: readonly Attack<SqlPair>[] = [
  SECOND_RUN,
  SLEEPER,
  FIRST_SLEEPER,
  MEETING,
  STRANGERS,
  UPKEEP_IN_BETWEEN,
];
