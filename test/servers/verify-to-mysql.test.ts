/** `verify` from PostgreSQL to MariaDB: what was loaded is equal, by the rules of what MariaDB keeps; what differs is named. */
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import type { VerifyOptions } from '../../src/engine/verify-types.ts';
import { CASES, USER_TYPES } from '../e2e/types-cases.fixture.ts';
import { CHINOOK } from '../support/chinook.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';
import { EQUAL, named, verify } from '../support/verification.ts';

const server = useServer();
const mariadb = useMariadb();

async function open(streams: Streams, sql: string): Promise<Pair<PostgresSide, MysqlTargetSide>> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  const to = await MysqlTargetSide.open(mariadb());
  return new Pair(from, () => to, streams);
}

describe.runIf(mariadbPresent)('from PostgreSQL to MariaDB', () => {
  it('values of every type are equal as they were loaded, and no other value is', async () => {
    const cases = CASES.filter(({ values }) => values.length > 0);
    const streams = Object.fromEntries(
      cases.map((_, t) => [`public.t${t}`, { table: `t${t}`, load: 'replace' as const }]),
    );
    await using pair = await open(streams, USER_TYPES);
    for (const [t, { type, values }] of cases.entries()) {
      await pair.from.db.query(`CREATE TABLE t${t} (id int PRIMARY KEY, c ${type})`);
      await pair.from.db.query(
        `INSERT INTO t${t} SELECT n, v::${type} FROM unnest($1::text[]) WITH ORDINALITY AS u(v, n)`,
        [[...values, null]],
      );
    }
    const loaded = await pair.attempt();
    expect(loaded.streams.flatMap(({ error }) => error ?? [])).toEqual([]);
    const { streams: found } = await verifyPipeline(await pair.context(), 'p', {});
    const wrong = found.filter(({ status }) => status !== 'equal');
    expect(
      wrong.map((one) => [cases[Number(one.table.slice(1))]!.type, named(one), one.error?.message]),
    ).toEqual([]);
    for (const t of cases.keys())
      await pair.to.query(`INSERT INTO t${t} (id, c) SELECT -1, c FROM t${t} WHERE id = 1; DELETE FROM t${t} WHERE id = 1`);
    for (const one of (await verifyPipeline(await pair.context(), 'p', {})).streams)
      expect(named(one)).toEqual(['missing id 1', 'extra id -1']);
  });

  it('what MariaDB has no place for is compared as what it keeps, and nothing else', async () => {
    await using pair = await open(
      { 'public.v': { load: 'replace' } },
      `CREATE TABLE v (id int PRIMARY KEY, f4 float4 NOT NULL, f8 float8, d date NOT NULL, ts timestamp, tz timestamptz);
       INSERT INTO v VALUES (1, 'NaN', '-Infinity', '10000-01-01', 'infinity', '0001-01-01 BC'), (2, '-0', '-0', '0001-01-01', '9999-12-31 23:59:59.999999', '-infinity'),
         (3, 0, 1e308, '9999-12-31', '0001-01-01', '9999-12-31 23:59:59.999999+00'), (4, 1, NULL, 'infinity', NULL, '10000-01-01 00:00+00')`,
    );
    await pair.attempt();
    expect(await verify(pair)).toMatchObject(EQUAL);
    await pair.to.query(
      `UPDATE v SET f4 = 0, tz = '0001-01-01' WHERE id = 1; UPDATE v SET f8 = NULL, ts = NULL WHERE id = 2; UPDATE v SET d = NULL WHERE id = 3`,
    );
    expect(named(await verify(pair))).toEqual([
      'changed id 1: f4, tz',
      'changed id 2: f8, ts',
      'changed id 3: d',
    ]);
  });

  it('by every strategy: waits for what the next run reads, and names what differs', async () => {
    const table = (name: string): string => `CREATE TABLE ${name} (id int PRIMARY KEY, v text, at timestamptz NOT NULL);
      INSERT INTO ${name} SELECT i, 'v' || i, now() - i * interval '1 minute' FROM generate_series(1, 20000) i;`;
    await using pair = await open(
      {
        'public.m': { load: 'merge', cursor: 'at' },
        'public.a': { load: 'append', cursor: 'at' },
        'public.d': { load: 'delete-insert', date: 'at', first_run: 864_000 },
        'public.r': { load: 'replace' },
      },
      ['m', 'a', 'd', 'r'].map(table).join('\n'),
    );
    await pair.attempt();
    await pair.from.db.query(
      ['m', 'a'].map((name) => `UPDATE ${name} SET v = 'new', at = now() WHERE id < 4`).join('; '),
    );
    await pair.attempt();
    const statuses = async (): Promise<string[]> =>
      (await verifyPipeline(await pair.context(), 'p', {})).streams.map((one) => `${one.table} ${one.status}`);
    expect(await statuses()).toEqual(['m equal', 'a equal', 'd equal', 'r equal']);
    await pair.from.db.query(`UPDATE m SET v = 'later', at = now() WHERE id = 9; UPDATE a SET v = 'unseen' WHERE id = 8`);
    await pair.to.query(
      `DELETE FROM m WHERE id = 7; UPDATE d SET v = 'x' WHERE id = 15000; INSERT INTO r VALUES (0, '', '2026-01-01')`,
    );
    const { streams, status } = await verifyPipeline(await pair.context(), 'p', {});
    expect(status).toBe('differs');
    expect(streams.flatMap(named)).toEqual(['missing id 7', 'changed id 8: v', 'changed id 15000: v', 'extra id 0']);
    expect(streams[0]).toMatchObject({ missing: 1, waiting: 1 });
  });

  it.skipIf(CHINOOK === undefined)('Chinook', async () => {
    await using pair = await open({ 'public.*': { load: 'replace' } }, CHINOOK!);
    await pair.attempt();
    const { streams } = await verifyPipeline(await pair.context(), 'p', {});
    expect(streams.map(({ status }) => status)).toEqual(Array.from({ length: 11 }, () => 'equal'));
  });

  it.each([
    ['emptied', 'TRUNCATE t', true],
    ['swapped', 'CREATE TABLE other LIKE t; INSERT INTO other SELECT * FROM t; RENAME TABLE t TO was, other TO t', true],
    ['changed row by row', 'DELETE FROM t WHERE id = 5', false],
  ])('a table that is %s meanwhile is never read as it is not', async (_, sql, refused) => {
    await using pair = await open(
      { 'public.t': { load: 'replace' } },
      `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)`,
    );
    await pair.attempt();
    let meanwhile: Promise<unknown> | undefined;
    const onEvent: VerifyOptions['onEvent'] = ({ kind }) => {
      if (kind === 'verify-started') meanwhile = pair.to.query(sql);
    };
    const found = await verify(pair, { onEvent });
    await meanwhile;
    expect(found).toMatchObject(refused ? { status: 'failed', error: { code: 'verify.replaced' } } : EQUAL);
  });

  it('a run that replaces the table does not wait, and is noticed', async () => {
    await using pair = await open(
      { 'public.t': { load: 'replace' } },
      `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)`,
    );
    await pair.attempt();
    await pair.attempt();
    let again: Promise<unknown> | undefined;
    const onEvent: VerifyOptions['onEvent'] = ({ kind }) => {
      if (kind === 'verify-started') again ??= pair.attempt();
    };
    const found = await verify(pair, { onEvent });
    await again;
    // Whoever was faster.
    if (found.status !== 'equal')
      expect(found).toMatchObject({ status: 'failed', error: { code: 'verify.replaced' } });
    expect(await verify(pair)).toMatchObject(EQUAL);
  });
});
