/** Keys of every type: what is gone is found, and the rest stays. */
import { expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide, SqlSide } from '../../guarantees/sides.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

/** Type, and a key for each i from 1 to 12. */
const POSTGRES: Record<string, [type: string, value: string]> = {
  smallint: ['smallint', 'i - 6'],
  bigint: ['bigint', '(i - 6) * 1000000000000000'],
  numeric: ['numeric(20,4)', '(i - 6) / 8.0'],
  uuid: ['uuid', 'md5(i::text)::uuid'],
  bytes: ['bytea', `decode(md5(i::text), 'hex')`],
  day: ['date', `date '1970-01-05' - i`],
  moment: ['timestamptz', `timestamptz '2026-03-29 03:00:00.000001+02' - i * interval '1 hour'`],
  local: ['timestamp', `timestamp '2000-01-01 00:00:00' - i * interval '1 microsecond'`],
  clock: ['time', `time '00:00' + i * interval '1 second'`],
  float: ['float8', '(i - 6) / 7.0'],
  flag: ['boolean', 'i = 12'],
  words: ['varchar(40)', `'ä '' "' || chr(64 + i) || ','`],
  fixed: ['char(5)', 'i::text'],
  address: ['inet', `('10.0.0.' || i)::inet`],
};
const MARIADB: Record<string, [type: string, value: string]> = {
  unsigned: ['BIGINT UNSIGNED', '18446744073709551600 + seq'],
  decimals: ['DECIMAL(20,4)', '(CAST(seq AS SIGNED) - 6) / 8'],
  bytes: ['VARBINARY(40)', 'UNHEX(MD5(seq))'],
  day: ['DATE', `DATE '1970-01-05' - INTERVAL seq DAY`],
  moment: ['TIMESTAMP(6)', `TIMESTAMP '2026-03-29 03:00:00.000001' - INTERVAL seq HOUR`],
  local: ['DATETIME(6)', `TIMESTAMP '2000-01-01 00:00:00' - INTERVAL seq MICROSECOND`],
  doubles: ['DOUBLE', '(CAST(seq AS SIGNED) - 6) / 7e0'],
  words: ['VARCHAR(40) COLLATE utf8mb4_bin', `CONCAT('ä '' "', CHAR(64 + seq), ',')`],
  latin: ['VARCHAR(20) CHARACTER SET latin1', `CONCAT('ä', seq)`],
  fixed: ['CHAR(5)', 'seq'],
  letters: [`ENUM('a','b','c','d','e','f','g','h','i','j','k','l')`, 'seq'],
};

interface Kind {
  from: string;
  open: () => Promise<SqlSide>;
  types: Record<string, [type: string, value: string]>;
  rows: string;
  now: string;
}

const KINDS: Kind[] = [
  {
    from: 'PostgreSQL',
    open: () => PostgresSide.open(postgres()),
    types: POSTGRES,
    rows: 'generate_series(1, 12) i',
    now: 'timestamptz DEFAULT now()',
  },
  {
    from: 'MariaDB',
    open: () => MysqlSide.open(mariadb()),
    types: MARIADB,
    rows: 'seq_1_to_12',
    now: 'DATETIME(6) DEFAULT NOW(6)',
  },
];

const TARGETS: [string, (folder: string) => Promise<DestinationSide>][] = [
  ['PostgreSQL', () => PostgresTargetSide.open(postgres())],
  ['MariaDB', () => MysqlTargetSide.open(mariadb())],
  ['a lake', async (folder) => new LakeSide(folder)],
  ['DuckDB', async (folder) => new DuckdbSide(folder)],
];

it
  .runIf(mariadbPresent)
  .each(KINDS.flatMap((kind) => TARGETS.map(([to, target]) => ({ ...kind, to, target }))))(
  'from $from to $to',
  async ({ open, types, rows, now, target }) => {
    const from = await open();
    const names = Object.keys(types);
    for (const [name, [type, value]] of Object.entries(types)) {
      await from.query(`CREATE TABLE k_${name} (k ${type} PRIMARY KEY, n int, at ${now})`);
      const n = rows.includes('seq') ? 'seq' : 'i';
      const some = name === 'flag' ? ' WHERE i > 10' : '';
      await from.query(`INSERT INTO k_${name} (k, n) SELECT ${value}, ${n} FROM ${rows}${some}`);
    }
    let folder = '';
    const schema = from.type === 'mysql' ? '' : 'public.';
    const streams: Streams = {};
    for (const name of names)
      streams[`${schema}k_${name}`] = { load: 'merge', cursor: 'at', deletes: 'remove' };
    const pair = new Pair<SqlSide, DestinationSide>(
      from,
      (made) => ((folder = made), undefined as never),
      streams,
    );
    Object.assign(pair, { to: await target(folder) });
    await using opened = pair;
    const first = await opened.attempt();
    expect(first.streams.map(({ error }) => error)).toEqual(names.map(() => undefined));
    for (const name of names) await from.query(`DELETE FROM k_${name} WHERE n IN (3, 4, 11)`);
    const second = await opened.attempt();
    const found = second.streams.map(({ table, error, totals }) => [table, error?.message, totals.deleted]);
    expect(found).toEqual(names.map((name) => [`k_${name}`, undefined, name === 'flag' ? 1 : 3]));
    const verified = await verifyPipeline(await opened.context(), 'p', {});
    const left = verified.streams.map(({ table, status, rows: each }) => [table, status, each.target]);
    expect(left).toEqual(names.map((name) => [`k_${name}`, 'equal', name === 'flag' ? 1 : 9]));
  },
);
