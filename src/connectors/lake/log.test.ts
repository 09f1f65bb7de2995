import { mkdtemp, readdir, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TransientError } from '../../core/errors.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { copyOf } from './log.fixture.ts';
import { openLocalStorage } from '../shared/local-storage.ts';
import { commitKey, snapshotKey, snapshotsPrefix } from './layout.ts';
import { listTables, openTableLog } from './log.ts';
import type { CommitDraft } from './records.ts';

const SCHEMA = { fields: [{ name: 'id', type: 'int64', nullable: false }], key: ['id'] };
let root: string;
let storage: ObjectStorage;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-log-'));
  storage = openLocalStorage(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

function draft(run: string, more: Partial<CommitDraft> = {}): CommitDraft {
  return {
    stream: 'public.orders',
    kind: 'load',
    run,
    host: `host-of-${run}`,
    load: `load-${run}`,
    fence: 1,
    at: '2026-01-01 00:00:00+00',
    add: [],
    remove: [],
    slices: [],
    ...more,
  };
}

function file(key: string): CommitDraft['add'][number] {
  return { key, rows: 1, bytes: 10, partition: {}, schema: 0 };
}

function load(run: string, key: string): CommitDraft {
  return draft(run, { schema: SCHEMA, add: [file(key)] });
}

async function fill(table: string, commits: number, snapshotEvery = 20): Promise<void> {
  const log = openTableLog(storage, table, { snapshotEvery });
  for (let seq = 0; seq < commits; seq++)
    await log.append(
      seq === 0 ? load('r', 'f0') : draft('r', { load: `l${seq}`, add: [file(`f${seq}`)] }),
      seq,
    );
}

describe('a log', () => {
  it('of a table without commits says so', async () => {
    expect(await openTableLog(storage, 'orders').read()).toBeUndefined();
    expect(await readdir(root)).toEqual([]);
  });

  it('gives every reader what was committed', async () => {
    const writer = openTableLog(storage, 'orders', { now: () => 42 });
    const other = openTableLog(storage, 'orders');
    expect(await other.read()).toBeUndefined();
    const state = await writer.append(load('a', 'f1'), 0);
    expect(state).toMatchObject({
      version: 1,
      rows: 1,
      files: [{ key: 'f1', origin: 1 }],
      last: { run: 'a', wallMs: 42 },
    });
    expect(await other.read()).toEqual(state);
    await writer.append(draft('a', { remove: ['f1'], add: [file('f2')] }), 1);
    expect(await other.read()).toEqual(await writer.read());
    expect((await other.read())!.removed).toMatchObject([{ key: 'f1', seq: 2 }]);
  });

  it('lists tables, also those with hostile and long names', async () => {
    const names = ['_sluice', '..', 'a/b', 'o\'br"ien\n', '注文', 'x'.repeat(300), 'orders', 'order'];
    for (const name of names) await openTableLog(storage, name).append(load('a', 'f'), 0);
    expect(await listTables(storage)).toEqual(names.toSorted());
    for (const name of names) expect((await openTableLog(storage, name).read())!.table).toBe(name);
  });

  it('of 1,000 commits is read fast, with and without snapshots', async () => {
    await fill('plain', 1000, 1e9);
    await fill('snap', 1000);
    const seconds = async (table: string): Promise<number> => {
      const begin = performance.now();
      expect((await openTableLog(storage, table).read())!.files).toHaveLength(1000);
      return (performance.now() - begin) / 1000;
    };
    expect(await seconds('plain')).toBeLessThan(2);
    expect(await seconds('snap')).toBeLessThan(0.5);
  }, 60_000);
});

describe('two writers', () => {
  it('cannot both commit; the loser learns who won and has changed nothing', async () => {
    const [a, b] = [openTableLog(storage, 'orders'), openTableLog(storage, 'orders')];
    await a.append(load('a', 'f1'), 0);
    const lost = b.append(load('b', 'f2'), 0);
    await expect(lost).rejects.toMatchObject({
      recovery: 'conflict',
      code: 'lake.conflict',
      message: expect.stringMatching(/run "a" on host-of-a made commit 1 .*nothing was changed/),
    });
    expect((await b.read())!.files.map((each) => each.key)).toEqual(['f1']);
  });

  it('of any number exactly one wins', async () => {
    const tries = Array.from({ length: 12 }, (_, i) =>
      openTableLog(storage, 'orders').append(load(`r${i}`, `f${i}`), 0),
    );
    const results = await Promise.allSettled(tries);
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect((await openTableLog(storage, 'orders').read())!.rows).toBe(1);
  });

  it('of different tables do not disturb each other', async () => {
    await Promise.all(['a', 'b', 'c'].map((table) => openTableLog(storage, table).append(load('r', 'f'), 0)));
    expect(await listTables(storage)).toEqual(['a', 'b', 'c']);
  });

  it('the one that was taken over is shut out, even before the new one has loaded', async () => {
    const [old, young] = [openTableLog(storage, 'orders'), openTableLog(storage, 'orders')];
    await old.append(load('old', 'f1'), 0);
    await young.append(draft('young', { kind: 'fence', fence: 2 }), 1);
    await expect(old.append(draft('old', { add: [file('f2')] }), 1)).rejects.toMatchObject({
      code: 'lake.fenced',
      message: expect.stringMatching(/run "young".*fence 2, ours is 1/),
    });
    await expect(old.append(draft('old', { add: [file('f2')] }), 2)).rejects.toMatchObject({
      code: 'lake.fenced',
    });
    await young.append(draft('young', { fence: 2, add: [file('f2')] }), 2);
  });

  it('a log that went back is noticed', async () => {
    await openTableLog(storage, 'orders').append(load('a', 'f1'), 0);
    await expect(openTableLog(storage, 'orders').append(draft('b'), 5)).rejects.toMatchObject({
      code: 'lake.conflict',
      message: expect.stringMatching(/ends at 1/),
    });
  });
});

describe('maintenance', () => {
  const compact = (remove: string[], add: string): CommitDraft =>
    draft('m', { kind: 'compact', load: 'm', fence: 0, remove, add: [{ ...file(add), origin: 0 }] });

  it('does not make a load fail that was planned before it', async () => {
    await fill('orders', 2);
    await openTableLog(storage, 'orders').append(compact(['f0', 'f1'], 'big'), 2);
    const state = await openTableLog(storage, 'orders').append(draft('b', { add: [file('new')] }), 2);
    expect(state.files.map((each) => [each.key, each.origin])).toEqual([
      ['big', 0],
      ['new', 4],
    ]);
    expect(state.fence).toBe(1);
  });

  it('takes its place behind loads', async () => {
    await fill('orders', 3);
    const state = await openTableLog(storage, 'orders').append(compact(['f0', 'f1'], 'big'), 2);
    expect(state.files.map((each) => each.key)).toEqual(['f2', 'big']);
  });

  it('conflicts when both want the same file', async () => {
    await fill('orders', 2);
    await openTableLog(storage, 'orders').append(draft('b', { remove: ['f0'] }), 2);
    await expect(
      openTableLog(storage, 'orders').append(compact(['f0', 'f1'], 'big'), 2),
    ).rejects.toMatchObject({ code: 'lake.conflict', message: expect.stringMatching(/removes "f0"/) });
    await openTableLog(storage, 'orders').append(compact(['f1'], 'big'), 3);
    await expect(
      openTableLog(storage, 'orders').append(draft('c', { remove: ['f1'] }), 3),
    ).rejects.toMatchObject({ code: 'lake.compacted', recovery: 'conflict' });
  });

  it('keeps a writer that seemed dead from committing files that were swept', async () => {
    await fill('orders', 1);
    await openTableLog(storage, 'orders').append(draft('m', { kind: 'retain', purge: ['late'] }), 1);
    await expect(
      openTableLog(storage, 'orders').append(draft('zombie', { add: [file('late')] }), 1),
    ).rejects.toMatchObject({ code: 'lake.swept' });
    // Somebody who wrote it anew after that may use the name.
    await openTableLog(storage, 'orders').append(draft('next', { add: [file('late')] }), 2);
  });
});

describe('a commit whose answer was lost', () => {
  it('is recognised when it is made again', async () => {
    let losing = true;
    const putIfAbsent = async (key: string, bytes: Uint8Array): Promise<boolean> => {
      const won = await storage.putIfAbsent(key, bytes);
      if (!losing || !key.includes('/commits/')) return won;
      losing = false;
      throw new TransientError('connection lost', { code: 'test' });
    };
    const log = openTableLog({ ...copyOf(storage), putIfAbsent }, 'orders');
    await expect(log.append(load('a', 'f1'), 0)).rejects.toThrow('connection lost');
    expect((await log.append(load('a', 'f1'), 0)).version).toBe(1);
    expect((await openTableLog(storage, 'orders').read())!.rows).toBe(1);
  });
});

describe('a commit that contradicts the state', () => {
  it('is refused as a mistake of the program', async () => {
    await fill('orders', 1);
    await expect(
      openTableLog(storage, 'orders').append(draft('a', { add: [file('f0')] }), 1),
    ).rejects.toMatchObject({ code: 'lake.commit_invalid', recovery: 'internal' });
  });
});

describe('snapshots', () => {
  const snapshots = async (): Promise<string[]> =>
    (await storage.list(snapshotsPrefix('orders'))).map((each) => each.key);

  it('are written now and then, and the old ones go', async () => {
    await fill('orders', 105);
    expect(await snapshots()).toEqual([60, 80, 100].map((seq) => snapshotKey('orders', seq)));
  });

  it('say the same as the commits', async () => {
    await fill('orders', 45);
    const withSnapshots = await openTableLog(storage, 'orders').read();
    await storage.delete(await snapshots());
    expect(await openTableLog(storage, 'orders').read()).toEqual(withSnapshots);
  });

  it.each(['', '{', '{"format":1}', '{"format":99}'])('that hold %j are done without', async (content) => {
    await fill('orders', 45);
    const expected = await openTableLog(storage, 'orders').read();
    for (const key of await snapshots()) await writeFile(join(root, key), content);
    expect(await openTableLog(storage, 'orders').read()).toEqual(expected);
  });

  it('that cannot be written do no harm', async () => {
    const log = openTableLog({ ...copyOf(storage), put: () => Promise.reject(new Error('full')) }, 'orders', {
      snapshotEvery: 1,
    });
    await log.append(load('a', 'f1'), 0);
    expect((await log.read())!.version).toBe(1);
    expect(await snapshots()).toEqual([]);
  });

  it('do not hide that commits are gone', async () => {
    await fill('orders', 40);
    await unlink(join(root, commitKey('orders', 40)));
    await expect(openTableLog(storage, 'orders').read()).rejects.toMatchObject({
      code: 'lake.commit_missing',
    });
  });
});

describe('damage', () => {
  it.each([3, 25])('a missing commit %i is named', async (seq) => {
    await fill('orders', 30, 1e9);
    await unlink(join(root, commitKey('orders', seq)));
    await expect(openTableLog(storage, 'orders').read()).rejects.toMatchObject({
      recovery: 'config',
      code: 'lake.commit_missing',
      message: expect.stringContaining(commitKey('orders', seq)),
      remedy: expect.stringMatching(/restore/),
    });
  });

  it('nothing is committed on top of a log that was removed meanwhile', async () => {
    await fill('orders', 3);
    const log = openTableLog(storage, 'orders');
    await log.read();
    for (const seq of [1, 2, 3]) await unlink(join(root, commitKey('orders', seq)));
    await expect(log.append(draft('a'), 3)).rejects.toMatchObject({ code: 'lake.commit_missing' });
    expect(await openTableLog(storage, 'orders').read()).toBeUndefined();
  });

  it('a corrupt commit is named, and nothing can be committed on top', async () => {
    await fill('orders', 3);
    await writeFile(join(root, commitKey('orders', 2)), '{"format":1,');
    await expect(openTableLog(storage, 'orders').read()).rejects.toMatchObject({
      code: 'lake.commit_corrupt',
      message: expect.stringContaining(commitKey('orders', 2)),
    });
    await expect(openTableLog(storage, 'orders').append(draft('a'), 3)).rejects.toMatchObject({
      code: 'lake.commit_corrupt',
    });
  });

  it('a commit of another table is refused', async () => {
    await fill('orders', 1);
    await storage.put(commitKey('Orders2', 1), (await storage.get(commitKey('orders', 1)))!);
    await expect(openTableLog(storage, 'Orders2').read()).rejects.toMatchObject({
      code: 'lake.commit_invalid',
    });
  });

  it('files that are no commits are ignored', async () => {
    await fill('orders', 2);
    await writeFile(join(root, '_sluice/tables/orders/commits/.DS_Store'), 'x');
    await writeFile(join(root, '_sluice/tables/orders/commits/notes.txt'), 'x');
    expect((await openTableLog(storage, 'orders').read())!.version).toBe(2);
    expect((await stat(join(root, commitKey('orders', 2)))).size).toBeGreaterThan(0);
  });

  it('a commit that a listing does not show yet is found by its name', async () => {
    await fill('orders', 5);
    const blind = {
      ...copyOf(storage),
      list: async (prefix: string) =>
        (await storage.list(prefix)).filter((each) => each.key !== commitKey('orders', 3)),
    };
    expect((await openTableLog(blind, 'orders').read())!.rows).toBe(5);
  });
});
