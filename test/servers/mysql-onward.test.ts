/** From MariaDB to MariaDB and to PostgreSQL, by the same pipelines. */
import { afterEach, describe, expect, it } from 'vitest';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide } from '../../guarantees/sides.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { agree, found } from '../support/diagnosis.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { FAST } from '../support/mysql-kit.ts';
import { useServer } from '../support/server.ts';

const mariadb = useMariadb({ settings: FAST });
const postgres = useServer();
type Crossing = Pair<MysqlSide, DestinationSide>;

const MAKE = `CREATE TABLE t (id INT PRIMARY KEY, code VARCHAR(40) NOT NULL, n DECIMAL(20,6), f FLOAT, d DOUBLE, b TINYINT, u BIGINT,
    j JSON, x VARBINARY(300), day DATE, at DATETIME(6) NOT NULL, note LONGTEXT);
  INSERT INTO t SELECT seq, CONCAT('c', seq, IF(seq % 2, ' ', '')), seq / 7, seq / 3, seq / 11e0, seq % 100, seq * 4000000007, '{"a":  1.50}',
    UNHEX(MD5(seq)), DATE '2000-01-01' + INTERVAL seq DAY, TIMESTAMP '2026-01-01 00:00:00.000001' + INTERVAL seq MINUTE, IF(seq % 5, REPEAT('ä\\t', seq % 40), NULL)
    FROM seq_1_to_4000`;

let pair: Crossing | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function open(to: DestinationSide, stream: StreamOptions): Promise<Crossing> {
  const from = await MysqlSide.open(mariadb());
  await from.query(MAKE);
  pair = new Pair(from, () => to, { t: stream });
  return pair;
}

const TYPES = `CREATE TABLE t (id INT UNSIGNED, part TINYINT UNSIGNED, PRIMARY KEY (id, part), a TINYINT, b TINYINT(1), c SMALLINT UNSIGNED, d MEDIUMINT, e BIGINT UNSIGNED,
    f INT(10) UNSIGNED ZEROFILL, at DATETIME, at3 DATETIME(3), c5 CHAR(5), v VARCHAR(40) CHARACTER SET latin1, tt TINYTEXT, tx TEXT, en ENUM('a','it''s'), s SET('x','yy'),
    bi BINARY(16), vb VARBINARY(40), tb TINYBLOB, n DECIMAL(12,2), forced INT UNSIGNED, INDEX (v), INDEX (at));
  INSERT INTO t VALUES (4294967295, 255, -128, 1, 65535, -8388608, 18446744073709551615, 7, '2026-01-01 01:02:03', '2026-01-01 01:02:03.123',
    'ab', 'ä', 'x', 'y', 'it''s', 'x,yy', UNHEX('00'), UNHEX('ff'), 'b', 1.5, 9), (1, 0, 1, 0, 0, 0, 0, 0, NULL, NULL, '', '', '', '', 'a', '', '', '', '', 0, 0)`;

const MADE = {
  id: 'int(10) unsigned',
  part: 'tinyint(3) unsigned',
  a: 'tinyint(4)',
  b: 'tinyint(1)',
  c: 'smallint(5) unsigned',
  d: 'mediumint(9)',
  e: 'bigint(20) unsigned',
  f: 'int(10) unsigned',
  at: 'datetime',
  at3: 'datetime(3)',
  c5: 'varchar(5)',
  v: 'varchar(40)',
  tt: 'varchar(255)',
  tx: 'longtext',
  en: 'varchar(4)',
  s: 'varchar(4)',
  bi: 'varbinary(16)',
  vb: 'varbinary(40)',
  tb: 'varbinary(255)',
  n: 'decimal(12,2)',
  forced: 'longtext',
};

async function expectEqual(made: Crossing): Promise<void> {
  const { lost, extra } = await made.compare('t');
  expect({ lost: lost.slice(0, 5), extra: extra.slice(0, 5) }).toEqual({ lost: [], extra: [] });
}

const CHANGES = [
  `UPDATE t SET note = 'changed', at = NOW(6) WHERE id <= 100`,
  `INSERT INTO t (id, code, at) VALUES (5000, 'new', NOW(6))`,
];

describe.runIf(mariadbPresent).each([
  ['MariaDB', () => MysqlTargetSide.open(mariadb())],
  ['PostgreSQL', () => PostgresTargetSide.open(postgres())],
] as [string, () => Promise<DestinationSide>][])('MariaDB to %s', (_, target) => {
  it.each<StreamOptions>([
    { load: 'replace' },
    { load: 'merge', cursor: 'at', overlap: 60 },
    { load: 'append', cursor: 'at', overlap: 60 },
  ])('%j', async (stream) => {
    const made = await open(await target(), stream);
    expect((await made.run()).totals.loaded).toBe(4000);
    await expectEqual(made);
    for (const sql of CHANGES) await made.from.query(sql);
    await made.run();
    await expectEqual(made);
    await made.run();
    await expectEqual(made);
    expect(await made.to.leftovers()).toEqual([]);
  });
});

describe.runIf(mariadbPresent)('types from MariaDB to MariaDB', () => {
  const typesOf = async (to: MysqlTargetSide): Promise<Record<string, string | null>> => {
    const rows = await to.query('SHOW COLUMNS FROM t');
    return Object.fromEntries(rows.map(({ Field, Type }) => [Field, Type!]));
  };

  it.each(['replace', 'merge'] as const)('are those of the source, by %s', async (load) => {
    const to = await MysqlTargetSide.open(mariadb());
    const from = await MysqlSide.open(mariadb());
    await from.query(TYPES);
    const cursor = load === 'merge' ? { cursor: 'at', overlap: 60 } : {};
    pair = new Pair(from, () => to, { t: { load, types: { forced: 'text' }, ...cursor } });
    const made = pair;
    expect((await agree(made)).flatMap(found)).toEqual([]);
    await expectEqual(made);
    expect(await typesOf(to)).toMatchObject(MADE);

    // Signed and unsigned numbers together need more room; so do fractions and labels.
    for (const sql of [
      "ALTER TABLE t MODIFY a TINYINT UNSIGNED, MODIFY e BIGINT, MODIFY at3 DATETIME(1), MODIFY en ENUM('a','longer')",
      `UPDATE t SET a = a + 255 * (id = 1), at = '2026-01-02 01:02:03'`,
    ])
      await from.query(sql.includes('MODIFY') ? `SET STATEMENT sql_mode='' FOR ${sql}` : sql);
    await made.run();
    await expectEqual(made);
    const kept =
      load === 'replace'
        ? {}
        : { a: 'smallint(6)', e: 'decimal(20,0)', at3: 'datetime(3)', en: 'varchar(6)' };
    expect(await typesOf(to)).toMatchObject(load === 'replace' ? {} : { ...MADE, ...kept });
  });
});
