/** `verify` from PostgreSQL to MariaDB: what was loaded is equal, by the rules of what MariaDB keeps; what differs is named. */
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { openDestination } from '../../src/engine/context.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
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
    const columns = cases.map(({ type }, i) => `c${i} ${type}`);
    await using pair = await open(
      { 'public.everything': { load: 'replace' } },
      `${USER_TYPES}; CREATE TABLE everything (id int PRIMARY KEY, ${columns.join(', ')})`,
    );
    const list = cases.map(({ type }, i) => `($${i + 1}::text[])[r + 1]::${type}`);
    await pair.from.db.query(
      `INSERT INTO everything SELECT r, ${list.join(', ')} FROM generate_series(0, ${Math.max(...cases.map(({ values }) => values.length))}) AS r`,
      cases.map(({ values }) => values),
    );
    const loaded = await pair.attempt();
    expect(loaded.streams.flatMap(({ error }) => error ?? [])).toEqual([]);
    const found = await verify(pair);
    expect(found.differences).toEqual([]);
    expect(found).toMatchObject(EQUAL);
    const [row] = await pair.to.query('SELECT * FROM everything WHERE id = 0');
    await pair.to.query(
      `UPDATE everything SET ${cases.map((_, i) => `c${i} = NULL`).join(', ')} WHERE id = 0`,
    );
    const there = cases.flatMap((_, i) => (row![`c${i}`] === null ? [] : [`c${i}`]));
    expect((await verify(pair)).differences).toEqual([{ kind: 'changed', key: { id: '0' }, columns: there }]);
    expect(there.length).toBeGreaterThan(50);
  });

  it('what MariaDB has no place for is compared as what it keeps, and nothing else', async () => {
    await using pair = await open(
      { 'public.v': { load: 'replace' } },
      `CREATE TABLE v (id int PRIMARY KEY, f4 float4, f8 float8, d date, ts timestamp, tz timestamptz);
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
    const table = (
      name: string,
    ): string => `CREATE TABLE ${name} (id int PRIMARY KEY, v text, at timestamptz NOT NULL);
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
      (await verifyPipeline(await pair.context(), 'p', {})).streams.map(
        (one) => `${one.table} ${one.status}`,
      );
    expect(await statuses()).toEqual(['m equal', 'a equal', 'd equal', 'r equal']);
    await pair.from.db.query(
      `UPDATE m SET v = 'later', at = now() WHERE id = 9; UPDATE a SET v = 'unseen' WHERE id = 8`,
    );
    await pair.to.query(
      `DELETE FROM m WHERE id = 7; UPDATE d SET v = 'x' WHERE id = 10000; INSERT INTO r VALUES (0, '', '2026-01-01')`,
    );
    const { streams, status } = await verifyPipeline(await pair.context(), 'p', {});
    expect(status).toBe('differs');
    expect(streams.flatMap(named)).toEqual([
      'missing id 7',
      'changed id 8: v',
      'changed id 10000: v',
      'extra id 0',
    ]);
    expect(streams[0]).toMatchObject({ missing: 1, waiting: 1 });
  });

  it.skipIf(CHINOOK === undefined)('Chinook', async () => {
    await using pair = await open({ 'public.*': { load: 'replace' } }, CHINOOK!);
    await pair.attempt();
    const { streams } = await verifyPipeline(await pair.context(), 'p', {});
    expect(streams.map(({ status }) => status)).toEqual(Array.from({ length: 11 }, () => 'equal'));
  });

  it('a table that was emptied or swapped since the moment that is compared is never read as if it were that one', async () => {
    await using pair = await open(
      { 'public.t': { load: 'replace' } },
      `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)`,
    );
    await pair.attempt();
    const resources = { memoryBytes: 512 << 20, workers: 1 };
    const { signal } = new AbortController();
    const countAfter = async (work: () => Promise<unknown>): Promise<number> => {
      const destination = await openDestination(await pair.context(), 'to', resources);
      try {
        const moment = await destination.compare!(signal);
        const table = await moment.table('t', signal);
        await work();
        return await table!.rows.count({ kind: 'all' }, signal);
      } finally {
        await destination.close();
      }
    };
    const replaced = { code: 'verify.replaced' };
    expect(await countAfter(() => pair.to.query('DELETE FROM t WHERE id = 5'))).toBe(1000);
    await expect(countAfter(() => pair.attempt())).rejects.toMatchObject(replaced);
    await pair.to.query('CREATE TABLE earlier AS SELECT * FROM t');
    const swap = 'RENAME TABLE t TO was, earlier TO t';
    await expect(countAfter(() => pair.to.query(swap))).rejects.toMatchObject(replaced);
    await expect(countAfter(() => pair.to.query('TRUNCATE t; FLUSH TABLES'))).rejects.toMatchObject(replaced);
  });
});
