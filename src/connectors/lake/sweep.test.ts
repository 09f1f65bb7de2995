import { existsSync } from 'node:fs';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyOf, type FixtureLake, makeLake, schemaOf } from './log.fixture.ts';
import { dataKey } from './layout.ts';
import {
  ownerKey,
  stagingFolder,
  type StagingOwner,
  announceOwner,
  dismissOwner,
  thisOwner,
} from '../shared/staging.ts';
import { openTableLog } from './log.ts';
import { sweepLake, type SweepOptions, type SweepReport } from './sweep.ts';

const HOUR = 3_600_000;
const SCHEMA = schemaOf('id int32');
const ME = thisOwner('sweeper');
let lake: FixtureLake;
beforeEach(async () => {
  lake = await makeLake();
  await lake.load('t', { schema: SCHEMA, load: 'a', rows: 'SELECT 1::INT AS id' });
});
afterEach(() => lake.close());

function sweep(more: Partial<SweepOptions> = {}): Promise<SweepReport> {
  return sweepLake(lake.storage, { owner: ME, ...more });
}

/** Puts a file with our kind of name into the table's folder, `ageMs` old. */
async function leave(name: string, ageMs: number): Promise<string> {
  const key = dataKey({ table: 't', partition: {}, slice: name, part: 0 });
  await put(key, ageMs);
  return key;
}

async function put(key: string, ageMs: number): Promise<void> {
  await lake.storage.put(key, Buffer.from('x'));
  const time = (Date.now() - ageMs) / 1000;
  await utimes(lake.storage.localPath(key), time, time);
}

async function keys(prefix = 't/'): Promise<string[]> {
  return (await lake.storage.list(prefix)).map((object) => object.key);
}

describe('leftover files', () => {
  it('go when they are old and no writer is alive; live files, young files and strangers stay', async () => {
    const live = (await keys())[0]!;
    const old = await leave('old', 2 * HOUR);
    const young = await leave('young', HOUR / 2);
    await put('t/notes.parquet', 9 * HOUR);
    await put('other/x_y_0.parquet', 9 * HOUR);
    expect(await sweep()).toMatchObject({
      leftovers: [old],
      expired: [],
      staging: [],
      bytes: 1,
      skipped: [],
    });
    expect((await keys()).toSorted()).toEqual([live, young, 't/notes.parquet'].toSorted());
    expect(await keys('other/')).toHaveLength(1);
  });

  it('stay while a writer is alive that may have written them, however old they are', async () => {
    const before = await leave('before', 10 * HOUR);
    const during = await leave('during', 5 * HOUR);
    const other: StagingOwner = { host: 'elsewhere', pid: 1, run: 'long' };
    await put(ownerKey(other), 8 * HOUR);
    await announceOwner(lake.storage, other);
    expect((await sweep()).leftovers).toEqual([before]);
    expect(await keys()).toContain(during);
    await dismissOwner(lake.storage, other);
    expect((await sweep()).leftovers).toEqual([during]);
  });

  it('of the caller itself go at once, but never when they were committed', async () => {
    const [live] = await keys();
    const mine = await leave('mine', 0);
    await announceOwner(lake.storage, ME);
    expect((await sweep({ ours: [mine, live!] })).leftovers).toEqual([mine]);
    expect(await keys()).toEqual([live]);
    expect(await keys(stagingFolder(ME))).toEqual([ownerKey(ME)]);
  });

  it('that a writer back from the dead wants to commit are refused, and all others are not', async () => {
    const late = await leave('late', 2 * HOUR);
    const zombie = openTableLog(lake.storage, 't');
    const { version } = (await zombie.read())!;
    await sweep();
    const more = { add: [{ key: late, rows: 1, bytes: 1, partition: {}, schema: 0 }] };
    const commit = {
      stream: 's',
      kind: 'load',
      run: 'z',
      load: 'z',
      fence: 1,
      at: 'x',
      remove: [],
      slices: [],
    } as const;
    await expect(
      zombie.append({ ...commit, remove: [], slices: [], ...more }, version),
    ).rejects.toMatchObject({ code: 'lake.swept', recovery: 'conflict' });
    const fresh = { add: [{ ...more.add[0]!, key: await leave('fresh', 0) }] };
    expect(
      (await zombie.append({ ...commit, remove: [], slices: [], ...fresh }, version)).files,
    ).toHaveLength(2);
  });

  it('that are committed while the sweep looks stay', async () => {
    const key = await leave('racing', 2 * HOUR);
    const { storage } = lake;
    let raced = false;
    const racing = {
      ...copyOf(lake.storage),
      putIfAbsent: async (name: string, bytes: Uint8Array) => {
        if (!raced && name.includes('/commits/')) {
          raced = true;
          await lake.load('t', {
            schema: SCHEMA,
            load: 'b',
            rows: 'SELECT 1',
            more: { add: [{ key, rows: 1, bytes: 1, partition: {}, schema: 0 }] },
          });
        }
        return storage.putIfAbsent(name, bytes);
      },
    };
    const report = await sweepLake(racing, { owner: ME });
    expect(report).toMatchObject({
      leftovers: [],
      skipped: [{ table: 't', reason: expect.stringMatching(/purges/) }],
    });
    expect(await keys()).toContain(key);
  });
});

describe('removed files', () => {
  it('are kept for their time, then go, and the log forgets them', async () => {
    const log = openTableLog(lake.storage, 't');
    const [gone] = (await log.read())!.files;
    await lake.load('t', {
      schema: SCHEMA,
      load: 'b',
      rows: 'SELECT 2::INT AS id',
      more: { remove: [gone!.key] },
    });
    expect(await sweep({ retentionMs: HOUR, now: () => Date.now() + HOUR / 2 })).toMatchObject({
      expired: [],
      leftovers: [],
    });
    expect(await keys()).toContain(gone!.key);
    expect(await sweep({ retentionMs: HOUR, now: () => Date.now() + 2 * HOUR })).toMatchObject({
      expired: [gone!.key],
      bytes: gone!.bytes,
    });
    expect(await keys()).not.toContain(gone!.key);
    expect(await log.read()).toMatchObject({ removed: [], rows: 1, version: 3 });
    expect(await sweep({ now: () => Date.now() + 2 * HOUR })).toMatchObject({ expired: [], leftovers: [] });
    expect((await log.read())!.version).toBe(3);
  });
});

describe('staging folders', () => {
  it('go when their owner is dead', async () => {
    const dead: StagingOwner = { ...ME, pid: 4_194_304, run: 'dead' };
    const alive: StagingOwner = { ...ME, run: 'other' };
    for (const owner of [dead, alive, ME]) await put(`${stagingFolder(owner)}f.parquet`, 3 * HOUR);
    await put('_sluice/staging/unknown/f', 3 * HOUR);
    expect((await sweep()).staging).toEqual([`${stagingFolder(dead)}f.parquet`]);
    expect(await keys(stagingFolder(alive))).toHaveLength(1);
  });

  it('go with files that are still empty, which no listing shows', async () => {
    const dead: StagingOwner = { ...ME, pid: 4_194_304, run: 'dead' };
    await announceOwner(lake.storage, dead);
    const folder = lake.storage.localPath(stagingFolder(dead).replace(/\/$/, ''));
    await mkdir(join(folder, '0'));
    await writeFile(join(folder, '0', 'f.parquet'), '');
    expect((await sweep()).staging).toHaveLength(1);
    expect(existsSync(folder)).toBe(false);
  });

  it('of other machines go when they have been silent for long', async () => {
    const other: StagingOwner = { host: 'elsewhere', pid: process.pid, run: 'r' };
    await put(`${stagingFolder(other)}old`, 30 * HOUR);
    await put('_sluice/staging/unknown/f', 30 * HOUR);
    await announceOwner(lake.storage, other);
    expect((await sweep()).staging).toEqual(['_sluice/staging/unknown/f']);
    await lake.storage.delete([ownerKey(other)]);
    expect((await sweep()).staging).toEqual([`${stagingFolder(other)}old`]);
  });
});

describe('a sweep', () => {
  it('can only look', async () => {
    const old = await leave('old', 2 * HOUR);
    expect((await sweep({ dryRun: true })).leftovers).toEqual([old]);
    expect(await keys()).toContain(old);
    expect((await openTableLog(lake.storage, 't').read())!.version).toBe(1);
  });

  it('leaves tables alone whose log cannot be read, and goes on with the others', async () => {
    const old = await leave('old', 2 * HOUR);
    await lake.load('a', { schema: SCHEMA, load: 'a', rows: 'SELECT 1::INT AS id' });
    await lake.storage.put('_sluice/tables/a/commits/00000000000000000001.json', Buffer.from('{'));
    expect(await sweep()).toMatchObject({
      leftovers: [old],
      skipped: [{ table: 'a', reason: expect.stringMatching(/not JSON/) }],
    });
    expect(await keys('a/')).toHaveLength(1);
  });
});
