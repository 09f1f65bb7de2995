/** `verify` from one PostgreSQL to another, whatever is in the tables. */
import { expect, it } from 'vitest';
import { compareDialect } from '../../src/connectors/postgres/compare.ts';
import type { VerifyOptions } from '../../src/engine/verify-types.ts';
import { CASES, USER_TYPES } from '../e2e/types-cases.fixture.ts';
import { openReplica } from '../support/replica.ts';
import { useServer } from '../support/server.ts';
import { EQUAL, named, verify } from '../support/verification.ts';

const server = useServer();

it('values of every type are equal as they were loaded, and no other value is', async () => {
  const cases = CASES.filter(({ values }) => values.length > 0);
  const name = (type: string): string => `"${type.replaceAll('"', '""')}"`;
  const columns = cases.map(({ type }) => `${name(type)} ${type}`);
  await using pair = await openReplica(
    server(),
    { 'public.everything': { load: 'replace' } },
    `${USER_TYPES}; CREATE TABLE everything (id int PRIMARY KEY, ${columns.join(', ')})`,
  );
  const list = cases.map(({ type }, i) => `($${i + 1}::text[])[r + 1]::${type}`);
  await pair.from.db.query(
    `INSERT INTO everything SELECT r, ${list.join(', ')} FROM generate_series(0, ${Math.max(...cases.map(({ values }) => values.length))}) AS r`,
    cases.map(({ values }) => values),
  );
  await pair.run();
  const found = await verify(pair);
  expect(named(found)).toEqual([]);
  expect(found).toMatchObject(EQUAL);
  await pair.to.db.query(
    `UPDATE everything SET ${cases.map(({ type }) => `${name(type)} = NULL`).join(', ')} WHERE id = 0`,
  );
  // Nothing becomes NULL by rule between two PostgreSQL.
  const { differences } = await verify(pair);
  const empty = cases.filter(({ values }) => values[0] === null).length;
  expect(differences[0]!.columns).toHaveLength(cases.length - empty);
});

it('rows are hashed by as many workers as the server gives', async () => {
  const { fence } = compareDialect(true);
  await using pair = await openReplica(
    server(),
    { 'public.t': {} },
    `CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 10000); ANALYZE t`,
  );
  const { db } = pair.from;
  await db.query(
    'SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0',
  );
  const { rows } = await db.query<Record<string, string>>(
    `EXPLAIN SELECT h, count(*), sum(length(h)) FROM (SELECT left(md5(id::text), 2) AS h FROM t${fence}) s GROUP BY 1`,
  );
  const plan = rows.map((row) => row['QUERY PLAN']!).join('\n');
  expect(plan).toMatch(/Partial (Hash|Group)Aggregate/);
});

it('tells apart what a lake would not, and says when a table was swapped', async () => {
  await using pair = await openReplica(
    server(),
    { 'public.t': { load: 'replace' } },
    `CREATE TABLE t (id int PRIMARY KEY, n numeric(12,2), at timestamptz, a int[], c char(4));
     INSERT INTO t VALUES (1, 'NaN', '294270-01-01', '{1,2}', 'x'), (2, NULL, NULL, '[0:1]={1,2}', ''), (3, 1.5, 'infinity', NULL, NULL)`,
  );
  await pair.run();
  expect(await verify(pair)).toMatchObject(EQUAL);
  await pair.to.db.query(
    `UPDATE t SET n = NULL, at = NULL WHERE id = 1; UPDATE t SET a = '{1,2}', c = NULL WHERE id = 2`,
  );
  expect(named(await verify(pair))).toEqual(['changed id 1: n, at', 'changed id 2: a, c']);
  let meanwhile: Promise<unknown> | undefined;
  const onEvent: VerifyOptions['onEvent'] = ({ kind }) => {
    if (kind === 'verify-started') meanwhile = pair.to.db.query('TRUNCATE t');
  };
  const swapped = await verify(pair, { onEvent });
  await meanwhile;
  expect(swapped).toMatchObject({ status: 'failed', error: { code: 'verify.replaced' } });
});
