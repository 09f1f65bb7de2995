/** `verify` from one PostgreSQL to another, whatever is in the tables. */
import { expect, it } from 'vitest';
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
