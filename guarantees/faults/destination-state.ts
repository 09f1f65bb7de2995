/** The state file is deleted, newer, damaged, locked, unwritable, or another project's. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { pauseAt } from '../pause.ts';
import {
  addRows,
  changeRows,
  giveAway,
  hasUnprivileged,
  meetEverywhere,
  openShop,
  runInChild,
  TABLES,
  tablesOf,
  FAULT,
} from './destination-ground.ts';
import { errorOf, expectError, mustHeal } from './expect.ts';

function stateOf(pair: Pair): string {
  return path.join(pair.folder, '.sluice/state.db');
}

function removeState(pair: Pair): void {
  for (const end of ['', '-wal', '-shm']) rmSync(stateOf(pair) + end, { force: true });
}

async function change(pair: Pair, first: number): Promise<void> {
  await addRows(pair, first, 3);
  await changeRows(pair, `since ${first} `);
}

const deleted: Attack = {
  ...FAULT,
  name: 'state-deleted',
  tries:
    'The state file is deleted between runs, and while a run is at work beside which another one then starts',
  brief: true,
  async run(arena) {
    const pair = await openShop(arena);
    await pair.run();
    await change(pair, 100);
    removeState(pair);
    arena.tally.faults++;
    await mustHeal(arena, pair, tablesOf(pair));
    if (arena.brief) return 'works';
    await change(pair, 200);
    // It holds the leases in a file that is gone; the second one gets leases of its own, and the commits tell them apart.
    const paused = await pauseAt(pair, 'before:commit:1');
    removeState(pair);
    arena.tally.faults++;
    await mustHealBeside(pair);
    const [first] = await paused.goOn();
    if (first?.code !== 'lake.conflict' && first?.code !== 'lake.fenced')
      throw new Error(`the run that was overtaken ended with ${first?.status} ${first?.code}`);
    await change(pair, 300);
    await mustHeal(arena, pair, tablesOf(pair));
    return 'works; of two runs with different state files one gets lake.conflict';
  },
};

async function mustHealBeside(pair: Pair): Promise<void> {
  const error = await errorOf(pair);
  if (error) throw new Error(`the second run failed: ${error.code}: ${error.message}`);
}

const newer: Attack = {
  ...FAULT,
  name: 'state-newer',
  tries: 'A newer version of Sluice has used the state file, before the run or during it',
  brief: true,
  async run(arena) {
    const pair = await openShop(arena);
    await pair.run();
    await change(pair, 100);
    const version = userVersion(pair);
    const code = await meetEverywhere(arena, pair, {
      inject: () => void userVersion(pair, 99),
      expected: { codes: ['state.newer_version'], names: [stateOf(pair)] },
      heal: () => void userVersion(pair, version),
    });
    if (arena.brief) return `${code}, then whole`;
    await change(pair, 200);
    arena.tally.faults++;
    // It has its leases and goes on: what it loads depends on the lake alone.
    const error = await errorOf(pair, {
      onEvent: (event) => void (event.kind === 'stream-planned' && userVersion(pair, 99)),
    });
    if (error) expectError(error, { codes: ['state.newer_version'], names: [stateOf(pair)] });
    userVersion(pair, version);
    // Leases that could not be given back are this living process's until they end.
    removeState(pair);
    await mustHeal(arena, pair, tablesOf(pair));
    return `${code}, then whole`;
  },
};

function userVersion(pair: Pair, set?: number): number {
  const db = new DatabaseSync(stateOf(pair));
  try {
    if (set !== undefined) db.exec(`PRAGMA user_version = ${set}`);
    return Number(db.prepare('PRAGMA user_version').get()!['user_version']);
  } finally {
    db.close();
  }
}

const corrupted: Attack = {
  ...FAULT,
  name: 'state-corrupted',
  tries: 'Random bytes of the state file are changed, it is emptied, cut, or overwritten with text',
  rounds: 3,
  async run(arena) {
    const pair = await openShop(arena);
    await pair.run();
    const codes = new Set<string>();
    for (const [i, damage] of damages(arena).entries()) {
      await change(pair, 100 + i * 10);
      fold(pair);
      damage(stateOf(pair));
      arena.tally.faults++;
      const error = await errorOf(pair);
      if (error) {
        expectError(error, {
          codes: ['state.corrupt', 'state.foreign', 'state.newer_version'],
          names: [stateOf(pair)],
        });
        codes.add(error.code);
        // The remedy of the message.
        removeState(pair);
      }
      const health = await errorOf(pair);
      if (health) {
        expectError(health, {
          codes: ['state.corrupt', 'state.foreign', 'state.newer_version'],
          names: [stateOf(pair)],
        });
        removeState(pair);
      }
      await mustHeal(arena, pair, TABLES);
      if (error || health) continue;
      removeState(pair);
      await pair.run();
    }
    return 'works or state.corrupt, then whole';
  },
};

/** Moves everything from the write-ahead log into the file. */
function fold(pair: Pair): void {
  const db = new DatabaseSync(stateOf(pair));
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  for (const end of ['-wal', '-shm']) if (existsSync(stateOf(pair) + end)) rmSync(stateOf(pair) + end);
}

function damages({ random, brief }: Arena): ((file: string) => void)[] {
  const scatter = (count: number) => (file: string) => {
    const bytes = readFileSync(file);
    for (let i = 0; i < count; i++) bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
    writeFileSync(file, bytes);
  };
  const some = [scatter(10), scatter(200), (file: string) => truncateSync(file, 0)];
  if (brief) return some;
  return [
    ...some,
    scatter(1),
    scatter(3),
    scatter(50),
    scatter(2000),
    (file) => truncateSync(file, random.int(1, 4095)),
    (file) => truncateSync(file, random.int(4097, 12_000)),
    (file) => writeFileSync(file, 'this is not a database\n'.repeat(random.int(1, 500))),
  ];
}

const unwritable: Attack = {
  ...FAULT,
  name: 'state-unwritable',
  tries: 'The folder of the state file, or the file itself, may not be written by this user',
  async run(arena) {
    if (!hasUnprivileged()) return 'skipped: there is no user without rights who can read this program';
    const pair = await openShop(arena);
    await pair.run();
    chmodSync(pair.folder, 0o755);
    for (const [i, { place, mode }] of [
      { place: '.sluice', mode: 0o555 },
      { place: '.sluice/state.db', mode: 0o444 },
    ].entries()) {
      await change(pair, 100 + i * 10);
      giveAway(pair.folder);
      const target = path.join(pair.folder, place);
      await meetEverywhere(arena, pair, {
        inject() {
          fold(pair);
          giveAway(pair.folder);
          chmodSync(target, mode);
        },
        run: async () => (await runInChild(pair, { unprivileged: true })).errors,
        expected: { codes: ['state.unwritable'], names: [stateOf(pair)] },
        heal: () => chmodSync(target, 0o755),
      });
    }
    return 'state.unwritable, then whole';
  },
};

const locked: Attack = {
  ...FAULT,
  name: 'state-locked',
  tries: 'Another process keeps the state file locked, for a moment and for longer than a run waits',
  async run(arena) {
    const pair = await openShop(arena);
    await pair.run();
    await change(pair, 100);
    const lock = new DatabaseSync(stateOf(pair));
    lock.exec('BEGIN IMMEDIATE');
    arena.tally.faults++;
    const timer = setTimeout(() => lock.exec('COMMIT'), 1000);
    try {
      await mustHeal(arena, pair, TABLES);
    } finally {
      clearTimeout(timer);
      if (lock.isTransaction) lock.exec('ROLLBACK');
    }
    await change(pair, 200);
    const { streams } = pair;
    // One is enough: it waits 15 s.
    pair.streams = { 'public.items': streams['public.items']! };
    const code = await meetEverywhere(arena, pair, {
      inject: () => lock.exec('BEGIN IMMEDIATE'),
      expected: { codes: ['state.busy'], names: [stateOf(pair)] },
      heal: () => lock.exec('ROLLBACK'),
    });
    lock.close();
    pair.streams = streams;
    await mustHeal(arena, pair, TABLES);
    return `works after a moment, else ${code}, then whole`;
  },
};

const foreign: Attack = {
  ...FAULT,
  name: 'state-of-others',
  tries: 'The state file is a copy from another project, or the database of another program',
  async run(arena) {
    const [pair, other] = [await openShop(arena), await openShop(arena)];
    await pair.run();
    for (let first = 100; first < 130; first += 10) {
      await change(other, first);
      await other.run();
    }
    await change(pair, 100);
    fold(other);
    removeState(pair);
    copyFileSync(stateOf(other), stateOf(pair));
    arena.tally.faults++;
    await mustHeal(arena, pair, TABLES);
    await change(pair, 200);
    const code = await meetEverywhere(arena, pair, {
      inject() {
        removeState(pair);
        const db = new DatabaseSync(stateOf(pair));
        db.exec('CREATE TABLE bookmark (url TEXT)');
        db.close();
      },
      expected: { codes: ['state.foreign'], names: [stateOf(pair)] },
      heal: () => removeState(pair),
    });
    return `works with a copy; ${code} for another program's, then whole`;
  },
};

export const STATE_FAULTS: readonly Attack[] = [deleted, newer, corrupted, unwritable, locked, foreign];
