/** Runs that are stopped, lose their connections or their state, and go on. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { openSqliteState } from '../../src/state/sqlite.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

/** About 2 MB, so that a few parts of 200 KB make a first load. */
const SQL = `
  CREATE TABLE t (id int PRIMARY KEY, v text, pad text, at timestamptz NOT NULL DEFAULT now()) WITH (autovacuum_enabled = off);
  CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, 'x', repeat('p', 200), now() - interval '1 hour' FROM generate_series(1, 8000) g; ANALYZE t`;
/** Every fiftieth row takes its time, so that there is a middle of the copy. */
const SLOWLY = 'id % 50 <> 0 OR pg_sleep(0.003) IS NOT NULL';

async function leases(pair: Pair): Promise<unknown[]> {
  const store = await openSqliteState(path.join(pair.folder, '.sluice/state.db'));
  const held = await store.leases();
  await store.close();
  return held;
}

describe('a run that is told to stop', () => {
  it('in the middle of the copy stops at once and leaves nothing behind', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0, where: SLOWLY } },
      SQL,
    );
    const stop = new AbortController();
    const started = performance.now();
    const report = await pair.attempt({
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind === 'slice-started') setTimeout(() => stop.abort(), 100);
      },
    });
    expect(report).toMatchObject({ status: 'stopped', streams: [{ status: 'stopped' }] });
    // The whole copy would take longer than half a second.
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await pair.state('t')).toBeUndefined();
    expect(await leases(pair)).toEqual([]);
    const { rows } = await pair.db.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'sluice'`);
    expect(rows).toEqual([]);
    await pair.run();
    await pair.expectEqual('t');
  });

  it.each(['merge', 'replace'] as const)(
    'before the commit leaves the table as it was, with %s',
    async (load) => {
      const options: StreamOptions = load === 'merge' ? { load, cursor: 'at', overlap: 0 } : { load };
      await using pair = await Pair.open(server(), { 'public.t': options }, SQL);
      await pair.run();
      const { version } = (await pair.state('t'))!;
      await pair.db.query(`UPDATE t SET v = 'y', at = now() WHERE id < 100`);
      const stop = new AbortController();
      const report = await pair.attempt({
        signal: stop.signal,
        onEvent: (event) => event.kind === 'step' && event.step === 'staged' && stop.abort(),
      });
      expect(report.status).toBe('stopped');
      expect((await pair.state('t'))!.version).toBe(version);
      expect(await leases(pair)).toEqual([]);
      await pair.run();
      await pair.expectEqual('t');
    },
  );

  it('before it began does nothing at all', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { load: 'replace' } }, SQL);
    const report = await pair.attempt({ signal: AbortSignal.abort() });
    expect(report).toMatchObject({ status: 'stopped', streams: [{ status: 'stopped' }] });
    expect(await pair.state('t')).toBeUndefined();
    expect(await leases(pair)).toEqual([]);
  });
});

it('a state that was deleted costs nothing: fences rise and the run goes on from the checkpoint of the lake', async () => {
  await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, SQL);
  for (let i = 0; i < 3; i++) {
    await pair.db.query(`UPDATE t SET v = v || '${i}', at = now() WHERE id = 1`);
    await pair.run();
  }
  const { fence } = (await pair.state('t'))!;
  rmSync(path.join(pair.folder, '.sluice'), { recursive: true });
  await pair.db.query(`UPDATE t SET v = 'after', at = now() WHERE id = 2`);
  expect((await pair.run()).totals.loaded).toBe(1);
  expect((await pair.state('t'))!.fence).toBeGreaterThan(fence);
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

describe('a first load in parts that was interrupted', () => {
  async function interrupted(options: StreamOptions, parts: number, sql: string = SQL): Promise<Pair> {
    const pair = await Pair.open(server(), { 'public.t': options }, sql);
    pair.source = { slice_size: 200_000 };
    const stop = new AbortController();
    let committed = 0;
    const report = await pair.attempt({
      signal: stop.signal,
      onEvent: (event) => event.kind === 'slice-committed' && ++committed === parts && stop.abort(),
    });
    expect(report.status).toBe('stopped');
    expect((await pair.state('t'))!.checkpoint!.unfinished!.done).toHaveLength(parts);
    return pair;
  }

  it('goes on with the parts that are left', async () => {
    await using pair = await interrupted({ cursor: 'at', overlap: 0 }, 4);
    const left = 8000 - (await pair.lines('t')).length;
    expect((await pair.plan()).streams[0]!).toMatchObject({ action: 'resume' });
    const report = await pair.run();
    expect(report.totals.loaded).toBe(left);
    expect(report.totals.rows).toBe(left);
    expect((await pair.state('t'))!.checkpoint!.unfinished).toBeUndefined();
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
    expect((await pair.run()).totals.loaded).toBe(0);
  });

  // Rows at the end move to the beginning, which was read; no cursor tells of that.
  const MOVE = `
    DELETE FROM t WHERE id < 500; VACUUM t;
    UPDATE t SET v = 'moved' WHERE id > 7000; INSERT INTO t SELECT g, 'new', repeat('p', 200), now() FROM generate_series(9000, 9009) g`;

  it.each([
    ['a timestamp', 'at', 'append'],
    ['a rising number', 'id', 'append'],
    ['xmin', 'xmin', 'append'],
    ['a timestamp', 'at', 'merge'],
  ] as const)(
    'finds rows that have moved from parts that are left to parts that are done: %s (%s, %s)',
    async (_, cursor, load) => {
      await using pair = await interrupted({ cursor, load, overlap: 0 }, 3);
      for (const statement of MOVE.split(';')) await pair.db.query(statement);
      const { rows } = await pair.db.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM t WHERE v = 'moved' AND ctid < '(20,0)'`,
      );
      expect(rows[0]!.n).toBeGreaterThan(100);
      await pair.run();
      // Deleted rows that were loaded before stay, as for every stream that goes by a cursor.
      const keep = new Set(await pair.lines('t', 'current', ['id']));
      for (const id of Array.from({ length: 499 }, (_, i) => String(i + 1))) keep.delete(id);
      expect([...keep].map(Number).sort((a, b) => a - b)).toEqual([
        ...Array.from({ length: 7501 }, (_, i) => i + 500),
        ...Array.from({ length: 10 }, (_, i) => 9000 + i),
      ]);
      const moved = await pair.query('t', `SELECT count(*) AS n FROM t WHERE v = 'moved'`);
      expect(Number(moved[0]!['n'])).toBe(1000);
      await pair.expectNoRepeats('t');
      await pair.run();
      await pair.expectNoRepeats('t');
    },
  );

  it('begins again when the table was rewritten meanwhile', async () => {
    await using pair = await interrupted({ cursor: 'at', overlap: 0 }, 3);
    await pair.db.query('DELETE FROM t WHERE id % 2 = 0');
    await pair.db.query('VACUUM FULL t');
    expect((await pair.plan()).streams[0]!).toMatchObject({ action: 'reload' });
    await pair.run();
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('begins again when no key tells its rows apart', async () => {
    await using pair = await interrupted({ cursor: 'at', overlap: 0 }, 3, SQL.replace('PRIMARY KEY', ''));
    for (const statement of MOVE.split(';')) await pair.db.query(statement);
    await pair.run();
    await pair.expectEqual('t');
  });

  it('does not take a window in between, whose rows its parts would bring again', async () => {
    await using pair = await interrupted({ cursor: 'at', overlap: 0 }, 3);
    const report = await pair.attempt({ window: { from: '2026-01-01' } });
    expect(report.streams[0]!.error).toMatchObject({ code: 'stream.unfinished' });
  });
});

describe('connections that are lost', () => {
  const STREAMS = { 'public.t': { cursor: 'at', overlap: 0, where: SLOWLY } };
  const retries = (pair: Pair): string[] =>
    pair.events.flatMap((event) => (event.kind === 'retry' ? [event.code] : []));

  it('a server that goes down in the middle of the copy is waited for', { timeout: 90_000 }, async () => {
    await using pair = await Pair.open(server(), STREAMS, SQL);
    let restarted: Promise<void> | undefined;
    const onEvent = (event: { kind: string }): void => {
      if (event.kind === 'slice-started')
        restarted ??= new Promise((resolve) => setTimeout(() => resolve(server().restart('immediate')), 100));
    };
    await pair.run({ onEvent });
    await restarted;
    expect(retries(pair).length).toBeGreaterThan(0);
    const db = await pair.connect();
    const { rows } = await db.query<{ n: number }>('SELECT count(*)::int AS n FROM t');
    expect(await pair.lines('t', 'history')).toHaveLength(rows[0]!.n);
    await pair.expectNoRepeats('t');
  });

  it('a reader that is cut off reads again, in the same snapshot', async () => {
    await using pair = await Pair.open(server(), STREAMS, SQL);
    let cut: Promise<unknown> | undefined;
    await pair.run({
      onEvent: (event) => {
        if (event.kind !== 'slice-started' || cut) return;
        cut = waitFor(
          pair,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND query LIKE 'COPY%'`,
        );
        // Changes after the snapshot come with the next run, also after a retry.
        void cut.then(() => pair.db.query(`UPDATE t SET v = 'later', at = now() WHERE id = 1`));
      },
    });
    await cut;
    expect(retries(pair)).toEqual(['postgres.shutting_down']);
    expect(await pair.lines('t', 'history')).toHaveLength(8000);
    await pair.run();
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('a lost snapshot is taken anew for the streams that are left', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { cursor: 'at', overlap: 0 }, 'public.u': { cursor: 'at', overlap: 0 } },
      `${SQL}; CREATE TABLE u AS TABLE t; ALTER TABLE u ADD PRIMARY KEY (id)`,
    );
    let cut: Promise<unknown> | undefined;
    const report = await pair.attempt({
      workers: 1,
      onEvent: (event) => {
        if (event.kind !== 'step' || event.step !== 'staged' || cut) return;
        cut = waitFor(
          pair,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND state = 'idle in transaction'`,
        );
      },
    });
    await cut;
    expect(report.status).toBe('succeeded');
    expect(retries(pair).length).toBeGreaterThan(0);
    await pair.expectEqual('t');
    await pair.expectEqual('u');
    await pair.expectNoRepeats('u');
  });

  it('a source that stays away fails the run, and nothing was changed', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, SQL);
    await pair.run();
    const { version } = (await pair.state('t'))!;
    pair.source = { url: pair.url.replace(/:\d+\//, ':1/') };
    const report = await pair.attempt();
    expect(report).toMatchObject({
      status: 'failed',
      streams: [{ error: { code: 'postgres.connection_refused', recovery: 'transient' } }],
    });
    expect((await pair.state('t'))!.version).toBe(version);
    expect(await leases(pair)).toEqual([]);
  });
});

/** Repeats a query until it returns a row. */
async function waitFor(pair: Pair, sql: string): Promise<void> {
  for (let i = 0; i < 500; i++) if ((await pair.db.query(sql)).rows.length > 0) return;
  throw new Error(`never happened: ${sql}`);
}
