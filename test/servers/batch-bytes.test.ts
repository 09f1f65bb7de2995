/** The size of batches and statements: whatever is asked for, and whatever the server takes, the rows are the same. */
import { describe, expect, it } from 'vitest';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { Pair as LakePair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const ROWS = `SELECT seq, REPEAT(CHAR(97 + seq % 26), (seq * 7919) % 4000) FROM seq_1_to_3000`;

it.each([64 << 10, 1 << 20, 16 << 20])('batches of %i bytes hold the same rows', async (batchBytes) => {
  await using pair = await LakePair.open(
    postgres(),
    { 'public.t': { load: 'replace' } },
    `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', (g * 7919) % 30000) FROM generate_series(1, 1500) g`,
  );
  await pair.run({ batchBytes });
  const found = await pair.query(
    't',
    'SELECT count(*)::INT AS n, sum(length(v))::BIGINT::VARCHAR AS bytes FROM t',
  );
  const { rows } = await pair.db.query('SELECT count(*)::int AS n, sum(length(v))::text AS bytes FROM t');
  expect(found).toEqual(rows);
});

it.each([1000, 17 << 20])('%i bytes are refused', async (batchBytes) => {
  await using pair = await LakePair.open(
    postgres(),
    { 'public.t': { load: 'replace' } },
    'CREATE TABLE t (id int)',
  );
  await expect(pair.attempt({ batchBytes })).rejects.toMatchObject({ code: 'config.batch_bytes' });
});

describe.runIf(mariadbPresent).each(['--local-infile=1', '--local-infile=0'])(
  'a server that takes small packets (%s)',
  (files) => {
    const server = useMariadb({ settings: ['--max-allowed-packet=32K', '--net-buffer-length=16K', files] });

    it('gets small pieces', async () => {
      const from = await MysqlSide.open(server());
      await from.query(`CREATE TABLE t (id int PRIMARY KEY, v text)`);
      await from.query(`INSERT INTO t ${ROWS}`);
      const to = await MysqlTargetSide.open(server());
      await using pair = new Pair(from, () => to, {
        [`${from.database}.t`]: { table: 't', load: 'replace' },
      });
      await pair.run();
      const { lost, extra } = await pair.compare('t', 't');
      expect([lost.length, extra.length]).toEqual([0, 0]);
      const [row] = await to.query('SELECT COUNT(*) AS n FROM t');
      expect(Number(row!['n'])).toBe(3000);
    });
  },
);
