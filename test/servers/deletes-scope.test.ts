/** Rows are taken for deleted only where the source was asked for all of them, and not too many at once. */
import { expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { openReplica, type Replica } from '../support/replica.ts';
import { newName, useServer } from '../support/server.ts';

const server = useServer();

const TABLE = `CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT clock_timestamp());
  INSERT INTO t SELECT i, CASE WHEN i <= 60 THEN 'x' ELSE 'y' END FROM generate_series(1, 100) i`;

async function open(options: StreamOptions, table: string = TABLE): Promise<Replica> {
  return openReplica(
    server(),
    { 'public.t': { load: 'merge', cursor: 'at', deletes: 'remove', ...options } },
    table,
  );
}

async function ids(pair: Replica): Promise<number[]> {
  const { rows } = await pair.to.db.query<{ id: number }>('SELECT id FROM t ORDER BY id');
  return rows.map(({ id }) => id);
}

it.each([
  ['all rows', 'DELETE FROM t', {}, 100],
  ['all rows, emptied at once', 'TRUNCATE t', {}, 100],
  ['more than half of them', 'DELETE FROM t WHERE id <= 51', {}, 51],
  ['more than a number', 'DELETE FROM t WHERE id <= 3', { at_most: 2 }, 3],
  ['more than a share', 'DELETE FROM t WHERE id <= 3', { at_most: '2 %' }, 3],
] as const)('does not take out %s', async (_, change, limit, gone) => {
  await using pair = await open({ deletes: { how: 'remove', ...limit } });
  await pair.run();
  await pair.from.db.query(`${change}; INSERT INTO t VALUES (200, 'new')`);
  for (let again = 0; again < 2; again++) {
    const { streams } = await pair.attempt();
    expect(streams[0]).toMatchObject({ status: 'failed', error: { code: 'deletes.too_many' } });
    // The one that came was loaded, and the others stay.
    expect(await ids(pair)).toHaveLength(101);
  }
  pair.streams['public.t'] = { ...pair.streams['public.t'], deletes: { how: 'remove', at_most: '100 %' } };
  expect((await pair.run()).totals).toMatchObject({ deleted: gone });
  expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
});

it('takes half of them, and as many as it is told to', async () => {
  await using pair = await open({});
  await pair.run();
  await pair.from.db.query('DELETE FROM t WHERE id <= 50');
  expect((await pair.run()).totals).toMatchObject({ deleted: 50 });
  pair.streams['public.t'] = { ...pair.streams['public.t'], deletes: { how: 'remove', at_most: 50 } };
  await pair.from.db.query('DELETE FROM t');
  expect((await pair.run()).totals).toMatchObject({ deleted: 50 });
  expect(await ids(pair)).toEqual([]);
});

it('keeps rows that `where` selects no more, and takes those out that are gone', async () => {
  await using pair = await open({ where: `v = 'x'` });
  await pair.run();
  await pair.from.db.query(
    `UPDATE t SET v = 'y', at = clock_timestamp() WHERE id <= 3; DELETE FROM t WHERE id IN (4, 5, 70)`,
  );
  expect((await pair.run()).totals).toMatchObject({ deleted: 2 });
  expect(await ids(pair)).toEqual([1, 2, 3, ...range(6, 60)]);
  // Nothing that the stream has loaded before is selected any more.
  pair.streams['public.t'] = { ...pair.streams['public.t'], where: `v = 'y'`, cursor: 'at' };
  expect((await pair.run()).totals).toMatchObject({ deleted: 0 });
  await pair.from.db.query('DELETE FROM t WHERE id = 6');
  expect((await pair.run()).totals).toMatchObject({ deleted: 1 });
});

it('finds them in what the first run has taken, and leaves older rows of the source alone', async () => {
  await using pair = await open(
    { first_run: 86_400 },
    `${TABLE}; UPDATE t SET at = now() - interval '3 days' WHERE id <= 40`,
  );
  await pair.run();
  expect(await ids(pair)).toEqual(range(41, 100));
  await pair.from.db.query('DELETE FROM t WHERE id IN (1, 50, 51)');
  const report = await pair.run();
  expect(report.totals).toMatchObject({ deleted: 2 });
  expect(warnings(pair)).toEqual([]);
  expect(await ids(pair)).toEqual([...range(41, 49), ...range(52, 100)]);
});

it('keeps rows whose cursor became NULL where those are skipped', async () => {
  await using pair = await open({ null_cursor: 'skip' });
  await pair.run();
  await pair.from.db.query('UPDATE t SET at = NULL WHERE id = 1; DELETE FROM t WHERE id = 2');
  expect((await pair.run()).totals).toMatchObject({ deleted: 1 });
  expect(await ids(pair)).toEqual([1, ...range(3, 100)]);
});

it('does not look in a run of a window, nor after a full refresh', async () => {
  await using pair = await open({});
  await pair.run();
  await pair.from.db.query('DELETE FROM t WHERE id <= 10');
  const window = { from: '2020-01-01', to: '2020-02-01' };
  expect((await pair.plan({ window })).streams[0]!.deletes).toBeUndefined();
  expect((await pair.run({ window })).totals.deleted).toBeUndefined();
  expect(await ids(pair)).toHaveLength(100);
  expect((await pair.plan()).streams[0]!.deletes).toBe('remove');
  expect((await pair.run({ fullRefresh: true })).totals.deleted).toBeUndefined();
  expect(await ids(pair)).toEqual(range(11, 100));
});

it('looks where nothing at all is new, and tells of rows that the cursor does not see', async () => {
  await using pair = await open({ cursor: 'id' });
  await pair.run();
  await pair.from.db.query('DELETE FROM t WHERE id IN (3, 100)');
  expect(await pair.run()).toMatchObject({ status: 'loaded', totals: { deleted: 2 } });
  await pair.from.db.query(`UPDATE t SET id = -id WHERE id IN (7, 8)`);
  expect((await pair.run()).totals).toMatchObject({ deleted: 2, loaded: 2 });
  expect(warnings(pair)).toEqual(['deletes.missing_keys']);
  expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
  expect((await pair.run()).status).toBe('nothing-new');
});

it('loads rows that come back with an old cursor, and takes their flags away', async () => {
  await using pair = await open({ deletes: 'flag' });
  await pair.run();
  await pair.from.db.query(`CREATE TABLE archive AS SELECT * FROM t WHERE id <= 9;
    UPDATE archive SET at = at - interval '1 year', v = 'old'; DELETE FROM t WHERE id <= 9`);
  expect((await pair.run()).totals).toMatchObject({ deleted: 9, loaded: 0 });
  await pair.from.db.query('INSERT INTO t SELECT * FROM archive WHERE id > 4');
  expect((await pair.run()).totals).toMatchObject({ deleted: 0, loaded: 5 });
  const flagged = await pair.to.query('SELECT id, v FROM t WHERE _sluice_deleted_at IS NOT NULL ORDER BY id');
  expect(flagged).toEqual([1, 2, 3, 4].map((id) => ({ id, v: 'x' })));
  const [, back] = await pair.to.query('SELECT DISTINCT v FROM t WHERE id <= 9 ORDER BY v DESC');
  expect(back).toEqual({ v: 'old' });
});

it('makes room for rows with another key where a unique index refuses them', async () => {
  await using pair = await open(
    {},
    `${TABLE}; ALTER TABLE t ADD mail text UNIQUE; UPDATE t SET mail = 'm' || id`,
  );
  await pair.run();
  await pair.from.db.query(
    `UPDATE t SET id = id + 1000, at = clock_timestamp() WHERE id IN (5, 6); DELETE FROM t WHERE id = 7;
     INSERT INTO t (id, v, mail) VALUES (1007, 'z', 'm7')`,
  );
  expect((await pair.run()).totals).toMatchObject({ deleted: 3, loaded: 3 });
  expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
  // Nothing is in the way that is gone: the index is wrong.
  await pair.to.query(`CREATE UNIQUE INDEX ON t (v) WHERE v <> 'x' AND v <> 'y'`);
  await pair.from.db.query(`INSERT INTO t (id, v) VALUES (2000, 'z')`);
  expect((await pair.attempt()).streams[0]!.error?.code).toBe('postgres.duplicate');
});

it('leaves the table alone when rows are hidden, or when the source is lost', async () => {
  await using pair = await open({});
  await pair.run();
  const role = newName('reader');
  await pair.from.db
    .query(`DELETE FROM t WHERE id = 1; CREATE ROLE ${role} LOGIN; GRANT SELECT ON t TO ${role};
    ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 10)`);
  const { connection } = pair.from;
  pair.from.connection = { ...connection, url: pair.from.urlOf(role) };
  const { streams } = await pair.attempt();
  expect(streams[0]!.error).toBeDefined();
  expect(await ids(pair)).toHaveLength(100);
  pair.from.connection = connection;
  await pair.run();
  expect(await ids(pair)).toEqual(range(2, 100));
});

function warnings({ events }: Replica): string[] {
  return events.flatMap((event) =>
    event.kind === 'warning' && event.code.startsWith('deletes.') ? [event.code] : [],
  );
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
