/** Rows of Parquet files that are put aside come back as they were, wherever in a large file they are. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { quarantine, type QuarantinedRecord } from '../../src/index.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { FileLake } from '../support/file-lake.ts';
import { makeParquet } from '../support/make-parquet.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

type Read = () => Promise<unknown[]>;

const ROWS = 'SELECT * FROM t ORDER BY id';

/** How each is made the target of the pair, and read. */
const DESTINATIONS: Readonly<Record<string, (pair: FileLake) => Promise<Read>>> = {
  lake: async (pair) => () => pair.query(ROWS),
  duckdb: async (pair) => {
    pair.target = { type: 'duckdb', path: './t.duckdb' };
    return () => askDuckdb(path.join(pair.folder, 't.duckdb'), ROWS);
  },
  postgres: async (pair) => {
    const db = await PostgresSide.open(postgres());
    pair.target = { type: 'postgres', url: db.url };
    return () => db.query(ROWS.replace('*', 't::text'));
  },
  ...(mariadbPresent && {
    mariadb: async (pair) => {
      const db = await MysqlTargetSide.open(mariadb());
      pair.target = { type: 'mysql', url: db.url };
      return () => db.query(ROWS);
    },
  }),
};

/** Each of them twice, and NULL. */
const VALUES: Readonly<Record<string, readonly [string, string]>> = {
  BOOLEAN: ['true', 'false'],
  SMALLINT: ['-32768', '32767'],
  BIGINT: ['-9223372036854775808', '9223372036854775807'],
  UBIGINT: ['18446744073709551615', '0'],
  FLOAT: ['1.5e-30', '-0'],
  DOUBLE: ['5e-308', '0.1'],
  'DECIMAL(38,10)': ['-1234567890123456789012345678.0123456789', '0.0000000001'],
  VARCHAR: ['a "quote", a \\ and\n😀', ''],
  BLOB: ['\\x00\\xFF\\x5C\\x22', ''],
  DATE: ['1000-01-01', '9999-12-31'],
  TIME: ['23:59:59.999999', '00:00:00'],
  TIMESTAMP: ['1969-12-31 23:59:59.999999', '2026-07-24 01:05:23.118402'],
  TIMESTAMPTZ: ['1969-12-31 23:59:59.999999+00', '2026-07-24 01:05:23.118402+02'],
  TIMESTAMP_NS: ['2026-07-24 01:05:23.118402', '1970-01-01 00:00:00'],
  UUID: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  'INTEGER[]': ['[1, NULL, 3]', '[]'],
  'STRUCT(city VARCHAR, n DECIMAL(20,2))': ["{'city': 'Köln', 'n': 123456789012345678.10}", "{'city': NULL}"],
  'MAP(VARCHAR, INTEGER[])': ['{a=[1], b=[]}', '{}'],
};

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** Rows 1 to 3 with all values. */
const FULL = [0, 1, 2].map((row) => {
  const columns = Object.entries(VALUES).map(([type, values], i) => {
    const value = values[row];
    return `CAST(${value === undefined ? 'NULL' : text(value)} AS ${type}) AS c${i}`;
  });
  return `SELECT ${row + 1}::BIGINT AS id, ${columns.join(', ')}`;
});
/** Rows 1 to 3 with none. */
const EMPTY = `SELECT * FROM (SELECT range + 1 AS id FROM range(3)), (SELECT * EXCLUDE (id) FROM (${FULL[2]}))`;

async function kept(pair: FileLake): Promise<QuarantinedRecord[]> {
  return Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
}

async function replay(pair: FileLake): Promise<number | undefined> {
  const report = await quarantine.replay(pair.project, 'p', { directory: pair.folder });
  const stream = report?.streams[0];
  if (stream?.error) throw new Error(`${stream.error.code}: ${stream.error.message}`);
  return stream?.totals.loaded;
}

describe.each(Object.entries(DESTINATIONS))('%s', (_, open) => {
  it('has the same values, whether they come at once or from quarantine', async () => {
    await using pair = new FileLake({ files: '*.parquet', key: ['id'], load: 'merge', max_bad: '100 %' });
    const read = await open(pair);
    pair.write('a.parquet', await makeParquet(`${EMPTY} UNION ALL ${FULL.join(' UNION ALL ')}`));
    expect((await pair.run()).totals).toMatchObject({ loaded: 3, quarantined: 3 });
    const empty = await read();
    expect((await kept(pair)).map(({ file, line, code }) => [file, line, code])).toEqual(
      [4, 5, 6].map((line) => ['a.parquet', line, 'row.duplicate']),
    );
    expect(await replay(pair)).toBe(3);
    expect(await replay(pair)).toBeUndefined();
    const again = await read();
    expect(again).not.toEqual(empty);
    pair.write('a.parquet', await makeParquet(FULL.join(' UNION ALL ')));
    await pair.run({ fullRefresh: true });
    expect(await read()).toEqual(again);
    expect(await kept(pair)).toEqual([]);
  });
});

describe('a large file', () => {
  const SIZE = 300_000;
  /** Of its rows three have no `int32`. */
  const misfits = [7, 100_007, 200_007];
  const stream: StreamOptions = { files: { path: '*.parquet', file_column: false }, types: { n: 'int32' } };
  const large = (bad: string): Promise<Buffer> =>
    makeParquet(
      `SELECT range AS id, CASE WHEN ${bad} THEN -1 WHEN range % 100000 = 7 THEN 3000000000 ELSE 1 END AS n, 'text ' || hash(range) AS name FROM range(${SIZE})`,
      ', ROW_GROUP_SIZE 20000',
    );

  it.each(['append', 'merge', 'replace'] as const)('in parts, by %s', async (load) => {
    const bad = [0, 1, 19_999, 20_000, 123_456, SIZE - 2, SIZE - 1];
    const db = await PostgresSide.open(postgres());
    await db.query('CREATE TABLE t (id bigint, n int CHECK (n > 0), name text)');
    await using pair = new FileLake({ ...stream, key: ['id'], load });
    pair.connection = { slice_size: '1 MB' };
    pair.target = { type: 'postgres', url: db.url };
    pair.write('a.parquet', await large(`range IN (${bad.join(', ')})`));
    const { totals } = await pair.run({ workers: 3 });
    expect(totals).toMatchObject({ rows: SIZE, loaded: SIZE - 10, quarantined: 10 });
    const records = (await kept(pair)).toSorted((a, b) => a.line - b.line);
    const found = records.map(({ line, code, raw }) => ({
      line,
      code,
      id: (JSON.parse(raw) as { id: number }).id,
    }));
    const aside = (ids: number[], code: string): typeof found =>
      ids.map((id) => ({ line: id + 1, code, id }));
    expect(found).toEqual(
      [...aside(bad, 'row.refused'), ...aside(misfits, 'row.type')].toSorted((a, b) => a.id - b.id),
    );
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    const [checked] = await db.query(
      `SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 't'::regclass`,
    );
    await db.query(`ALTER TABLE t DROP CONSTRAINT ${String(checked!['conname'])}`);
    expect(await replay(pair)).toBe(bad.length);
    pair.stream = { ...pair.stream, types: { n: 'int64' } };
    expect(await replay(pair)).toBe(misfits.length);
    const [sum] = await db.query(
      'SELECT count(*) AS n, sum(id) AS ids, count(DISTINCT id) AS distinct FROM t',
    );
    expect(sum).toEqual({ n: `${SIZE}`, ids: `${(SIZE * (SIZE - 1)) / 2}`, distinct: `${SIZE}` });
  });

  it('fails when more rows are refused than may be, and nothing is loaded', async () => {
    const db = await PostgresSide.open(postgres());
    await db.query('CREATE TABLE t (id bigint, n int CHECK (n > 0), name text)');
    await using pair = new FileLake(stream);
    pair.target = { type: 'postgres', url: db.url };
    pair.write('a.parquet', await large('range % 90 = 0'));
    const [failed] = (await pair.report()).streams;
    expect(failed?.error).toMatchObject({ code: 'quarantine.threshold' });
    expect(await db.query('SELECT 1 AS one FROM t LIMIT 1')).toEqual([]);
    expect(await kept(pair)).toEqual([]);
  });
});
