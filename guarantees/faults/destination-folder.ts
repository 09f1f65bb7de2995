/** The folder of the lake is read-only, in the way, too deep, moved, copied, restored or gone. */
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { openCatalog } from '../../src/catalog/index.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import type { RunOptions } from '../../src/engine/types.ts';
import type { Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import {
  addRows,
  changeRows,
  diskOf,
  errorsOf,
  giveAway,
  hasUnprivileged,
  meetEverywhere,
  mountDisk,
  NO_ROOT,
  openShop,
  runInChild,
  TABLES,
  FAULT,
  onDisk,
} from './destination-ground.ts';
import { expectError, mustBeWhole, mustHeal } from './expect.ts';

const readOnly: Attack = {
  ...FAULT,
  name: 'read-only-folder',
  tries:
    'The lake, then the folders of its tables, then those of their commits may not be written by this user',
  async run(arena) {
    if (!hasUnprivileged()) return 'skipped: there is no user without rights who can read this program';
    const pair = await openShop(arena);
    await pair.run();
    chmodSync(pair.folder, 0o755);
    const places = [
      ['**'],
      TABLES.map((table) => `${table}`),
      TABLES.map((table) => `_sluice/tables/${table}/commits`),
    ];
    for (const [i, patterns] of places.entries()) {
      await addRows(pair, 100 + i * 10, 5);
      await changeRows(pair, `place ${i} `);
      giveAway(pair.folder);
      const folders = globSync(patterns, { cwd: pair.to.root, withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => path.join(entry.parentPath, entry.name));
      if (i === 0) folders.push(pair.to.root);
      await meetEverywhere(arena, pair, {
        inject: () => folders.forEach((folder) => chmodSync(folder, 0o555)),
        run: async () => (await runInChild(pair, { unprivileged: true })).errors,
        expected: { codes: ['storage.permission'], names: [pair.to.root, /for user "/] },
        heal: () => folders.forEach((folder) => chmodSync(folder, 0o755)),
      });
    }
    return 'storage.permission, then whole';
  },
};

const readOnlyMount: Attack = {
  ...FAULT,
  name: 'read-only-mount',
  tries: 'The file system of the lake is mounted read-only; queries go on',
  run: onDisk('size=24m', async (arena, pair, disk) => {
    await pair.run();
    await addRows(pair, 100, 5);
    const code = await meetEverywhere(arena, pair, {
      inject: () => disk.setWritable(false),
      expected: { codes: ['storage.read_only'], names: [disk.folder] },
      async heal() {
        const catalog = openCatalog({ storage: openLocalStorage(pair.to.root) });
        const { batches } = await catalog.select('SELECT count(*)::INT AS n FROM notes');
        for await (const rows of batches)
          if (rows[0]?.[0] !== 10) throw new Error(`a query found ${JSON.stringify(rows)}`);
        await catalog.close();
        disk.setWritable(true);
      },
    });
    return `${code}, then whole`;
  }),
};

const removed: Attack = {
  ...FAULT,
  name: 'folder-removed',
  tries: 'The lake, or its scratch files, are deleted while a run is at work',
  async run(arena) {
    const pair = await openShop(arena);
    for (const [i, { folder, step }] of [
      { folder: '.', step: 'staged' },
      { folder: '_sluice/staging', step: 'publish' },
      { folder: '.', step: 'lease' },
      { folder: '.', step: 'published' },
    ].entries()) {
      await addRows(pair, 100 + i * 10, 5);
      let done = false;
      const onEvent: RunOptions['onEvent'] = (event) => {
        if (done || event.kind !== 'step' || event.step !== step) return;
        rmSync(path.join(pair.to.root, folder), { recursive: true, force: true });
        done = true;
      };
      arena.tally.faults++;
      const { streams } = await pair.attempt({ onEvent });
      for (const { error } of streams) {
        if (!error) continue;
        const codes = ['storage.missing', 'disk.io', 'storage.io', 'lake.commit_missing'];
        expectError(error, { codes, names: [/"(\/|_sluice)/] });
      }
      await mustHeal(arena, pair, TABLES);
    }
    return 'storage.missing or lake.commit_missing, then whole';
  },
};

const inTheWay: Attack = {
  ...FAULT,
  name: 'file-in-the-way',
  tries: 'A file lies where the lake, its private folder or the folder of a table has to be',
  async run(arena) {
    const pair = await openShop(arena);
    const lake = pair.to.root;
    const files: [string, ...string[]][] = [
      [lake],
      [path.join(lake, '_sluice')],
      [path.join(lake, '_sluice/staging')],
      TABLES.map((table) => path.join(lake, table)) as [string, ...string[]],
    ];
    for (const each of files) {
      await meetEverywhere(arena, pair, {
        inject() {
          for (const file of each) {
            mkdirSync(path.dirname(file), { recursive: true });
            writeFileSync(file, 'not a folder');
          }
        },
        expected: { codes: ['storage.in_the_way'], names: [lake] },
        heal: () => each.forEach((file) => rmSync(file)),
      });
      rmSync(lake, { recursive: true });
    }
    return 'storage.in_the_way, then whole';
  },
};

const longPath: Attack = {
  ...FAULT,
  name: 'long-path',
  tries: 'The path of the lake is longer than the file system allows, as a whole or in one part',
  async run(arena) {
    const pair = await openShop(arena);
    const { connection } = pair.to;
    for (const long of ['x'.repeat(300), Array.from({ length: 20 }, () => 'y'.repeat(240)).join('/')]) {
      await meetEverywhere(arena, pair, {
        inject: () => undefined,
        async run() {
          pair.to.connection = { type: 'lake', path: `./disk/${long}` };
          const errors = await errorsOf(pair);
          pair.to.connection = connection;
          return errors;
        },
        expected: { codes: ['storage.name_too_long'], names: [diskOf(pair)] },
        heal: () => undefined,
      });
    }
    return 'storage.name_too_long, then whole';
  },
};

const otherDisks: Attack = {
  ...FAULT,
  name: 'other-disks',
  tries: 'Scratch files and one table lie on other disks behind links',
  async run(arena) {
    const pair = await openShop(arena);
    using scratch = mountDisk(path.join(pair.folder, 'scratch'), 'size=24m');
    using table = mountDisk(path.join(pair.folder, 'table'), 'size=24m');
    if (!scratch || !table) return NO_ROOT;
    mkdirSync(path.join(pair.to.root, '_sluice'), { recursive: true });
    symlinkSync(scratch.folder, path.join(pair.to.root, '_sluice/staging'));
    symlinkSync(table.folder, path.join(pair.to.root, 'items'));
    arena.tally.faults++;
    for (let first = 100; first < 130; first += 10) {
      await addRows(pair, first, 5);
      await changeRows(pair, `from ${first} `);
      await mustHeal(arena, pair, TABLES);
    }
    return 'works';
  },
};

const moved: Attack = {
  ...FAULT,
  name: 'lake-moved',
  tries:
    'The lake is moved with and without a change of the configuration, copied, restored from a backup, and loses its log',
  async run(arena) {
    const pair = await openShop(arena);
    await mustHeal(arena, pair, TABLES);
    const next = nextRows(pair);
    const [here, there] = ['./disk/lake', './disk/moved'].map((folder) => path.join(pair.folder, folder));
    const use = (folder: string): void => void (pair.to.connection = { type: 'lake', path: folder });

    await next();
    renameSync(here!, there!);
    use('./disk/moved');
    arena.tally.faults++;
    await onlyNew(pair);
    await mustBeWhole(arena, pair, TABLES);

    // The configuration still names the old place: what was loaded before is loaded again, and that is said.
    use('./disk/lake');
    arena.tally.faults++;
    const { streams } = await pair.attempt();
    const warned = pair.events.filter(
      (event) => event.kind === 'warning' && event.code === 'table.gone' && event.message.includes(here!),
    );
    if (warned.length !== streams.length) throw new Error('a table that is gone is loaded again in silence');
    await mustBeWhole(arena, pair, TABLES);

    // Two copies, one state.
    for (const folder of ['./disk/moved', './disk/lake', './disk/moved']) {
      await next();
      use(folder);
      arena.tally.faults++;
      await mustHeal(arena, pair, TABLES);
    }
    await restore(pair, next);
    arena.tally.faults++;
    await mustHeal(arena, pair, TABLES);

    await next();
    rmSync(path.join(pair.to.root, '_sluice'), { recursive: true });
    arena.tally.faults++;
    await pair.run();
    await arena.verify(pair, TABLES);
    return 'works; a lake that is gone is loaded again with a warning';
  },
};

/** Loads two more increments and then puts the lake back to what it was before them. */
async function restore(pair: Pair, next: () => Promise<void>): Promise<void> {
  const backup = path.join(pair.folder, 'backup');
  cpSync(pair.to.root, backup, { recursive: true });
  for (let i = 0; i < 2; i++) {
    await next();
    await pair.run();
  }
  rmSync(pair.to.root, { recursive: true });
  renameSync(backup, pair.to.root);
}

function nextRows(pair: Pair): () => Promise<void> {
  let first = 100;
  return async () => {
    await addRows(pair, (first += 10), 2);
    await changeRows(pair, `since ${first} `);
  };
}

/** A run that goes on where the last one was loads what changed and nothing else. */
async function onlyNew(pair: Pair): Promise<void> {
  const { streams } = await pair.attempt();
  const notes = streams.find((stream) => stream.table === 'notes')!;
  if (notes.error || notes.totals.loaded !== 5)
    throw new Error(`${notes.totals.loaded} rows were loaded where 5 had changed: ${notes.error?.message}`);
}

const fewFiles: Attack = {
  ...FAULT,
  name: 'few-open-files',
  tries: 'The process may open only a few files at once (ulimit -n), and the table consists of many',
  async run(arena) {
    const pair = await arena.open(
      {
        'public.parts': {
          load: 'merge',
          cursor: 'updated_at',
          partition_by: { column: 'part', by: 'value' },
        },
      },
      `CREATE TABLE parts (id int PRIMARY KEY, part int, body text, updated_at timestamptz DEFAULT now());
       INSERT INTO parts (id, part, body) SELECT i, i % 100, 'first' FROM generate_series(1, 1000) i`,
    );
    await pair.run();
    for (const limit of [28, 32, 40, 64]) {
      await pair.from.query(`UPDATE parts SET body = 'limit ${limit}', updated_at = clock_timestamp()`);
      arena.tally.faults++;
      const [error] = (await runInChild(pair, { shell: `ulimit -n ${limit}` })).errors;
      if (error) {
        expectError(error, {
          codes: ['storage.too_many_files', 'disk.too_many_files', 'state.unwritable'],
          names: [/\/|thread/],
        });
      } else await mustBeWhole(arena, pair, ['parts']);
      await mustHeal(arena, pair, ['parts']);
    }
    return 'works or disk.too_many_files, then whole';
  },
};

export const FOLDER_FAULTS: readonly Attack[] = [
  readOnly,
  readOnlyMount,
  removed,
  inTheWay,
  longPath,
  otherDisks,
  moved,
  fewFiles,
];
