/** A run is killed with SIGKILL at every step that matters; the next one makes it whole. */
import { describe, expect, it } from 'vitest';
import path from 'node:path';
import { openSqliteState } from '../../src/state/sqlite.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { killAt } from '../support/kill.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const SQL = `
  CREATE TABLE t (id int PRIMARY KEY, v text, day date, at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, 'x', date '2026-01-01' + g % 3, now() - interval '1 hour' FROM generate_series(1, 300) g`;
const CHANGE = `UPDATE t SET v = v || 'y', day = day + 1, at = now() WHERE id % 10 = 0; INSERT INTO t SELECT max(id) + 1, 'new', '2026-01-02', now() FROM t`;

type Moments = [string, boolean][];

/** Moments of a load and whether a reader sees what it brings when it is killed there. */
const MOMENTS: Moments = [
  ['event:step/lease:1', false],
  ['event:slice-started:1', false],
  ['event:step/staged:1', false],
  ['event:step/publish:1', false],
  ['before:upload:1', false],
  ['after:upload:2', false],
  ['before:commit:1', false],
  ['after:commit:1', true],
  ['event:step/published:1', true],
];

const AROUND_COMMIT = MOMENTS.slice(-4, -1);

const LOADS: [string, StreamOptions, Moments][] = [
  ['append', { cursor: 'at', overlap: 0 }, AROUND_COMMIT],
  ['merge', { cursor: 'at', overlap: 0, load: 'merge' }, MOMENTS],
  ['replace', { load: 'replace' }, AROUND_COMMIT],
];

describe.each(LOADS)('killed while loading with %s', (_, options, moments) => {
  it('at every step, again and again, the table is never half loaded and comes out whole', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { ...options, partition_by: { column: 'day', by: 'day' } } },
      SQL,
    );
    await pair.run();
    for (const [moment, visible] of moments) {
      await pair.db.query(CHANGE);
      const before = await pair.lines('t');
      await killAt(pair, moment);
      expect(await pair.lines('t'), moment).toEqual(visible ? await pair.sourceLines('t') : before);
      // The killed process held the lease: it is taken at once, and nothing of it is in the way.
      const started = performance.now();
      await pair.run();
      expect(performance.now() - started).toBeLessThan(20_000);
      await pair.expectEqual('t');
      await pair.expectNoRepeats('t');
    }
    const store = await openSqliteState(path.join(pair.folder, '.sluice/state.db'));
    expect(await store.leases()).toEqual([]);
    await store.close();
  });
});

describe('killed in a first load', () => {
  it.each(['event:step/staged:1', 'before:commit:1', 'after:other:1'])(
    'before anything was committed: %s',
    async (moment) => {
      await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, SQL);
      await killAt(pair, moment);
      expect(await pair.state('t')).toBeUndefined();
      await pair.db.query(CHANGE);
      await pair.run();
      await pair.expectEqual('t');
      await pair.expectNoRepeats('t');
    },
  );

  it.each(['after:commit:2', 'event:step/staged:4', 'before:commit:4'])(
    'in small steps, it goes on where the last commit was: %s',
    async (moment) => {
      await using pair = await Pair.open(
        server(),
        { 'public.t': { cursor: 'at', overlap: 0, slice_rows: 50 } },
        `${SQL}; UPDATE t SET at = at + id * interval '1 second'`,
      );
      await killAt(pair, moment);
      const loaded = (await pair.lines('t')).length;
      expect(loaded).toBe(moment.startsWith('after') ? 100 : 150);
      await pair.db.query(`INSERT INTO t VALUES (1000, 'new', '2026-01-02', now())`);
      expect((await pair.run()).totals.loaded).toBe(301 - loaded);
      await pair.expectEqual('t');
      await pair.expectNoRepeats('t');
    },
  );

  it.each(['after:commit:3', 'event:step/staged:5', 'before:commit:4'])(
    'in parts, it goes on with those that are left: %s',
    async (moment) => {
      await using pair = await Pair.open(
        server(),
        { 'public.t': { cursor: 'at', load: 'merge', overlap: 0 } },
        `CREATE TABLE t (id int PRIMARY KEY, v text, pad text, at timestamptz NOT NULL DEFAULT now());
       INSERT INTO t SELECT g, 'x', repeat('p', 200), now() - interval '1 hour' FROM generate_series(1, 3000) g; ANALYZE t`,
      );
      pair.source = { slice_size: 100_000 };
      await killAt(pair, moment, { workers: 2 });
      const loaded = (await pair.lines('t')).length;
      expect(loaded).toBeGreaterThan(0);
      await pair.db.query(`UPDATE t SET v = 'y', at = now() WHERE id IN (3, 2999)`);
      const report = await pair.run();
      expect(report.totals.rows).toBeLessThan(3000);
      await pair.expectEqual('t');
      await pair.expectNoRepeats('t');
    },
  );
});
