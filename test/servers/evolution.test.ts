/** Tables that change their shape between loads. */
import { describe, expect, it } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const SQL = `
  CREATE TABLE t (id int PRIMARY KEY, n int, price numeric(10,2), ratio real, day date, v text, at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, g, g + 0.25, 0.5, date '2026-01-01' + g, 'x', now() - interval '1 hour' FROM generate_series(1, 20) g`;

const typeOf = async (pair: Pair, column: string): Promise<string | undefined> =>
  (await pair.state('t'))!.schemas.at(-1)!.schema.fields.find((field) => field.name === column)?.type;

describe.each(['append', 'merge'] as const)('with %s', (load) => {
  it('a new column is added, empty where it was not there yet', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', load, overlap: 0, partition_by: { column: 'day', by: 'month' } } },
      SQL,
    );
    await pair.run();
    await pair.db.query(
      `ALTER TABLE t ADD COLUMN extra jsonb; UPDATE t SET extra = '{"a": 1}', at = now() WHERE id <= 3`,
    );
    expect((await pair.plan()).streams[0]!.changes).toEqual(['+ extra json']);
    expect((await pair.run()).changes).toEqual(['+ extra json']);
    await pair.expectEqual('t');
    expect((await pair.state('t'))!.schemas.at(-1)!.changes).toEqual(['+ extra json']);
  });

  it('types grow and old rows are read as the new ones', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', load, overlap: 0 } }, SQL);
    await pair.run();
    await pair.db.query(`
      ALTER TABLE t ALTER n TYPE bigint, ALTER price TYPE numeric(14,4), ALTER ratio TYPE double precision, ALTER day TYPE timestamp;
      INSERT INTO t VALUES (100, 5000000000, 1234567890.1234, 0.1, '2026-05-01 12:34:56.789', 'new', now())`);
    expect((await pair.run()).changes).toEqual([
      'n int32 → int64',
      'price decimal(10,2) → decimal(14,4)',
      'ratio float32 → float64',
      'day date → timestamp',
    ]);
    await pair.expectEqual('t');
    // Values that did not change are not loaded once more because their type did.
    expect((await pair.run()).totals.loaded).toBe(0);
    expect(await pair.lines('t', 'history')).toHaveLength(21);
  });

  it('a column that is dropped stays with its values, and fills again when it returns', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', load, overlap: 0 } }, SQL);
    await pair.run();
    await pair.db.query(`ALTER TABLE t DROP COLUMN v; UPDATE t SET n = 0, at = now() WHERE id = 1`);
    await pair.run();
    const values = async (): Promise<unknown[]> =>
      (await pair.query('t', 'SELECT v FROM t WHERE id < 3 ORDER BY id')).map((row) => row['v']);
    expect(await values()).toEqual([null, 'x']);
    await pair.db.query(
      `ALTER TABLE t ADD COLUMN v text DEFAULT 'again'; UPDATE t SET at = now() WHERE id = 1`,
    );
    await pair.run();
    expect(await values()).toEqual(['again', 'x']);
  });
});

it('a change of type that does not fit stops the stream where that is wanted, and changes nothing', async () => {
  await using pair = await Pair.open(
    server(),
    {
      'public.t': { cursor: 'at', overlap: 0, schema: { incompatible: 'stop' } },
      'public.ok': { load: 'replace' },
    },
    `${SQL}; CREATE TABLE ok (id int)`,
  );
  await pair.run();
  const before = (await pair.state('t'))!.version;
  await pair.db.query(`ALTER TABLE t ALTER n TYPE text; UPDATE t SET n = 'many', at = now() WHERE id = 1`);
  const report = await pair.attempt();
  expect(report.streams[0]!.error).toMatchObject({
    code: 'schema.incompatible',
    recovery: 'schema',
    message: expect.stringContaining('column "n" was int32 and is now utf8'),
  });
  expect(report).toMatchObject({
    status: 'partial',
    streams: [{ status: 'failed' }, { status: expect.not.stringMatching('failed') }],
  });
  expect((await pair.state('t'))!.version).toBe(before);
  expect((await pair.plan()).streams[0]!.error).toMatchObject({ code: 'schema.incompatible' });
  await pair.run({ fullRefresh: true, select: ['public.t'] });
  await pair.expectEqual('t');
});

it('a renamed column goes on under its old name where the stream says so', async () => {
  await using pair = await Pair.open(
    server(),
    {
      'public.t': {
        cursor: 'at',
        load: 'merge',
        overlap: 0,
        key: 'id',
        partition_by: { column: 'day', by: 'month' },
      },
    },
    SQL,
  );
  await pair.run();
  await pair.db.query(
    `ALTER TABLE t RENAME v TO label; ALTER TABLE t RENAME at TO changed; ALTER TABLE t RENAME id TO number; ALTER TABLE t RENAME day TO date`,
  );
  pair.streams['public.t'] = {
    cursor: 'changed',
    load: 'merge',
    overlap: 0,
    key: 'number',
    partition_by: { column: 'date', by: 'month' },
    rename: { label: 'v', changed: 'at', number: 'id', date: 'day' },
  };
  await pair.db.query(`UPDATE t SET label = 'y', date = date + 60, changed = now() WHERE number <= 5`);
  // Another cursor column is another watermark: the user has to say that they mean the same.
  expect((await pair.attempt()).streams[0]!.error).toMatchObject({ code: 'stream.cursor_changed' });
  await pair.run({ fullRefresh: true });
  await pair.db.query(`UPDATE t SET label = 'z', date = date + 60, changed = now() WHERE number IN (1, 20)`);
  expect((await pair.run()).totals.loaded).toBe(2);
  await pair.expectEqual(
    't',
    `(SELECT number AS id, n, price, ratio, date AS day, label AS v, changed AS at FROM t) x`,
  );
});

it('pinned types stay what they are', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'at', overlap: 0, types: { n: 'int64', price: 'text', ratio: 'float64' } } },
    SQL,
  );
  await pair.run();
  await pair.db.query(
    `ALTER TABLE t ALTER n TYPE bigint, ALTER price TYPE numeric(20,10), ALTER ratio TYPE double precision; INSERT INTO t VALUES (100, 5000000000, 1.0000000001, 0.1, '2026-01-01', 'new', now())`,
  );
  expect((await pair.run()).changes).toEqual([]);
  expect(await typeOf(pair, 'price')).toBe('utf8');
  const rows = await pair.query('t', 'SELECT n, price FROM t WHERE id = 100');
  expect(rows).toEqual([{ n: '5000000000', price: '1.0000000001' }]);
});

it('a new column is noted even when no row has changed', async () => {
  await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, SQL);
  await pair.run();
  await pair.db.query('ALTER TABLE t ADD COLUMN extra int');
  expect((await pair.run()).changes).toEqual(['+ extra int32']);
  expect(await typeOf(pair, 'extra')).toBe('int32');
  const { version } = (await pair.state('t'))!;
  expect((await pair.run()).status).toBe('nothing-new');
  expect((await pair.state('t'))!.version).toBe(version);
});

it('another key stops the stream, since it may not tell the rows apart that are there', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'at', load: 'merge', overlap: 0 } },
    SQL,
  );
  await pair.run();
  await pair.db.query(`
    ALTER TABLE t ALTER at DROP NOT NULL, DROP CONSTRAINT t_pkey, ADD COLUMN id2 int;
    UPDATE t SET id2 = id, v = 'y', at = now(); ALTER TABLE t ALTER id2 SET NOT NULL, ADD PRIMARY KEY (id2)`);
  const report = await pair.attempt();
  expect(report.streams[0]!.error).toMatchObject({
    code: 'schema.incompatible',
    message: expect.stringContaining('the key was (id) and is now (id2)'),
  });
  await pair.run({ fullRefresh: true });
  await pair.expectEqual('t');
  expect((await pair.state('t'))!.schemas.at(-1)!.schema.key).toEqual(['id2']);
});

it('names that differ only in capitals stay two columns through every change', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'at', load: 'merge', overlap: 0 } },
    `CREATE TABLE t (id int PRIMARY KEY, "Name" text, name text, at timestamptz DEFAULT now()); CREATE INDEX ON t (at);
     INSERT INTO t VALUES (1, 'A', 'a'), (2, 'B', 'b')`,
  );
  await pair.run();
  await pair.db.query(
    `ALTER TABLE t ADD COLUMN "NAME" text; UPDATE t SET "NAME" = 'AA', "Name" = 'C', at = now() WHERE id = 1`,
  );
  await pair.run();
  const rows = await pair.query('t', 'SELECT * EXCLUDE ("at") FROM t ORDER BY id');
  expect(rows.map((row) => Object.values(row))).toEqual([
    [1, 'C', 'a', 'AA'],
    [2, 'B', 'b', null],
  ]);
});
