/** Every value of MariaDB in the lake is the one that the server prints. */
import { describe, expect, test } from 'vitest';
import { mariadbPresent, mysqlPair, useMariadb } from '../support/mariadb.ts';
import { CASES } from './mysql-types.fixture.ts';

const server = useMariadb({
  env: { TZ: 'Asia/Kolkata' },
  // Whatever the server's defaults are: quotes, padding, character set.
  settings: [
    '--sql-mode=ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT',
    '--character-set-server=latin1',
    '--default-time-zone=-03:30',
  ],
});

describe.runIf(mariadbPresent)('types of MariaDB', () => {
  test('every value, and how many were changed', async () => {
    const cases = Object.entries(CASES);
    const tables = cases.map(([type, literals], t) => {
      const rows = [...literals, 'NULL'].map((literal, i) => `(${i}, ${literal})`).join(', ');
      return `CREATE TABLE t${t} (id int PRIMARY KEY, c ${type}); INSERT INTO t${t} VALUES ${rows};`;
    });
    const streams = Object.fromEntries(cases.map((_, t) => [`t${t}`, {}]));
    await using pair = await mysqlPair(
      server(),
      streams,
      `SET character_set_connection = utf8mb4; ${tables.join('\n')}`,
    );
    const report = await pair.attempt();
    for (const [t, [type, literals]] of cases.entries()) {
      const { lost, extra, doubled } = await pair.compare(`t${t}`, `t${t}`);
      expect({ type, lost, extra, doubled }).toEqual({ type, lost: [], extra: [], doubled: [] });
      const zeros = literals.filter((literal) => /-00[- ']|02-30/.test(literal)).length;
      const { warnings } = report.streams.find(({ table }) => table === `t${t}`)!;
      expect({ type, warnings: warnings.length }).toEqual({ type, warnings: zeros > 0 ? 1 : 0 });
      if (zeros > 0) expect(warnings[0]).toMatch(new RegExp(`^${zeros} values? of "c"`));
    }
  });

  test('floats, bit by bit', async () => {
    await using pair = await mysqlPair(
      server(),
      { t: {} },
      `CREATE TABLE t (id int PRIMARY KEY, f float, d double, u float unsigned);
       INSERT INTO t SELECT seq, (RAND(seq) - 0.5) * POW(10, CAST(seq % 76 AS SIGNED) - 38), (RAND(seq) - 0.5) * POW(10, CAST(seq % 600 AS SIGNED) - 300), RAND(seq) FROM seq_1_to_2000;
       INSERT INTO t VALUES (-1, 16777217, 9007199254740993, 0.1), (-2, 1.17549435e-38, 5e-324, NULL), (-3, 3.402823466e38, 1.7976931348623157e308, 0), (-4, -0.0, -0e0, NULL);`,
    );
    await pair.run();
    // A double holds every float, and 17 digits tell every double.
    const there = await pair.from.query(
      'SELECT id, CAST(f AS DOUBLE) AS f, d, CAST(u AS DOUBLE) AS u FROM t ORDER BY id',
    );
    const here = await pair.to.query('t', 'SELECT id, f::DOUBLE AS f, d, u::DOUBLE AS u FROM t ORDER BY id');
    expect(here.length).toBe(2004);
    expect(here).toEqual(there);
  });

  test('pinned types, renamed and left-out columns, conditions, queries', async () => {
    await using pair = await mysqlPair(
      server(),
      { t: {} },
      `CREATE TABLE t (id int PRIMARY KEY, flag tinyint(1), code varchar(20), at datetime, span time, raw binary(16), n decimal(60,2), secret text);
       INSERT INTO t VALUES (1, 1, '42', '2026-01-01', '10:00:00', x'00112233445566778899aabbccddeeff', 12.5, 'x'),
                            (2, 5, 'no', '0000-00-00', '30:00:00', NULL, 1e40, 'y'), (3, 0, '7', NULL, '-01:00:00', NULL, NULL, 'z');`,
    );
    pair.options = {
      where: "id < 3 AND code <> 'it''s \\\\'",
      columns: { exclude: ['secret'] },
      rename: { at: 'moment' },
      types: { flag: 'bool', code: 'int32', at: 'text', span: 'time', raw: 'uuid', n: 'decimal(38,2)' },
    };
    const report = await pair.run();
    expect(
      await pair.to.query(
        't',
        'SELECT id, flag, code, moment, span::VARCHAR AS span, raw::VARCHAR AS raw, n::VARCHAR AS n FROM t ORDER BY id',
      ),
    ).toEqual([
      {
        id: 1,
        flag: true,
        code: 42,
        moment: '2026-01-01 00:00:00',
        span: '10:00:00',
        raw: '00112233-4455-6677-8899-aabbccddeeff',
        n: '12.50',
      },
      { id: 2, flag: true, code: null, moment: '0000-00-00 00:00:00', span: null, raw: null, n: null },
    ]);
    for (const column of ['flag', 'code', 'span', 'n']) expect(report.warnings.join()).toContain(column);
    pair.streams = {
      q: {
        sql: `SELECT id, COUNT(*) AS n, SUM(id) AS total, MAX(at) AS last, CONCAT('a', "b", id) AS text, CAST(1.25 AS decimal(5,2)) AS price, raw, NULL AS nothing, flag FROM t GROUP BY id;`,
      },
    };
    await pair.run();
    expect(
      await pair.to.query(
        'q',
        'SELECT id, n, total::VARCHAR AS total, text, price::VARCHAR AS price, nothing FROM q WHERE id = 3',
      ),
    ).toEqual([{ id: 3, n: '1', total: '3', text: 'ab3', price: '1.25', nothing: null }]);
  });
});
