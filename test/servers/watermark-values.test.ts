/** Cursor values of every sort: missing, several, endless, in the future, without a zone, on days. */
import { describe, expect, it } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

describe('rows without a cursor value', () => {
  const SQL = `
    CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz);
    CREATE INDEX ON t (updated_at);
    INSERT INTO t SELECT g, 'x', CASE WHEN g % 2 = 0 THEN now() - interval '1 hour' END FROM generate_series(1, 10) g`;

  it.each(['', 'DROP INDEX t_updated_at_idx'])('are loaded and followed by default %s', async (more) => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'updated_at', overlap: 0 } },
      `${SQL}; ${more}`,
    );
    expect((await pair.run()).totals.loaded).toBe(10);
    expect((await pair.run()).totals.loaded).toBe(0);
    await pair.db.query(
      `UPDATE t SET v = 'y' WHERE id = 1; UPDATE t SET v = 'z', updated_at = now() WHERE id = 3; INSERT INTO t VALUES (11, 'new', NULL)`,
    );
    expect((await pair.run()).totals.loaded).toBe(3);
    await pair.db.query(`UPDATE t SET v = 'back', updated_at = NULL WHERE id IN (3, 4)`);
    expect((await pair.run()).totals.loaded).toBe(2);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('are versions of their own: a row that has its old value back is loaded again', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'updated_at', overlap: 7200, load: 'append' } },
      `${SQL}; DELETE FROM t WHERE updated_at IS NULL; CREATE TABLE before AS TABLE t`,
    );
    expect((await pair.run()).totals.loaded).toBe(5);
    await pair.db.query(`UPDATE t SET v = 'put away', updated_at = NULL WHERE id = 2`);
    expect((await pair.run()).totals.loaded).toBe(1);
    await pair.db.query(
      `UPDATE t SET (v, updated_at) = (SELECT v, updated_at FROM before b WHERE b.id = 2) WHERE id = 2`,
    );
    expect((await pair.run()).totals.loaded).toBe(1);
    await pair.expectEqual('t');
  });

  it('stay behind when they are to be skipped, until they have one', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'updated_at', overlap: 0, null_cursor: 'skip' } },
      SQL,
    );
    expect((await pair.run()).totals.loaded).toBe(5);
    await pair.db.query(`UPDATE t SET v = 'y' WHERE id = 1; UPDATE t SET updated_at = now() WHERE id = 3`);
    expect((await pair.run()).totals.loaded).toBe(1);
    await pair.expectEqual('t', 't WHERE updated_at IS NOT NULL');
  });
});

it('of two cursor columns the greater one counts, and a missing one does not', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: ['updated_at', 'created_at'], overlap: 0 } },
    `CREATE TABLE t (id int PRIMARY KEY, v text, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz);
     CREATE INDEX ON t (updated_at); CREATE INDEX ON t (created_at);
     INSERT INTO t SELECT g, 'x', now() - interval '2 hours', CASE WHEN g > 5 THEN now() - interval '1 hour' END FROM generate_series(1, 10) g`,
  );
  expect((await pair.run()).totals.loaded).toBe(10);
  const slow = await pair.connect();
  await slow.query(`BEGIN; INSERT INTO t VALUES (20, 'slow')`);
  await pair.db.query(
    `INSERT INTO t VALUES (21, 'new'); UPDATE t SET v = 'y', updated_at = now() WHERE id IN (1, 6)`,
  );
  expect((await pair.run()).totals.loaded).toBe(3);
  await slow.query('COMMIT');
  expect((await pair.run()).totals.loaded).toBe(1);
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

it('late business dates come with the lookback, and only within it', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'updated_at', overlap: 0, lookback: { column: 'day', days: 3 } } },
    `CREATE TABLE t (id int PRIMARY KEY, v text, day date, updated_at timestamptz NOT NULL);
     CREATE INDEX ON t (updated_at);
     INSERT INTO t SELECT g, 'x', current_date - g, now() - interval '1 day' FROM generate_series(0, 9) g`,
  );
  await pair.run();
  // Somebody corrects rows and does not touch updated_at.
  await pair.db.query(
    `UPDATE t SET v = 'corrected' WHERE id IN (1, 3, 5); INSERT INTO t VALUES (20, 'late', current_date - 2, now() - interval '1 day')`,
  );
  expect((await pair.run()).totals.loaded).toBe(3);
  expect((await pair.run()).totals.loaded).toBe(0);
  const corrected = await pair.query('t', `SELECT id FROM t WHERE v = 'corrected' ORDER BY id`);
  expect(corrected.map((row) => row['id'])).toEqual([1, 3]);
  await pair.expectNoRepeats('t');
});

describe('a first run with a window', () => {
  it.each(['timestamptz', 'timestamp', 'date'])('leaves old rows out for good, by %s', async (type) => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0, first_run: 5 * 86_400 } },
      `CREATE TABLE t (id int PRIMARY KEY, at ${type} NOT NULL); CREATE INDEX ON t (at);
       INSERT INTO t SELECT g, now() - interval '20 days' - g * interval '1 day' FROM generate_series(1, 10) g`,
    );
    expect((await pair.run()).totals.loaded).toBe(0);
    expect((await pair.run()).totals.loaded).toBe(0);
    await pair.db.query('INSERT INTO t VALUES (100, now())');
    expect((await pair.run()).totals.loaded).toBe(1);
    await pair.expectEqual('t', 't WHERE id = 100');
  });

  it('stays above it while a prepared transaction holds the watermark', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0, first_run: 86_400 } },
      `CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL); CREATE INDEX ON t (at);
       INSERT INTO t SELECT g, now() - g * interval '1 day' + interval '1 hour' FROM generate_series(1, 10) g`,
    );
    const other = await pair.connect();
    await other.query(`BEGIN; INSERT INTO t VALUES (100, now()); PREPARE TRANSACTION 'window'`);
    expect((await pair.run()).totals.loaded).toBe(1);
    expect((await pair.run()).totals.loaded).toBe(0);
    await other.query(`COMMIT PREPARED 'window'`);
    expect((await pair.run()).totals.loaded).toBe(1);
  });
});

it('rows that a client dates back are found within the overlap, and not beyond it', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'at', overlap: 600 } },
    `CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL); CREATE INDEX ON t (at);
     INSERT INTO t SELECT g, now() - g * interval '1 minute' FROM generate_series(0, 30) g`,
  );
  await pair.run();
  await pair.db.query(
    `INSERT INTO t VALUES (100, now() - interval '5 minutes'), (101, now() - interval '20 minutes')`,
  );
  expect((await pair.run()).totals.loaded).toBe(1);
  await pair.expectEqual('t', 't WHERE id <> 101');
});

describe('values in the future', () => {
  it.each(['timestamptz', 'timestamp', 'date'])(
    'do not carry the watermark past what is written today, by %s',
    async (type) => {
      await using pair = await Pair.open(
        server(),
        { 'public.t': { cursor: 'at', overlap: 0 } },
        `CREATE TABLE t (id int PRIMARY KEY, v text, at ${type} NOT NULL); CREATE INDEX ON t (at);
       INSERT INTO t VALUES (1, 'x', now() - interval '2 days'), (2, 'x', '2099-12-31')`,
      );
      expect((await pair.run()).totals.loaded).toBe(2);
      await pair.db.query(`INSERT INTO t VALUES (3, 'x', now()), (4, 'x', now() + interval '1 day')`);
      expect((await pair.run()).totals.loaded).toBe(2);
      await pair.db.query(`INSERT INTO t VALUES (5, 'x', now()); UPDATE t SET v = 'y' WHERE id = 2`);
      expect((await pair.run()).totals.loaded).toBe(2);
      await pair.expectEqual('t');
      await pair.expectNoRepeats('t');
    },
  );

  it.each(['timestamptz', 'timestamp', 'date'])('may be infinite, by %s', async (type) => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0 } },
      `CREATE TABLE t (id int PRIMARY KEY, v text, at ${type} NOT NULL); CREATE INDEX ON t (at);
       INSERT INTO t VALUES (1, 'x', '-infinity'), (2, 'x', 'infinity'), (3, 'x', now())`,
    );
    expect((await pair.run()).totals.loaded).toBe(3);
    await pair.db.query(
      `INSERT INTO t VALUES (4, 'x', now()); UPDATE t SET v = 'y' WHERE id = 2; INSERT INTO t VALUES (5, 'x', 'infinity')`,
    );
    expect((await pair.run()).totals.loaded).toBe(3);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });
});

describe('timestamps without a zone', () => {
  const SQL = `
    CREATE TABLE t (id int PRIMARY KEY, zone text DEFAULT current_setting('TimeZone'), at timestamp NOT NULL DEFAULT now());
    CREATE INDEX ON t (at);`;

  it('are found whatever zones the writers are in', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, SQL);
    const writers = [];
    for (const zone of ['Asia/Tokyo', 'UTC', 'America/Los_Angeles', 'Pacific/Kiritimati', 'Etc/GMT+12']) {
      const writer = await pair.connect();
      await writer.query(`SET TimeZone = '${zone}'`);
      writers.push(writer);
    }
    const slow = await pair.connect();
    for (let round = 0; round < 3; round++) {
      await slow.query(`SET TimeZone = 'Etc/GMT+12'; BEGIN; INSERT INTO t (id) VALUES (${round * 100 + 50})`);
      for (const [i, writer] of writers.entries())
        await writer.query('INSERT INTO t (id) VALUES ($1)', [round * 100 + i]);
      await pair.run();
      await slow.query('COMMIT');
      for (const [i, writer] of writers.entries())
        await writer.query('INSERT INTO t (id) VALUES ($1)', [round * 100 + 10 + i]);
    }
    await pair.run();
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('are exact with the zone that they are written in', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0, cursor_timezone: 'Asia/Kathmandu' } },
      SQL,
    );
    await pair.db.query(`SET TimeZone = 'Asia/Kathmandu'`);
    const slow = await pair.connect();
    await slow.query(`SET TimeZone = 'Asia/Kathmandu'; BEGIN; INSERT INTO t VALUES (1)`);
    await pair.db.query('INSERT INTO t VALUES (2)');
    expect((await pair.run()).totals.loaded).toBe(1);
    await slow.query('COMMIT');
    expect((await pair.run()).totals.loaded).toBe(1);
    // Nothing is open: the watermark is the moment of the read, in that zone, not half a day before it.
    const { rows } = await pair.db.query<{ seconds: number }>(
      `SELECT extract(epoch FROM localtimestamp - $1::timestamp)::float8 AS seconds`,
      [(await pair.state('t'))!.checkpoint!.watermark],
    );
    expect(rows[0]!.seconds).toBeGreaterThan(0);
    expect(rows[0]!.seconds).toBeLessThan(60);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });
});

it('a cursor of days reads the day at the boundary again', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'day', overlap: 0 } },
    `CREATE TABLE t (id int PRIMARY KEY, v text, day date NOT NULL DEFAULT current_date); CREATE INDEX ON t (day);
     INSERT INTO t SELECT g, 'x', current_date - g FROM generate_series(0, 9) g`,
  );
  await pair.run();
  const slow = await pair.connect();
  await slow.query(`BEGIN; INSERT INTO t VALUES (20, 'slow')`);
  await pair.db.query(`INSERT INTO t VALUES (21, 'today'); UPDATE t SET v = 'y' WHERE id = 0`);
  expect((await pair.run()).totals.loaded).toBe(2);
  await slow.query('COMMIT');
  expect((await pair.run()).totals.loaded).toBe(1);
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

it('equal rows of a table without a key are counted, not merged', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'at', overlap: 0 } },
    `CREATE TABLE t (v text, at timestamptz NOT NULL); CREATE INDEX ON t (at);
     INSERT INTO t SELECT 'same', '2026-01-01' FROM generate_series(1, 3)`,
  );
  await pair.run();
  const holder = await pair.connect();
  await holder.query('BEGIN; SELECT now()');
  const { rows } = await pair.db.query<{ at: string }>(
    `INSERT INTO t SELECT 'same', now() FROM generate_series(1, 3) RETURNING at::text AS at`,
  );
  expect((await pair.run()).totals.loaded).toBe(3);
  await pair.db.query(`INSERT INTO t SELECT 'same', $1::timestamptz FROM generate_series(1, 2)`, [
    rows[0]!.at,
  ]);
  expect((await pair.run()).totals.loaded).toBe(2);
  expect((await pair.run()).totals.loaded).toBe(0);
  await pair.expectEqual('t');
});

it.each(['yesterday', '2026-07-01 00:00:00+02', '12'])(
  'a watermark that somebody typed as "%s" is refused before anything is read',
  async (watermark) => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at' } },
      `CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL); INSERT INTO t VALUES (1, now())`,
    );
    await pair.run();
    const { checkpoint, version } = (await pair.state('t'))!;
    await pair.commitCheckpoint('t', { ...checkpoint!, watermark });
    const report = await pair.attempt();
    expect(report.streams[0]!.error).toMatchObject({ code: 'stream.bad_cursor', recovery: 'config' });
    expect((await pair.state('t'))!.version).toBe(version + 1);
  },
);
