/** `slice_by` in MariaDB: ranges of any columns hold each row once, and about as many each, whatever the collation. */
import { describe, expect, it } from 'vitest';
import { mariadbPresent, type MysqlPair, mysqlPair, useMariadb } from '../support/mariadb.ts';
import { FAST } from '../support/mysql-kit.ts';

const server = useMariadb({ settings: FAST });
const ROWS = 3000;
const PAD = `repeat('x', 200)`;
const LETTERS = `elt(1 + seq % 9, 'a', 'A', 'ä', 'Z', ' ', '''', '\\\\\\\\', 'é', 'ß')`;

/** Rows of each slice of the last run. */
function sizes(pair: MysqlPair): number[] {
  return pair.events.filter((event) => event.kind === 'slice-committed').map((event) => event.rows);
}

interface Case {
  columns: string;
  values: string;
  by: string[];
  /** A part has at most so many times its share. */
  most?: number;
}

const CASES: Record<string, Case> = {
  'numbers with gaps': {
    columns: 'k bigint unsigned PRIMARY KEY',
    values: 'seq * IF(seq % 2 = 0, 1, 3000000000000000)',
    by: ['k'],
  },
  'text that does not see case and accents': {
    columns: 'k varchar(40) COLLATE utf8mb4_general_ci',
    values: `concat(${LETTERS}, seq % 750)`,
    by: ['k'],
  },
  'text of another character set': {
    columns: 'k varchar(40) CHARACTER SET latin1',
    values: `concat(${LETTERS}, md5(seq))`,
    by: ['k'],
  },
  bytes: { columns: 'k varbinary(16)', values: 'unhex(md5(seq))', by: ['k'] },
  'times and NULL': {
    columns: 'k datetime(6) NULL',
    values: `IF(seq % 10 = 0, NULL, '2026-01-01' + INTERVAL seq * 1.5 SECOND)`,
    by: ['k'],
    most: 3,
  },
  'a tenant that has most rows, and one more column': {
    columns: 'tenant int NOT NULL, k varchar(32) NULL',
    values: 'IF(seq % 10 < 8, 7, seq % 100), IF(seq % 100 = 0, NULL, md5(seq))',
    by: ['tenant', 'k'],
  },
};

describe.runIf(mariadbPresent)('slice_by', () => {
  it.each(Object.keys(CASES))('%s', async (name) => {
    const { columns, values, by, most = 2 } = CASES[name]!;
    await using pair = await mysqlPair(
      server(),
      { t: { load: 'replace', slice_by: by } },
      `CREATE TABLE t (id int NOT NULL, ${columns}, v text);
       INSERT INTO t SELECT seq, ${values}, ${PAD} FROM seq_1_to_${ROWS}; ANALYZE TABLE t`,
    );
    pair.from.connection = { ...pair.from.connection, slice_size: '100 KB' };
    await pair.run();
    const each = sizes(pair);
    expect(each.length).toBeGreaterThan(3);
    expect(each.reduce((sum, count) => sum + count, 0)).toBe(ROWS);
    expect(Math.max(...each)).toBeLessThan((ROWS / each.length) * most);
    await pair.expectEqual('t');
  });

  it('goes on after an interruption, with what has changed since', async () => {
    await using pair = await mysqlPair(
      server(),
      { t: { load: 'merge', cursor: 'at', slice_by: 'k' } },
      `CREATE TABLE t (k varchar(40) COLLATE utf8mb4_general_ci PRIMARY KEY, v text, at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6));
       INSERT INTO t SELECT md5(seq), ${PAD}, CURRENT_TIMESTAMP(6) - INTERVAL seq SECOND FROM seq_1_to_${ROWS}; ANALYZE TABLE t`,
    );
    pair.from.connection = { ...pair.from.connection, slice_size: '100 KB' };
    const stop = new AbortController();
    let commits = 0;
    const onEvent = ({ kind }: { kind: string }): void => {
      if (kind === 'slice-committed' && ++commits === 2) stop.abort();
    };
    expect((await pair.attempt({ workers: 1, signal: stop.signal, onEvent })).status).toBe('stopped');
    await pair.from.query(
      `UPDATE t SET v = 'y', at = CURRENT_TIMESTAMP(6) WHERE k < '08' OR k > 'FA'; INSERT INTO t (k, v) VALUES ('!', 'n'), ('Ä', 'n')`,
    );
    expect((await pair.plan()).streams[0]!.action).toBe('resume');
    expect((await pair.run()).totals.rows).toBeLessThan(ROWS);
    await pair.expectEqual('t');
  });
});
