/** Rows that are deleted in the source, or get another key, with `load: merge` and `deletes`: between all systems that hash keys. */
import { describe, expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide, SqlSide } from '../../guarantees/sides.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

/** Rows that a table has flagged, whatever its readers see. */
type Flagged = (to: DestinationSide) => Promise<Record<string, unknown>[]>;

const ROWS = `FROM t WHERE _sluice_deleted_at IS NOT NULL ORDER BY id`;

const TARGETS: [string, (folder: string) => Promise<DestinationSide>, Flagged][] = [
  [
    'PostgreSQL',
    () => PostgresTargetSide.open(postgres()),
    (to) => (to as PostgresTargetSide).query(`SELECT id, _sluice_deleted_at::text AS at ${ROWS}`),
  ],
  [
    'MariaDB',
    () => MysqlTargetSide.open(mariadb()),
    (to) => (to as MysqlTargetSide).query(`SELECT id, _sluice_deleted_at AS at ${ROWS}`),
  ],
  [
    'a lake',
    async (folder) => new LakeSide(folder),
    (to) =>
      (to as LakeSide).query(
        't',
        `SELECT id, _sluice_deleted_at::VARCHAR AS at ${ROWS.replace('FROM t', 'FROM t_history')}`,
      ),
  ],
  [
    'DuckDB',
    async (folder) => new DuckdbSide(folder),
    (to) => (to as DuckdbSide).ask(`SELECT id, _sluice_deleted_at::VARCHAR AS at ${ROWS}`),
  ],
];

const SOURCES: [string, () => Promise<SqlSide>][] = [
  ['PostgreSQL', () => PostgresSide.open(postgres())],
  ['MariaDB', () => MysqlSide.open(mariadb())],
];

const PAIRS = SOURCES.flatMap(([from, source]) =>
  TARGETS.map(([to, target, flagged]) => ({ from, to, source, target, flagged })),
);

const MAKE: Record<string, string> = {
  postgres: `CREATE TABLE t (id int, part varchar(20), v text, at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (id, part));
    INSERT INTO t SELECT i, 'p ' || i % 3, 'v' || i FROM generate_series(1, 3000) i`,
  mysql: `CREATE TABLE t (id INT, part VARCHAR(20), v TEXT, at DATETIME(6) NOT NULL DEFAULT NOW(6), PRIMARY KEY (id, part));
    INSERT INTO t SELECT seq, CONCAT('p ', seq % 3), CONCAT('v', seq), NOW(6) FROM seq_1_to_3000`,
};
const NOW: Record<string, string> = { postgres: 'clock_timestamp()', mysql: 'NOW(6)' };

async function statements(from: SqlSide, ...list: string[]): Promise<void> {
  for (const sql of list) await from.query(sql.replaceAll('{now}', NOW[from.type]!));
}

describe.runIf(mariadbPresent).each(PAIRS)('$from to $to', ({ source, target, flagged }) => {
  it('removes, follows changed keys, flags, and takes flags away', async () => {
    const from = await source();
    for (const sql of MAKE[from.type]!.split(';')) await from.query(sql);
    const name = from.type === 'mysql' ? 't' : 'public.t';
    await using pair = await openPair(from, target, name);
    pair.streams = { [name]: { load: 'merge', cursor: 'at', deletes: 'remove' } };
    expect((await pair.run()).totals).toMatchObject({ loaded: 3000 });
    await statements(
      from,
      'DELETE FROM t WHERE id % 100 = 7',
      'UPDATE t SET id = id + 100000, at = {now} WHERE id IN (10, 20)',
      `INSERT INTO t (id, part, v) VALUES (9999, 'P ', 'new')`,
    );
    expect((await pair.run()).totals).toMatchObject({ loaded: 3, deleted: 32 });
    expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new', totals: { deleted: 0 } });

    pair.streams = { [name]: { load: 'merge', cursor: 'at', deletes: 'flag' } };
    await statements(from, 'DELETE FROM t WHERE id IN (1, 2)');
    const report = await pair.run();
    expect(report).toMatchObject({ status: 'loaded', totals: { loaded: 0, deleted: 2 } });
    expect(report.changes).toEqual(['+ _sluice_deleted_at timestamptz']);
    const rows = await flagged(pair.to);
    expect(rows.map(({ id }) => Number(id))).toEqual([1, 2]);
    expect(rows[0]!['at']).toEqual(rows[1]!['at']);
    expect(Math.abs(Date.parse(`${String(rows[0]!['at']).slice(0, 19)}Z`) - Date.now())).toBeLessThan(60_000);
    expect(await verify(pair)).toMatchObject([{ status: 'equal', rows: { source: 2969, target: 2969 } }]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new', totals: { deleted: 0 } });
    expect(await flagged(pair.to)).toEqual(rows);

    await statements(from, `INSERT INTO t (id, part, v) VALUES (1, 'p 1', 'v1')`);
    expect((await pair.run()).totals).toMatchObject({ loaded: 1, deleted: 0 });
    expect(await flagged(pair.to)).toEqual([rows[1]]);
    expect(await verify(pair)).toMatchObject([{ status: 'equal', rows: { source: 2970, target: 2970 } }]);
  });
});

async function openPair(
  from: SqlSide,
  target: (folder: string) => Promise<DestinationSide>,
  name: string,
): Promise<Pair<SqlSide, DestinationSide>> {
  // The folder is known before its side is made, which for databases takes a while.
  let folder = '';
  const pair = new Pair<SqlSide, DestinationSide>(
    from,
    (made) => {
      folder = made;
      return undefined as never;
    },
    { [name]: {} },
  );
  Object.assign(pair, { to: await target(folder) });
  return pair;
}

async function verify(pair: Pair<SqlSide, DestinationSide>): Promise<unknown[]> {
  return (await verifyPipeline(await pair.context(), 'p', {})).streams;
}

const VERSIONS = `SELECT id, CASE WHEN _sluice_valid_to IS NULL THEN 1 ELSE 0 END AS valid FROM t WHERE id < 5 ORDER BY id, _sluice_valid_from`;

describe.runIf(mariadbPresent).each(PAIRS.filter(({ to }) => to !== 'a lake'))(
  'versions from $from to $to',
  ({ source, target }) => {
    it('end when their key is gone, and others begin when it is back', async () => {
      const from = await source();
      for (const sql of MAKE[from.type]!.split(';')) await from.query(sql);
      const name = from.type === 'mysql' ? 't' : 'public.t';
      await using pair = await openPair(from, target, name);
      pair.streams = { [name]: { load: 'scd2', cursor: 'at', deletes: 'flag' } };
      expect((await pair.run()).totals).toMatchObject({ loaded: 3000 });
      await statements(from, 'DELETE FROM t WHERE id IN (2, 3)');
      expect((await pair.plan()).streams[0]).toMatchObject({ deletes: 'end', changes: [] });
      expect((await pair.run()).totals).toMatchObject({ loaded: 0, deleted: 2 });
      expect(await pair.run()).toMatchObject({ status: 'nothing-new', totals: { deleted: 0 } });
      await statements(
        from,
        `INSERT INTO t (id, part, v) VALUES (2, 'p 2', 'again')`,
        `INSERT INTO t (id, part, v, at) VALUES (3, 'p 0', 'old', '2020-01-01')`,
      );
      // One by its cursor, one by its key.
      expect((await pair.run()).totals).toMatchObject({ loaded: 2, deleted: 0 });
      const rows = await ask(pair.to, VERSIONS);
      expect(rows.map(({ id, valid }) => `${String(id)} ${String(valid)}`)).toEqual([
        '1 1',
        '2 0',
        '2 1',
        '3 0',
        '3 1',
        '4 1',
      ]);
      expect(await verify(pair)).toMatchObject([{ status: 'equal', rows: { source: 3000, target: 3000 } }]);
    });
  },
);

function ask(to: DestinationSide, sql: string): Promise<Record<string, unknown>[]> {
  return to instanceof DuckdbSide ? to.ask(sql) : (to as PostgresTargetSide).query(sql);
}
