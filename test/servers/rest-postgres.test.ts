/** Records of an API on their way into PostgreSQL, while processes die, connections break, disks fill, and others do the same. */
import { mkdirSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_ROOT, mountDisk } from '../../guarantees/faults/destination-ground.ts';
import { Proxy } from '../../guarantees/faults/proxy.ts';
import { Pair } from '../../guarantees/pair.ts';
import { pauseAt } from '../../guarantees/pause.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import { Random } from '../../guarantees/random.ts';
import { type PostgresServer, startPostgres } from '../../src/testing/postgres-server.ts';
import { RestSide } from '../support/rest-side.ts';
import { useServer } from '../support/server.ts';

type Load = 'merge' | 'append' | 'replace';
type RestPair = Pair<RestSide, PostgresTargetSide>;

const LOADS = ['merge', 'append', 'replace'] as const;
const server = useServer();

/** 2000 records are loaded, and then 700 have changed or come. */
async function open(load: Load, on: PostgresServer = server()): Promise<RestPair> {
  const from = await RestSide.open();
  const to = await PostgresTargetSide.open(on);
  const stream = { load, key: 'id', ...(load !== 'replace' && { cursor: 'seq' }) };
  const pair = new Pair(from, () => to, { t: stream });
  from.write(1, 2000);
  await pair.run();
  change(pair, load);
  return pair;
}

function change(pair: RestPair, load: Load): void {
  const { records } = pair.from;
  const next = records.size + 1;
  // What is appended are versions, and the API has the newest one only.
  if (load !== 'append') pair.from.write(next - 400, next - 1);
  pair.from.write(next, next + 599);
}

/** All there is, once, and nothing of work that was not finished. */
async function whole(pair: RestPair): Promise<void> {
  expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
  await pair.to.settled();
  expect(await pair.to.leftovers()).toEqual([]);
  expect(await pair.leases()).toEqual([]);
}

async function heals(pair: RestPair): Promise<void> {
  await pair.run();
  await whole(pair);
}

const MOMENTS: Record<Load, string[]> = {
  merge: ['after:sent:1', 'after:update:1', 'after:record-rows:1', 'during:commit:1'],
  append: ['after:sent:1', 'after:record-rows:1', 'during:commit:1'],
  replace: ['after:commit-aside:1', 'after:drop:1', 'during:commit:1'],
};
const RESTARTED = [
  ['merge', 'after:update:1'],
  ['append', 'during:commit:1'],
  ['replace', 'after:drop:1'],
] as const;
const EACH = LOADS.flatMap((load) => MOMENTS[load].map((moment) => [load, moment] as const));

describe.each(EACH)('%s, %s', (load, moment) => {
  it('another one is refused, it is killed, and the next one heals it', async () => {
    await using pair = await open(load);
    const paused = await pauseAt(pair, moment);
    // Another one is refused as long as it lives.
    const { error } = (await pair.attempt()).streams[0]!;
    expect(error?.code).toBe('lease.held');
    await paused.kill();
    await heals(pair);
  });
});

it.each(LOADS)('%s: two begin at the same moment, time after time', async (load) => {
  await using pair = await open(load);
  for (let round = 0; round < 3; round++) {
    const both = await Promise.all([pair.attempt(), pair.attempt()]);
    const codes = both.map(({ streams }) => streams[0]!.error?.code);
    expect(codes.every((code) => code === undefined || code === 'lease.held')).toBe(true);
    expect(codes).toContain(undefined);
    await whole(pair);
    change(pair, load);
  }
  await heals(pair);
});

it.each(LOADS)('%s: connections to the database break at random bytes', async (load) => {
  const random = new Random(load.length);
  await using pair = await open(load);
  await using proxy = await Proxy.open(pair.to.server);
  pair.to.connection = { ...pair.to.connection, url: proxy.url(pair.to.url) };
  for (let run = 0; run < 6; run++) {
    const first = proxy.connections + random.int(0, 5);
    proxy.treat = (n) =>
      n === first
        ? {
            kind: 'cut',
            direction: random.pick(['up', 'down'] as const),
            after: Math.round(2 ** (random.next() * 16)),
            how: random.pick(['end', 'reset'] as const),
          }
        : { kind: 'pass' };
    const { error } = (await pair.attempt()).streams[0]!;
    expect([undefined, 'postgres.connection_lost']).toContain(error?.code);
    proxy.heal();
    if (!error) await whole(pair);
    if (random.int(0, 1) === 0) change(pair, load);
  }
  expect(proxy.struck).toBeGreaterThan(2);
  await heals(pair);
});

it.each(LOADS)('%s: nobody knows whether a COMMIT was done, and it was', async (load) => {
  await using pair = await open(load);
  await using proxy = await Proxy.open(pair.to.server);
  pair.to.connection = { ...pair.to.connection, url: proxy.url(pair.to.url) };
  for (let nth = 1; nth <= 3; nth++) {
    let commits = 0;
    proxy.treat = () => ({ kind: 'deaf', text: 'COMMIT', isIt: () => ++commits === nth });
    await pair.attempt();
    proxy.heal();
    await pair.to.settled();
    await heals(pair);
    change(pair, load);
  }
  expect(proxy.struck).toBeGreaterThan(0);
  await heals(pair);
});

it.each(LOADS)('%s: the API fails for good in the midst of its pages', async (load) => {
  await using pair = await open(load);
  const before = await pair.to.lines('t', 'history');
  for (const instead of [
    { status: 400, json: { message: 'no' } },
    { text: '{"data":[{"id":1' },
    (response: { destroy: () => unknown }): void => void response.destroy(),
  ]) {
    pair.from.instead = ({ query }) => (Number(query['offset']) > 0 ? instead : undefined);
    const { error } = (await pair.attempt()).streams[0]!;
    expect(['http.rejected', 'rest.body', 'http.connection']).toContain(error?.code);
    expect(await pair.to.lines('t', 'history')).toEqual(before);
  }
  pair.from.instead = () => undefined;
  await heals(pair);
});

describe('a server of its own', () => {
  let own: PostgresServer;
  beforeAll(async () => {
    own = await startPostgres({});
  });
  afterAll(() => own.stop());

  it.each(RESTARTED)('%s, %s: it restarts as after a crash', async (load, moment) => {
    await using pair = await open(load, own);
    const paused = await pauseAt(pair, moment);
    await pair.to.restart('crash');
    const [outcome] = await paused.goOn();
    const lost = ['postgres.connection_lost', 'postgres.shutting_down'];
    expect([undefined, ...lost]).toContain(outcome!.code);
    if (outcome!.code === undefined) await whole(pair);
    await heals(pair);
  });

  it.each(LOADS)('%s: its disk is full', async (load) => {
    await using pair = await open(load, own);
    const folder = path.join(pair.folder, 'disk');
    using disk = mountDisk(folder, 'size=24m,mode=777');
    if (!disk) {
      console.log(NO_ROOT);
      return;
    }
    const space = path.join(folder, 'space');
    mkdirSync(space);
    const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${own.pid}/status`, 'utf8'))![1]!;
    spawnSync('chmod', ['755', pair.folder]);
    spawnSync('chown', [`${uid}:${uid}`, space]);
    const database = new URL(pair.to.url).pathname.slice(1);
    await pair.to.query(`CREATE TABLESPACE small_${database} LOCATION '${space}'`);
    await pair.to.query(`ALTER TABLE t SET TABLESPACE small_${database}`);
    await pair.to.query(`ALTER DATABASE ${database} SET default_tablespace = small_${database}`);
    pair.from.write(3000, 12_000);
    const before = await pair.to.lines('t', 'history');
    disk.fill(100);
    const { error } = (await pair.attempt()).streams[0]!;
    expect(error?.code).toBe('postgres.exhausted');
    disk.free();
    expect(await pair.to.lines('t', 'history')).toEqual(before);
    await heals(pair);
    await pair.to.query(`ALTER DATABASE ${database} RESET default_tablespace`);
    await pair.to.query('DROP SCHEMA _sluice CASCADE; DROP TABLE t');
    await pair.to.query(`DROP TABLESPACE small_${database}`);
  });
});
