/** `verify` from MariaDB, to a lake, to PostgreSQL and to MariaDB: every value that was loaded is equal, and what differs is named. */
import { describe, expect, test } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide } from '../../guarantees/sides.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import type { VerifyOptions } from '../../src/engine/verify-types.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';
import { EQUAL, named, verify } from '../support/verification.ts';
import { CASES } from './mysql-types.fixture.ts';

const server = useMariadb({
  settings: ['--sql-mode=ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH', '--character-set-server=latin1'],
});
const postgres = useServer();

const SIDES: Record<string, () => Promise<DestinationSide | undefined>> = {
  lake: async () => undefined,
  postgres: () => PostgresTargetSide.open(postgres()),
  mariadb: () => MysqlTargetSide.open(server()),
};

async function open(
  target: string,
  streams: Streams,
  sql: string,
): Promise<Pair<MysqlSide, DestinationSide>> {
  const from = await MysqlSide.open(server());
  await from.query(sql);
  const to = await SIDES[target]!();
  const full = Object.entries(streams).map(([name, options]) => [
    `${from.database}.${name}`,
    { table: name, ...options },
  ]);
  return new Pair<MysqlSide, DestinationSide>(
    from,
    (folder) => to ?? new LakeSide(folder),
    Object.fromEntries(full) as Streams,
  );
}

const TYPES: Record<string, string[]> = {
  ...CASES,
  date: [...CASES['date']!, "'0000-01-01'", "'0000-02-28'", "'0000-03-01'", "'0000-12-31'"],
  datetime: [
    ...CASES['datetime']!,
    "'0000-02-01 01:02:03'",
    "'0004-02-29 23:59:59'",
    "'2024-02-31 00:00:00'",
  ],
  float: ['0', '-0.0', '16777217', '1.17549435e-38', '-3.402823466e38', '0.1'],
  double: ['0', '9007199254740993', '5e-324', '1.7976931348623157e308', '-0.1'],
  tinyint: ['-128', '127', '0'],
  'tinyint unsigned': ['0', '255'],
  // PostgreSQL has no place for U+0000.
  tinytext: ['CHAR(0, 97, 0 USING utf8mb4)', "''"],
  'bigint(20) unsigned zerofill': ['0', '18446744073709551615', '5'],
  'year(4)': ['0', '2026'],
  multipoint: ["ST_GeomFromText('MULTIPOINT(1 1,2 2)')"],
};

describe.runIf(mariadbPresent).each(Object.keys(SIDES))('from MariaDB to %s', (target) => {
  test('every value of every type', async () => {
    const cases = Object.entries(TYPES);
    const tables = cases.map(([type, literals], t) => {
      const rows = [...literals, 'NULL'].map((literal, i) => `(${i}, ${literal})`).join(', ');
      return `CREATE TABLE t${t} (id int PRIMARY KEY, c ${type}); INSERT INTO t${t} VALUES ${rows};`;
    });
    const streams = Object.fromEntries(cases.map((_, t) => [`t${t}`, {}]));
    await using pair = await open(
      target,
      streams,
      `SET character_set_connection = utf8mb4, sql_mode = 'ALLOW_INVALID_DATES'; ${tables.join('\n')}`,
    );
    await pair.attempt();
    const { streams: found } = await verifyPipeline(await pair.context(), 'p', {});
    expect(found).toHaveLength(cases.length);
    for (const [t, [type]] of cases.entries()) {
      const { status, error, ...one } = found.find(({ table }) => table === `t${t}`)!;
      expect({ type, status, error, named: named({ ...one, status, error }) }).toEqual({
        type,
        status: 'equal',
        error: undefined,
        named: [],
      });
    }
    // Each of them can differ.
    for (const [t] of cases.entries())
      await pair.from.query(`UPDATE t${t} SET c = NULL WHERE id = 1; DELETE FROM t${t} WHERE id = 0`);
    const later = (await verifyPipeline(await pair.context(), 'p', {})).streams;
    for (const [t, [type, literals]] of cases.entries()) {
      const one = later.find(({ table }) => table === `t${t}`)!;
      const changed = literals.length > 1 ? ['changed id 1: c'] : [];
      expect({ type, named: named(one) }).toEqual({ type, named: [...changed, 'extra id 0'] });
    }
  });

  test('what a cursor brings, rows that changed meanwhile, and a great many', async () => {
    await using pair = await open(
      target,
      { t: { load: 'merge', cursor: 'at' } },
      `CREATE TABLE t (id bigint, part varchar(10), v double, note text, at timestamp(6) NOT NULL, PRIMARY KEY (id, part));
       INSERT INTO t SELECT seq, CONCAT('p', seq % 3), seq / 7, REPEAT('é', seq % 50), TIMESTAMP'2026-01-01 00:00:00' + INTERVAL seq SECOND FROM seq_1_to_60000`,
    );
    await pair.run();
    expect(await verify(pair)).toMatchObject({ ...EQUAL, rows: { source: 60_000, target: 60_000 } });
    await pair.from.query(
      `UPDATE t SET note = 'x' WHERE id IN (7, 30000); DELETE FROM t WHERE id = 9; UPDATE t SET v = 1, at = NOW(6) WHERE id = 11`,
    );
    const found = await verify(pair);
    expect(named(found)).toEqual([
      'changed id 7, part p1: note',
      'changed id 30000, part p0: note',
      'extra id 9, part p0',
    ]);
    expect(found).toMatchObject({ changed: 2, extra: 1, missing: 0, waiting: 1 });
    await pair.from.query('UPDATE t SET v = v + 1');
    expect(await verify(pair, { limit: 3 })).toMatchObject({ changed: 59_998, extra: 1, waiting: 1 });
  });

  test('days, and columns that only the decoder can tell', async () => {
    await using pair = await open(
      target,
      {
        d: { load: 'delete-insert', date: { column: 'at' }, first_run: 864_000 } as never,
        t: { types: { code: 'int32', raw: 'uuid' }, where: 'id < 3' },
      },
      `CREATE TABLE d (id int PRIMARY KEY, v int, at datetime);
       INSERT INTO d SELECT seq, seq, UTC_DATE() - INTERVAL 3 DAY - INTERVAL seq MINUTE FROM seq_1_to_5000;
       CREATE TABLE t (id int PRIMARY KEY, code varchar(20), raw binary(16), v int);
       INSERT INTO t VALUES (1, '42', x'00112233445566778899aabbccddeeff', 1), (2, 'no', NULL, 2), (3, '7', NULL, 3)`,
    );
    const report = await pair.attempt();
    expect(report.streams.map(({ error }) => error)).toEqual([undefined, undefined]);
    await pair.from.query(`UPDATE d SET v = 0 WHERE id = 3000; UPDATE t SET v = 0, code = '43' WHERE id = 1`);
    const { streams } = await verifyPipeline(await pair.context(), 'p', {});
    const [d, t] = ['d', 't'].map((name) => streams.find(({ table }) => table === name)!);
    expect(named(d!)).toEqual(['changed id 3000: v']);
    expect(d!.rows).toEqual({ source: 5000, target: 5000 });
    expect(named(t!)).toEqual(['changed id 1: v']);
    expect(t!.notes.filter((note) => note.includes('types'))).toHaveLength(2);
  });
});

describe.runIf(mariadbPresent)('from MariaDB', () => {
  test('stops a statement when it is told to, and leaves none behind', async () => {
    await using pair = await open(
      'lake',
      { t: { load: 'replace' } },
      `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_500`,
    );
    await pair.run();
    const [name] = Object.keys(pair.streams);
    pair.streams = { [name!]: { table: 't', load: 'replace', where: 'SLEEP(0.05) = 0' } };
    const stop = new AbortController();
    const started = performance.now();
    const onEvent: VerifyOptions['onEvent'] = ({ kind }) => {
      if (kind === 'verify-started') setTimeout(() => stop.abort(), 300);
    };
    await expect(verify(pair, { signal: stop.signal, onEvent })).rejects.toMatchObject({ code: 'cancelled' });
    expect(performance.now() - started).toBeLessThan(15_000);
    const left = await pair.from.query(
      `SELECT INFO FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(0.05)%' AND ID <> CONNECTION_ID()`,
    );
    expect(left).toEqual([]);
  });

  test('says when a row is longer than the server can hash', async () => {
    await using pair = await open(
      'lake',
      { t: { load: 'replace' } },
      `CREATE TABLE t (id int PRIMARY KEY, ${Array.from({ length: 150 }, (_, i) => `c${i} blob`).join(', ')});
       INSERT INTO t VALUES (1${", REPEAT(x'61', 65000)".repeat(150)})`,
    );
    await pair.run();
    expect(await verify(pair)).toMatchObject({ status: 'failed', error: { code: 'verify.row_too_long' } });
  });
});
