/** Another table, another server or another time than the one that was loaded before, under the same name. */
import type { Arena, Attack } from '../attack.ts';
import { errorOf, expectError, meetFault, mustBeWhole, mustHeal, seen, expectVisible } from './expect.ts';
import { atEvent } from './source-moments.ts';
import { openTables, write } from './source-tables.ts';

const APPENDED_AND_MERGED: readonly string[] = ['appended', 'merged'];

/** A table that is made anew holds other rows, whose cursor values lie below what was read. */
async function madeAnew(arena: Arena): Promise<string> {
  await using pair = await openTables(arena, 300);
  pair.streams = {
    appended: { load: 'append', cursor: 'id' },
    merged: { load: 'merge', cursor: 'updated_at' },
  };
  await pair.run();
  // A number waits until all that was open beside it has ended.
  await pair.run();
  for (const table of APPENDED_AND_MERGED)
    await pair.from.query(`
      CREATE TABLE other (LIKE ${table} INCLUDING ALL);
      INSERT INTO other SELECT -i, 'another', i, '2020-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 200) i;
      DROP TABLE ${table};
      ALTER TABLE other RENAME TO ${table};
      INSERT INTO ${table} SELECT -i, 'more', i, '2020-02-01' FROM generate_series(300, 350) i`);
  arena.tally.faults += 2;
  for (const again of [false, true]) {
    await pair.run();
    for (const table of APPENDED_AND_MERGED) {
      const { lost } = await pair.compare(table);
      arena.tally.rowsLost += lost.length;
      if (lost.length > 0) throw new Error(`${lost.length} rows of the new table ${table} were never loaded`);
    }
    const warned = pair.events.filter(
      (event) => event.kind === 'warning' && event.message.includes('another table'),
    );
    if (warned.length !== (again ? 0 : 2))
      throw new Error(
        `${warned.length} streams say that another table took the place of theirs${again ? ', again' : ''}`,
      );
  }
  await pair.run({ fullRefresh: true });
  await mustBeWhole(arena, pair, APPENDED_AND_MERGED);
  return 'reads it in full and says so';
}

export const MADE_ANEW: Attack = {
  name: 'table-made-anew',
  part: 'faults',
  promise: 'nothing-lost',
  tries:
    'A table is dropped and made anew between runs, with other rows whose cursor values lie far below the watermark',
  rounds: 1,
  brief: false,
  run: madeAnew,
};

/** A backup that is older than what was read, and a clock that has gone back: the checkpoint is ahead of the source. */
async function wentBack(arena: Arena): Promise<string> {
  const codes: string[] = [];
  await using pair = await openTables(arena, 200);
  pair.streams = { merged: { load: 'merge', cursor: 'xmin' } };
  const tables = ['merged'];
  await pair.run();
  const { checkpoint } = (await pair.to.state('merged'))!;
  for (const [code, ahead] of [
    ['postgres.other_server', { watermark: '9000000000' }],
    ['engine.old_snapshot', { readAt: '2999-01-01 00:00:00+00' }],
  ] as const) {
    arena.say(code);
    await write(pair, 20);
    codes.push(
      await meetFault(arena, pair, {
        tables,
        inject: () => pair.to.commitCheckpoint('merged', { ...checkpoint!, ...ahead }),
        expected: { codes: [code], names: ['merged'] },
        heal: async () => void (await pair.run({ fullRefresh: true })),
      }),
    );
  }
  return `${codes.join(', ')}, whole after a full refresh`;
}

export const WENT_BACK: Attack = {
  name: 'source-went-back',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'The checkpoint is ahead of the server, in transaction ids as after a restored backup, or in time as after a clock that was set back',
  rounds: 1,
  brief: false,
  run: wentBack,
};

const PARTITIONS = `
  CREATE TABLE parted (id int NOT NULL, note text, n int NOT NULL, updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
  CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1000) TO (2000);
  CREATE TABLE parted_3 (LIKE parted INCLUDING ALL);
  CREATE INDEX ON parted (updated_at);
  INSERT INTO parted SELECT i, md5(i::text), i FROM generate_series(1, 1999) i;
  INSERT INTO parted_3 SELECT i, md5(i::text), i FROM generate_series(2000, 2999) i;`;

const ATTACH = 'ALTER TABLE parted ATTACH PARTITION parted_3 FOR VALUES FROM (2000) TO (3000)';
const DETACH = 'ALTER TABLE parted DETACH PARTITION parted_2';

/** Partitions come and go between the snapshot, the plan and the reading. */
async function partitions(arena: Arena): Promise<string> {
  for (const sql of [ATTACH, DETACH]) {
    for (const moment of ['stream-started', 'stream-planned'] as const) {
      for (const load of ['merge', 'replace'] as const) {
        arena.say(`${sql} (${moment})`);
        const stream = load === 'merge' ? { load, cursor: 'updated_at' } : { load };
        await using pair = await arena.open({ parted: stream }, PARTITIONS);
        const other = await pair.from.session();
        let changed: Promise<unknown> | undefined;
        const options = atEvent(
          (event) => event.kind === moment,
          async () => void (await (changed = other.query(sql))),
        );
        const before = await seen(pair, ['parted']);
        const error = await errorOf(pair, options);
        await changed;
        arena.tally.faults++;
        if (!changed) throw new Error('nothing was changed, so this proves nothing');
        if (error) {
          expectError(error, { codes: ['engine.old_snapshot'], names: ['parted'] });
          await expectVisible(pair, ['parted'], before);
        }
        await pair.from.query('UPDATE parted SET n = n + 1, updated_at = clock_timestamp() WHERE id % 5 = 0');
        await mustHealParted(arena, pair, sql === DETACH && load === 'merge');
      }
    }
  }
  return 'works';
}

/** Rows of a partition that was detached stay in a table that is merged into, as deleted ones do. */
async function mustHealParted(
  arena: Arena,
  pair: Parameters<typeof mustHeal>[1],
  stay: boolean,
): Promise<void> {
  if (!stay) return mustHeal(arena, pair, ['parted']);
  await pair.run();
  const { lost, doubled } = await pair.compare('parted');
  if (lost.length > 0 || doubled.length > 0)
    throw new Error(`${lost.length} lost, ${doubled.length} doubled`);
}

export const PARTITIONS_MOVED: Attack = {
  name: 'partitions-come-and-go',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'A partition is attached to a table or detached from it after the snapshot, and between planning and reading',
  rounds: 1,
  brief: false,
  run: partitions,
};
