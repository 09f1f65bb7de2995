/** Targets that others lock, lose connections, or deadlock with us: slices are tried again, fewer side by side, and every row arrives once. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { RunEvent } from '../../src/core/events.ts';
import { mariadbPresent, session as mariadbSession, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();

type Target = PostgresTargetSide | MysqlTargetSide;
type Crossing = Pair<PostgresSide, Target>;

const MONTHS = `
  CREATE TABLE m (id int PRIMARY KEY, day date, v text);
  INSERT INTO m SELECT i, date '2025-01-01' + i % 365, repeat('x', 100) FROM generate_series(1, 36500) i`;
const BY_MONTH: Streams = { 'public.m': { load: 'delete-insert', date: { column: 'day', by: 'month' } } };
const WINDOW = { from: '2025-01-01', to: '2026-01-01' };

async function open(kind: string, streams: Streams, sql: string): Promise<Crossing> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  const to: Target =
    kind === 'MariaDB' ? await MysqlTargetSide.open(mariadb()) : await PostgresTargetSide.open(server());
  to.connection = { ...to.connection, lock_timeout: '1 s' };
  return new Pair(from, () => to, streams);
}

interface Other extends AsyncDisposable {
  query(sql: string): Promise<Record<string, unknown>[]>;
}

/** A connection of somebody else to the target. */
async function sessionOf(to: Target): Promise<Other> {
  if (to instanceof MysqlTargetSide) {
    const client = await mariadbSession(to.url);
    return {
      query: async (sql) => (await client.query(sql))[0] as Record<string, unknown>[],
      [Symbol.asyncDispose]: () => client.end(),
    };
  }
  const client = new pg.Client(to.url);
  client.on('error', () => undefined);
  await client.connect();
  return {
    query: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    [Symbol.asyncDispose]: () => client.end(),
  };
}

async function expectEqual(pair: Crossing, table: string): Promise<void> {
  const { lost, extra, doubled } = await pair.compare(table);
  expect([lost.length, extra.length, doubled.length]).toEqual([0, 0, 0]);
}

function widths(pair: Crossing): number[] {
  return pair.events.filter((event) => event.kind === 'concurrency').map(({ workers }) => workers);
}

function retried(events: RunEvent[]): string[] {
  const retries = events.filter((event) => event.kind === 'retry');
  // None of them was the stream as a whole.
  expect(retries.filter(({ slice }) => slice === undefined)).toEqual([]);
  return retries.map(({ code }) => code.replace(/^.*\./, ''));
}

describe.each(['PostgreSQL', ...(mariadbPresent ? ['MariaDB'] : [])])('into %s', (kind) => {
  it('waits until the locks of another session are gone', async () => {
    await using pair = await open(kind, BY_MONTH, MONTHS);
    await pair.run({ window: WINDOW });
    await pair.from.db.query(`UPDATE m SET v = 'y' WHERE id % 3 = 0; DELETE FROM m WHERE id % 7 = 0`);
    await using other = await sessionOf(pair.to);
    await other.query('BEGIN');
    await other.query(`UPDATE m SET v = 'locked' WHERE id % 10 = 0`);
    const unlock = sleep(5000).then(() => other.query('ROLLBACK'));
    await pair.run({ window: WINDOW, workers: 4 });
    await unlock;
    expect(new Set(retried(pair.events))).toEqual(new Set(['locked']));
    expect(widths(pair).slice(0, 2)).toEqual([2, 1]);
    // It has recovered.
    expect(widths(pair).at(-1)).toBeGreaterThan(1);
    await expectEqual(pair, 'm');
  });

  it.each(['delete-insert', 'replace'] as const)(
    'goes on when its connections are cut (%s)',
    async (load) => {
      const streams: Streams = load === 'replace' ? { 'public.m': { load } } : BY_MONTH;
      await using pair = await open(kind, streams, MONTHS);
      pair.from.connection = { ...pair.from.connection, slice_size: '1 MB' };
      const window = load === 'replace' ? {} : WINDOW;
      await pair.run({ window });
      await pair.from.db.query(`UPDATE m SET v = 'y' WHERE id % 3 = 0; DELETE FROM m WHERE id % 7 = 0`);
      await using other = await sessionOf(pair.to);
      let cut = 0;
      const cutting: Promise<unknown>[] = [];
      const onEvent = (event: RunEvent): void => {
        if (event.kind === 'progress' && event.rows > 0 && cut++ < 2) cutting.push(cutLoads(other, kind));
      };
      const report = await pair.attempt({ window, workers: 2, onEvent });
      await Promise.all(cutting);
      expect(report.streams[0]!.error).toBeUndefined();
      await expectEqual(pair, 'm');
    },
  );

  it('takes rows that have come from days that are not loaded now', async () => {
    await using pair = await open(kind, BY_MONTH, MONTHS);
    await pair.from.db.query(`UPDATE m SET day = NULL WHERE id % 5 = 0`);
    await pair.run({ window: WINDOW });
    await pair.run();
    await pair.from.db.query(
      `UPDATE m SET day = '2025-03-05' WHERE id IN (5, 8, 400, 1000); UPDATE m SET day = NULL WHERE id = 9`,
    );
    await pair.run({ window: { from: '2025-03-01', to: '2025-04-01' } });
    expect(retried(pair.events)).toEqual(['moved_rows']);
    expect(widths(pair)).toEqual([]);
    await pair.run();
    await expectEqual(pair, 'm');
    await pair.run({ window: WINDOW });
    await expectEqual(pair, 'm');
  });
});

// InnoDB chooses whom it ends by what each has changed, so there it is seldom us.
it('comes through deadlocks', async () => {
  await using pair = await open('PostgreSQL', BY_MONTH, MONTHS);
  pair.to.connection = { ...pair.to.connection, lock_timeout: '30 s' };
  await pair.run({ window: WINDOW });
  await pair.from.db.query(`UPDATE m SET v = 'y' WHERE id % 3 = 0; DELETE FROM m WHERE id % 7 = 0`);
  await using watcher = await sessionOf(pair.to);
  await using other = await sessionOf(pair.to);
  // Holds the last row of a month, and asks for the first one as soon as a slice waits for the last.
  await other.query('BEGIN');
  await other.query(`UPDATE m SET v = 'held' WHERE id = ${365 * 99 + 70}`);
  const running = pair.run({ window: WINDOW, workers: 4 });
  while ((await watcher.query('SELECT FROM pg_locks WHERE NOT granted')).length === 0) await sleep(10);
  await other.query(`UPDATE m SET v = 'asked for' WHERE id = 70`).catch(() => undefined);
  await other.query('ROLLBACK');
  await running;
  expect(retried(pair.events)).toEqual(['deadlock']);
  expect(widths(pair)[0]).toBe(2);
  await expectEqual(pair, 'm');
});

/** All connections that write into the table. */
async function cutLoads(other: Other, kind: string): Promise<void> {
  if (kind === 'PostgreSQL') {
    await other.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ~* '^copy|^delete' AND pid <> pg_backend_pid()`,
    );
    return;
  }
  const busy = await other.query(
    `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE 'LOAD%'`,
  );
  for (const { id } of busy) await other.query(`KILL ${Number(id)}`).catch(() => undefined);
}
