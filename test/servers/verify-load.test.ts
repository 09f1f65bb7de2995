/** What is compared after a load: `verify: counts`, which is the default, and `checksums`. */
import { describe, expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide } from '../../guarantees/sides.ts';
import { openState } from '../../src/engine/context.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { openReplica } from '../support/replica.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();

const SIDES: Record<string, () => Promise<DestinationSide | undefined>> = {
  lake: async () => undefined,
  postgres: () => PostgresTargetSide.open(server()),
  mariadb: () => MysqlTargetSide.open(mariadb()),
};

async function open(to: string, streams: Streams, sql: string): Promise<Pair<PostgresSide, DestinationSide>> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  const side = await SIDES[to]!();
  return new Pair<PostgresSide, DestinationSide>(from, (folder) => side ?? new LakeSide(folder), streams);
}

const ROWS = 4500;

/** Rows of 2 KiB, so that a table is read in several slices. */
const table = (
  name: string,
): string => `CREATE TABLE ${name} (id int PRIMARY KEY, v text, at timestamptz NOT NULL);
  ALTER TABLE ${name} ALTER v SET STORAGE PLAIN;
  INSERT INTO ${name} SELECT i, repeat(md5(i::text), 64), now() - i * interval '1 minute' FROM generate_series(1, ${ROWS}) i; ANALYZE ${name};`;

describe.each(Object.keys(SIDES).filter((name) => mariadbPresent || name !== 'mariadb'))('to %s', (to) => {
  it('what was read as a whole is counted on both sides, an increment is not', async () => {
    await using pair = await open(
      to,
      {
        'public.r': { load: 'replace' },
        'public.m': { load: 'merge', cursor: 'at' },
        'public.a': { load: 'append', cursor: 'at', first_run: 3600 * 50 },
        'public.d': { load: 'delete-insert', date: 'at', first_run: 86_400 * 4 },
      },
      ['r', 'm', 'a', 'd'].map(table).join('\n'),
    );
    pair.from.connection = { ...pair.from.connection, slice_size: 2 << 20 };
    const first = await pair.attempt();
    for (const { stream, error, verification, totals } of first.streams) {
      expect({ stream, error, verification }).toMatchObject({
        error: undefined,
        verification: {
          by: 'counts',
          status: 'equal',
          rows: { source: totals.rows, read: totals.rows, target: totals.loaded },
        },
      });
      expect(totals.rows).toBeGreaterThan(1000);
    }
    await pair.from.db.query('UPDATE m SET at = now() WHERE id < 5; UPDATE a SET at = now() WHERE id < 5');
    const { streams } = await pair.attempt();
    expect(streams.map(({ status, verification }) => [status, verification?.status])).toEqual([
      ['loaded', 'equal'],
      ['loaded', undefined],
      ['loaded', undefined],
      ['loaded', undefined],
    ]);
    const again = await pair.attempt({ verify: 'off', fullRefresh: true });
    expect(again.streams.map(({ verification }) => verification)).toEqual(Array(4).fill(undefined));
  });

  it('checksums are of the moment that was loaded, whatever is written meanwhile', async () => {
    await using pair = await open(
      to,
      { 'public.r': { load: 'replace', verify: 'checksums' }, 'public.m': { load: 'merge', cursor: 'at' } },
      ['r', 'm'].map(table).join('\n'),
    );
    const writer = await pair.from.connect();
    let writing = true;
    const written = (async () => {
      // Never the row that is changed below.
      for (let i = 1; writing; i = (i % 2000) + 1)
        await writer.query(
          `UPDATE r SET v = 'x${i}' WHERE id = ${i}; UPDATE m SET v = 'x${i}', at = clock_timestamp() WHERE id = ${i}; DELETE FROM r WHERE id = ${ROWS} - ${i}`,
        );
    })();
    for (let round = 0; round < 3; round++) {
      const { streams } = await pair.attempt({ verify: 'checksums' });
      for (const { verification, error } of streams)
        expect({ error, verification }).toMatchObject({
          error: undefined,
          verification: { by: 'checksums', status: 'equal' },
        });
    }
    writing = false;
    await written;
    await pair.from.db.query(
      `UPDATE m SET v = 'unseen' WHERE id = ${ROWS - 1}; UPDATE m SET at = clock_timestamp() WHERE id = 1`,
    );
    const { streams } = await pair.attempt({ verify: 'checksums' });
    expect(streams[1]).toMatchObject({
      status: 'failed',
      error: { code: 'verify.differs', recovery: 'data' },
      verification: {
        details: { changed: 1, differences: [{ key: { id: String(ROWS - 1) }, columns: ['v'] }] },
      },
    });
  });
});

it('rows that do not arrive make the stream fail; what was loaded stays, and the history says what was found', async () => {
  await using pair = await openReplica(server(), { 'public.t': { load: 'replace' } }, table('t'));
  await pair.run();
  await pair.to.db
    .query(`CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.t WHERE id = 7; RETURN NULL; END';
    CREATE TRIGGER swallow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION swallow()`);
  const { streams, status } = await pair.attempt();
  const rows = { source: ROWS, read: ROWS, target: ROWS - 1 };
  expect(status).toBe('failed');
  expect(streams[0]).toMatchObject({
    status: 'failed',
    totals: { loaded: ROWS },
    error: { code: 'verify.differs' },
    verification: { by: 'counts', status: 'differs', rows },
  });
  const state = await openState(await pair.context());
  const [last] = await state.runs({ limit: 1 });
  await state.close();
  expect(last!.streams[0]).toMatchObject({ verification: { by: 'counts', status: 'differs', rows } });
  await pair.to.db.query('DROP TRIGGER swallow ON t');
  expect((await pair.run()).verification).toMatchObject({ status: 'equal' });
});

it.each([
  ['a first load', false, {}],
  ['rows that were compared first', true, {}],
])('of %s the server has to take all rows', async (_, after, options) => {
  await using pair = await openReplica(
    server(),
    { 'public.t': { load: 'append', cursor: 'at', ...options } },
    table('t'),
  );
  const trigger = `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER swallow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION swallow()`;
  if (after) await pair.run({ verify: 'off' });
  else
    await pair.to.db.query(
      'CREATE TABLE t (id int, v text, at timestamptz, _sluice_load_id bigint, _sluice_loaded_at timestamptz)',
    );
  await pair.to.db.query(trigger);
  await pair.from.db.query('UPDATE t SET at = now() WHERE id < 10');
  const { streams } = await pair.attempt({ verify: 'off' });
  expect(streams[0]!.error).toMatchObject({ code: 'sql.rows_lost' });
});
