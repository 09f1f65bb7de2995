/** Disks that are full, have no inode left, or refuse large files, at each place where a run writes. */
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { LEAST_MEMORY } from '../../src/core/memory.ts';
import type { RunOptions } from '../../src/engine/types.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import {
  addRows,
  changeRows,
  type Disk,
  diskOf,
  meetEverywhere,
  mountDisk,
  NO_ROOT,
  openShop,
  runInChild,
  TABLES,
  FAULT,
  onDisk,
} from './destination-ground.ts';
import { mustFail, mustHeal, seen, expectVisible } from './expect.ts';

const FULL = ['disk.full', 'storage.disk_full'];

const staging: Attack = {
  ...FAULT,
  name: 'disk-full-staging',
  tries: 'The disk of the lake becomes full while a first load, and then an increment, are written to it',
  brief: true,
  run: onDisk('size=24m', async (arena, pair, disk) => {
    const codes: string[] = [];
    // The first load, then an increment.
    for (const first of arena.brief ? [1000] : [1000, 3000]) {
      await addRows(pair, first, arena.brief ? 200 : 500, 64);
      codes.push(await meetFull(arena, pair, disk, { leavePages: 50 }));
    }
    return `${codes[0]}, then whole`;
  }),
};

async function meetFull(
  arena: Arena,
  pair: Pair,
  disk: Disk,
  how: { leavePages?: number; at?: 'publish' | 'staged'; names?: readonly string[] } = {},
): Promise<string> {
  const options: RunOptions = {
    onEvent(event) {
      if (event.kind === 'step' && event.step === how.at) disk.fill(how.leavePages);
    },
  };
  return meetEverywhere(arena, pair, {
    inject: () => (how.at ? options : disk.fill(how.leavePages)),
    expected: { codes: FULL, names: how.names ?? [disk.folder] },
    heal: () => disk.free(),
  });
}

const moving: Attack = {
  ...FAULT,
  name: 'disk-full-moving',
  tries: 'Scratch files are on another disk, and that of the lake becomes full while they are moved there',
  run: onDisk('size=24m', async (arena, pair, disk) => {
    using scratch = mountDisk(path.join(pair.folder, 'scratch'), 'size=64m');
    if (!scratch) return NO_ROOT;
    mkdirSync(path.join(disk.folder, 'lake/_sluice'), { recursive: true });
    symlinkSync(scratch.folder, path.join(disk.folder, 'lake/_sluice/staging'));
    await mustHeal(arena, pair, TABLES);
    await addRows(pair, 1000, 500, 64);
    return `${await meetFull(arena, pair, disk, { leavePages: 20 })}, then whole`;
  }),
};

const commit: Attack = {
  ...FAULT,
  name: 'disk-full-commit',
  tries: 'The disk becomes full between the last data file and the commit record',
  run: onDisk('size=24m', async (arena, pair, disk) => {
    await meetFull(arena, pair, disk, { at: 'publish' });
    await addRows(pair, 100, 10);
    await changeRows(pair, 'changed ');
    await meetFull(arena, pair, disk, { at: 'publish' });
    return 'storage.disk_full or disk.full, then whole';
  }),
};

const spill: Attack = {
  ...FAULT,
  name: 'disk-full-spill',
  tries:
    'A load that sorts by partition, or compares with the table, needs more scratch space than the disk has',
  async run(arena) {
    const pair = await arena.open(
      {},
      ['sorted', 'compared']
        .map(
          (table) =>
            `CREATE TABLE ${table} (id int PRIMARY KEY, part int, body text, updated_at timestamptz DEFAULT now())`,
        )
        .join(';'),
    );
    pair.to.connection = { type: 'lake', path: './disk/lake' };
    using disk = mountDisk(diskOf(pair), 'size=600m');
    if (!disk) return NO_ROOT;
    const insert = async (table: string, first: number, rows: number): Promise<unknown> =>
      pair.from.query(
        `INSERT INTO ${table} (id, part, body) SELECT i, i % 5, repeat(md5(i::text), 100)
         FROM generate_series(${first}, ${first + rows - 1}) i`,
      );
    pair.streams = {
      'public.sorted': { load: 'merge', cursor: 'updated_at', partition_by: { column: 'part', by: 'value' } },
    };
    await insert('sorted', 1, 60_000);
    const codes = [await meetSpill(arena, pair, disk, 'sorted')];
    // What is compared with the table is collected first.
    pair.streams = { 'public.compared': { load: 'append', cursor: 'updated_at' } };
    pair.memoryBytes = LEAST_MEMORY;
    await insert('compared', 1, 10);
    await pair.run();
    await insert('compared', 100, 50_000);
    codes.push(await meetSpill(arena, pair, disk, 'compared'));
    return `${[...new Set(codes)].join(', ')}, then whole`;
  },
};

async function meetSpill(arena: Arena, pair: Pair, disk: Disk, table: string): Promise<string> {
  const before = await seen(pair, [table]);
  disk.fill(100);
  arena.tally.faults++;
  const code = await mustFail(pair, { codes: ['disk.full'], names: [disk.folder] });
  await expectVisible(pair, [table], before);
  const leftovers = await pair.to.leftovers();
  if (leftovers.length > 0) throw new Error(`the failed run left ${leftovers.join(', ')}`);
  disk.free();
  await mustHeal(arena, pair, [table]);
  return code;
}

const stateStore: Attack = {
  ...FAULT,
  name: 'disk-full-state',
  tries: 'The disk of the state file is full, from the last byte to the last of twenty pages',
  async run(arena) {
    const pair = await openShop(arena);
    using disk = mountDisk(path.join(pair.folder, '.sluice'), 'size=2m');
    if (!disk) return NO_ROOT;
    let id = 100;
    for (const leavePages of [0, 1, 2, 4, 8, 10, 12, 14, 16, 20]) {
      await addRows(pair, (id += 10), 2);
      const before = await seen(pair, TABLES);
      disk.fill(leavePages);
      arena.tally.faults++;
      // In a process of its own: what it could not give back is taken from the dead.
      const { errors } = await runInChild(pair);
      const failed = errors.filter((error) => error !== undefined);
      for (const error of failed) {
        if (
          !['state.disk_full'].includes(error.code) ||
          !error.message.includes(disk.folder) ||
          !error.remedy
        )
          throw new Error(`${leavePages} pages left: ${error.code}: ${error.message}; ${error.remedy}`);
      }
      if (failed.length === errors.length) await expectVisible(pair, TABLES, before);
      disk.free();
      await mustHeal(arena, pair, TABLES);
    }
    return 'state.disk_full or a warning, then whole';
  },
};

const snapshot: Attack = {
  ...FAULT,
  name: 'disk-full-snapshot',
  tries: 'The disk has room for a commit, but not for the snapshot of the log that follows it',
  run: onDisk('size=24m', async (arena, pair, disk) => {
    await pair.run();
    const { checkpoint, version } = (await pair.to.state('notes'))!;
    for (let seq = version + 1; seq < 20; seq++) await pair.to.commitCheckpoint('notes', checkpoint!);
    await pair.from.query(`INSERT INTO notes (id, body) VALUES (99, 'the twentieth')`);
    pair.streams = { 'public.notes': pair.streams['public.notes']! };
    arena.tally.faults++;
    const published = await pair.run({
      onEvent: (event) => {
        if (event.kind === 'step' && event.step === 'publish') disk.fill(1);
      },
    });
    if (published.status !== 'loaded') throw new Error(`the load was ${published.status}`);
    if ((await pair.to.state('notes'))!.version !== 20) throw new Error('the twentieth commit is not there');
    disk.free();
    await mustHeal(arena, pair, ['notes']);
    return 'works: readers do without the snapshot';
  }),
};

const inodes: Attack = {
  ...FAULT,
  name: 'no-inodes',
  tries: 'The file system of the lake has space, but cannot hold more files',
  run: onDisk('size=24m,nr_inodes=300', async (arena, pair, disk) => {
    for (const leave of [0, 1, 2, 3, 4]) {
      await addRows(pair, 1000 + leave * 10, 3);
      const fault = {
        inject: () => disk.fillInodes(leave),
        expected: { codes: FULL, names: [disk.folder] },
        heal: () => disk.free(),
      };
      await meetEverywhere(arena, pair, fault);
    }
    return 'storage.disk_full or disk.full, then whole';
  }),
};

const fileLimit: Attack = {
  ...FAULT,
  name: 'file-size-limit',
  tries: 'The process may not write files of more than 1 MiB (ulimit -f)',
  async run(arena) {
    const pair = await openShop(arena);
    await pair.run();
    await addRows(pair, 1000, 1000, 192);
    const code = await meetEverywhere(arena, pair, {
      inject: () => undefined,
      run: async () => (await runInChild(pair, { shell: 'ulimit -f 2048' })).errors,
      expected: { codes: ['disk.file_limit', 'storage.file_limit'], names: [pair.folder] },
      heal: () => undefined,
    });
    return `${code}, then whole`;
  },
};

export const DISK_FAULTS: readonly Attack[] = [
  staging,
  moving,
  commit,
  spill,
  stateStore,
  snapshot,
  inodes,
  fileLimit,
];
