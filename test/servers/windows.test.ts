/** Parts of a stream that the user or the configuration asks for: windows, days, small steps, everything again. */
import { describe, expect, it } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const HISTORY = `
  CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'x', at timestamptz NOT NULL); CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, 'x', timestamptz '2026-01-01 00:00Z' + g * interval '1 hour' FROM generate_series(0, 239) g`;

describe('a window that the user asks for', () => {
  it('is read again without doubling anything, and leaves the watermark', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, HISTORY);
    await pair.run();
    const before = (await pair.state('t'))!.checkpoint;
    // Changed without a new timestamp: only a second look finds it.
    await pair.db.query(`UPDATE t SET v = 'y' WHERE id IN (30, 100)`);
    const window = { from: '2026-01-02', to: '2026-01-03' };
    expect((await pair.run({ window })).totals).toMatchObject({ rows: 24, loaded: 1 });
    expect((await pair.run({ window })).totals).toMatchObject({ rows: 24, loaded: 0 });
    expect((await pair.state('t'))!.checkpoint).toMatchObject({
      watermark: before!.watermark,
      high: before!.high,
    });
    await pair.expectNoRepeats('t');
  });

  it('that reaches beyond what was loaded is not loaded once more by the next run', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, HISTORY);
    await pair.run();
    await pair.db.query(`INSERT INTO t SELECT g, 'new', now() FROM generate_series(1000, 1009) g`);
    expect((await pair.run({ window: { from: '2026-01-09' } })).totals.loaded).toBe(10);
    expect((await pair.run()).totals.loaded).toBe(0);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('may come before the first run, which then brings the rest', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, HISTORY);
    expect(
      (await pair.run({ window: { from: '2026-01-03T00:00:00Z', to: '2026-01-04T00:00:00Z' } })).totals
        .loaded,
    ).toBe(24);
    expect((await pair.run({ window: { from: '2026-01-05', to: '2026-01-06' } })).totals.loaded).toBe(24);
    expect((await pair.run()).totals.loaded).toBe(240 - 48);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('with a full refresh keeps only the window, and the next run brings the rest', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, HISTORY);
    await pair.run();
    await pair.run({ fullRefresh: true, window: { to: '2026-01-02' } });
    await pair.expectEqual('t', 't WHERE id < 24');
    await pair.run();
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });
});

describe('a stream by day', () => {
  const SQL = `
    CREATE TABLE d (id int PRIMARY KEY, v text DEFAULT 'x', day date);
    INSERT INTO d SELECT g, 'x', (now() AT TIME ZONE 'UTC')::date - g / 10 FROM generate_series(0, 99) g;
    INSERT INTO d VALUES (1000, 'no day', NULL)`;
  const day = (back: number): string => new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);

  it('loads yesterday, again and again without doubling it', async () => {
    await using pair = await Pair.open(server(), { 'public.d': { date: 'day' } }, SQL);
    expect((await pair.run()).totals.loaded).toBe(11);
    await pair.db.query(
      `UPDATE d SET v = 'y' WHERE id = 10; DELETE FROM d WHERE id = 11; INSERT INTO d VALUES (500, 'late', '${day(1)}')`,
    );
    expect((await pair.run()).totals.loaded).toBe(11);
    await pair.expectEqual('d', `d WHERE day = '${day(1)}' OR day IS NULL`);
  });

  it('replaces rows without a date in every run, and leaves them alone when days are asked for', async () => {
    await using pair = await Pair.open(server(), { 'public.d': { date: 'day' } }, SQL);
    await pair.run({ window: { from: day(3), to: day(2) } });
    await pair.expectEqual('d', `d WHERE day = '${day(3)}'`);
    await pair.db.query(`INSERT INTO d VALUES (1001, 'no day', NULL), (1002, 'no day', NULL)`);
    await pair.run();
    const wanted = `day >= '${day(3)}' AND day < '${day(0)}'`;
    await pair.expectEqual('d', `d WHERE ${wanted} OR day IS NULL`);
    // One is gone, one has got a day, one has changed.
    await pair.db.query(
      `DELETE FROM d WHERE id = 1001; UPDATE d SET day = '${day(3)}' WHERE id = 1002; UPDATE d SET v = 'y' WHERE id = 1000`,
    );
    await pair.run({ window: { from: day(3), to: day(2) } });
    expect((await pair.lines('d', 'current', ['id'])).filter((id) => Number(id) >= 1000).toSorted()).toEqual([
      '1000',
      '1001',
      '1002',
    ]);
    await pair.run();
    await pair.expectEqual('d', `d WHERE ${wanted} OR day IS NULL`);
  });

  it('brings rows without a date again after it was interrupted', async () => {
    await using pair = await Pair.open(server(), { 'public.d': { date: 'day', first_run: 4 * 86_400 } }, SQL);
    const stop = new AbortController();
    const report = await pair.attempt({
      workers: 1,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind === 'slice-committed' && event.slice === 'no-date') stop.abort();
      },
    });
    expect(report.status).toBe('stopped');
    await pair.db.query(`UPDATE d SET v = 'y' WHERE day IS NULL`);
    expect((await pair.plan()).streams[0]!.slices.map(({ id }) => id)).toContain('no-date');
    await pair.run();
    await pair.expectEqual('d', `d WHERE day >= '${day(4)}' AND day < '${day(0)}' OR day IS NULL`);
  });

  it('loads the days of a range, each in the place of what was there', async () => {
    await using pair = await Pair.open(server(), { 'public.d': { date: 'day' } }, SQL);
    await pair.run({ window: { from: day(5), to: day(2) } });
    await pair.expectEqual('d', `d WHERE day >= '${day(5)}' AND day < '${day(2)}'`);
    await pair.db.query(
      `DELETE FROM d WHERE day = '${day(4)}'; UPDATE d SET v = 'y' WHERE day = '${day(3)}'; UPDATE d SET v = 'z' WHERE day = '${day(5)}'`,
    );
    await pair.run({ window: { from: day(4), to: day(2) } });
    expect(await pair.lines('d', 'current', ['v'])).toEqual([
      ...Array<string>(10).fill('x'),
      ...Array<string>(10).fill('y'),
    ]);
  });

  it('catches up with the days since the last run', async () => {
    await using pair = await Pair.open(server(), { 'public.d': { date: 'day', first_run: 4 * 86_400 } }, SQL);
    await pair.run();
    await pair.expectEqual('d', `d WHERE day >= '${day(4)}' AND day < '${day(0)}' OR day IS NULL`);
    const { checkpoint } = (await pair.state('d'))!;
    expect(checkpoint!.day).toBe(day(1));
    await pair.commitCheckpoint('d', { ...checkpoint!, day: day(4) });
    expect((await pair.plan()).streams[0]!.slices.map((slice) => slice.id)).toEqual([
      'no-date',
      `day-${day(3)}`,
      `day-${day(2)}`,
      `day-${day(1)}`,
    ]);
  });

  it('loads a day again as long as somebody may still write to it', async () => {
    await using pair = await Pair.open(server(), { 'public.d': { date: 'day', overlap: 0 } }, SQL);
    // A prepared transaction hides when it began, so no day is final while it may still write here.
    await pair.db.query(`BEGIN; INSERT INTO d VALUES (2000, 'late', '${day(4)}'); PREPARE TRANSACTION 'day'`);
    await pair.run({ window: { from: day(5), to: day(2) } });
    expect((await pair.state('d'))!.checkpoint!.day).toBe(day(6));
    await pair.db.query(`COMMIT PREPARED 'day'`);
    await pair.run();
    await pair.expectEqual('d', `d WHERE day >= '${day(5)}' AND day < '${day(0)}' OR day IS NULL`);
    expect((await pair.state('d'))!.checkpoint!.day).toBe(day(1));
  });

  it('counts days in the zone that it is told', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { date: { column: 'at', timezone: 'Asia/Tokyo' } } },
      HISTORY,
    );
    await pair.run({ window: { from: '2026-01-03', to: '2026-01-04' } });
    await pair.expectEqual('t', `t WHERE at >= '2026-01-02 15:00Z' AND at < '2026-01-03 15:00Z'`);
  });

  it('keeps all days in a full refresh', async () => {
    await using pair = await Pair.open(server(), { 'public.d': { date: 'day' } }, SQL);
    await pair.run({ window: { from: day(5), to: day(0) } });
    await pair.run({ fullRefresh: true });
    await pair.expectEqual('d', `d WHERE day < '${day(0)}' OR day IS NULL`);
    expect((await pair.state('d'))!.checkpoint!.day).toBe(day(1));
  });
});

describe('small steps over a backlog', () => {
  it('are committed one by one', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0, slice_rows: 50 } },
      HISTORY,
    );
    await pair.run();
    expect((await pair.state('t'))!.version).toBe(5);
    await pair.db.query(
      `INSERT INTO t SELECT g, 'new', now() - interval '10 minutes' + g * interval '1 second' FROM generate_series(1000, 1119) g; ANALYZE t`,
    );
    expect((await pair.run()).totals.loaded).toBe(120);
    expect((await pair.state('t'))!.version).toBe(8);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it.each([1, 2, 4])('go on where they were interrupted after step %i', async (steps) => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0, slice_rows: 50 } },
      HISTORY,
    );
    const stop = new AbortController();
    let committed = 0;
    const report = await pair.attempt({
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind === 'slice-committed' && ++committed === steps) stop.abort();
      },
    });
    expect(report.status).toBe('stopped');
    expect((await pair.lines('t')).length).toBe(50 * steps);
    await pair.db.query(
      `INSERT INTO t VALUES (1000, 'new', now()); UPDATE t SET v = 'y', at = now() WHERE id IN (5, 200)`,
    );
    await pair.run();
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('hold together rows of one moment, however many they are', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0, slice_rows: 20 } },
      `CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL); CREATE INDEX ON t (at);
       INSERT INTO t SELECT g, timestamptz '2026-01-01' + CASE WHEN g < 30 THEN g WHEN g < 130 THEN 30 ELSE g - 100 END * interval '1 second' FROM generate_series(0, 199) g`,
    );
    await pair.run();
    expect((await pair.state('t'))!.version).toBeGreaterThan(5);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });
});

it('a full refresh of one stream leaves the others as they are', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.a': { cursor: 'at', overlap: 0 }, 'public.b': { cursor: 'at', overlap: 0 } },
    `${HISTORY.replaceAll(' t ', ' a ').replace('INTO t', 'INTO a')}; ${HISTORY.replaceAll(' t ', ' b ').replace('INTO t', 'INTO b')}`,
  );
  await pair.run();
  // Deleted rows and silent changes are what a full refresh is for.
  await pair.db.query(
    `DELETE FROM a WHERE id < 10; UPDATE a SET v = 'y' WHERE id = 50; DELETE FROM b WHERE id < 10`,
  );
  const before = (await pair.state('b'))!;
  const report = await pair.attempt({ fullRefresh: true, select: ['public.a'] });
  expect(report.streams.map((stream) => stream.stream)).toEqual(['public.a']);
  await pair.expectEqual('a');
  expect(await pair.lines('a', 'history')).toHaveLength(230);
  expect((await pair.state('b'))!.version).toBe(before.version);
  await pair.run();
  expect((await pair.state('a'))!.files.length).toBe(1);
});
