/** From MariaDB to MariaDB and to PostgreSQL, by the same pipelines. */
import { afterEach, describe, expect, it } from 'vitest';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide } from '../../guarantees/sides.ts';
import type { StreamOptions } from '../../src/core/project.ts';
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
