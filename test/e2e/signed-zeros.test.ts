/** -0 and 0 are different bits, which DuckDB takes for equal: rows with -0 must be kept as they are, and be known again. */
import { expect, it } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

it.each([
  ['with a key', 'PRIMARY KEY'],
  ['without a key', 'NOT NULL'],
])('rows with -0 that are read again are known, %s', async (_, key) => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'at', overlap: 86_400, load: 'append' } },
    `CREATE TABLE t (id bigint ${key}, r real, d double precision, at timestamptz NOT NULL DEFAULT now());
     INSERT INTO t SELECT g, CASE g % 3 WHEN 0 THEN real '-0' WHEN 1 THEN 0 ELSE g END, CASE g % 2 WHEN 0 THEN double precision '-0' ELSE 0 END
       FROM generate_series(1, 300) g`,
  );
  await pair.run();
  await pair.db.query(`UPDATE t SET r = '-0', at = now() WHERE id = 1; INSERT INTO t VALUES (301, '-0', 0)`);
  expect((await pair.run()).totals.loaded).toBe(2);
  expect((await pair.run()).totals.loaded).toBe(0);
  const [row] = await pair.query('t', 'SELECT count(*)::INT AS n FROM main.t WHERE r = 0 AND signbit(r)');
  const { rows } = await pair.db.query(`SELECT count(*)::int AS n FROM t WHERE r::text = '-0'`);
  if (key === 'PRIMARY KEY') expect(row).toEqual(rows[0]);
});
