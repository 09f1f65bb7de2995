import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunEvent } from '../../src/core/events.ts';
import { type PostgresServer, startPostgres } from '../../src/testing/postgres-server.ts';
import { Pair } from '../support/pair.ts';

// DDL is not bound to snapshots: what a migration does while a run is under way must neither be lost nor be kept waiting.

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const TABLES = `
  create table first (id int primary key, updated_at timestamptz not null default now());
  create table second (id int primary key, n int not null, updated_at timestamptz not null default now());
  create index on first (updated_at);
  create index on second (updated_at);
  insert into first select n from generate_series(1, 50) n;
  insert into second select n, n from generate_series(1, 500) n;`;

const MERGE = { load: 'merge', cursor: 'updated_at' } as const;

/** Runs both streams one after the other and `ddl` on the second while the first is loaded; resolves when both are done. */
async function runWith(pair: Pair, ddl: string): Promise<RunEvent[]> {
  let done: Promise<unknown> | undefined;
  let before: string | undefined;
  const onEvent = (event: RunEvent): void => {
    if (event.kind === 'slice-started' && event.stream === 'first') {
      done ??= pair.db.query(ddl).then(() => (before ??= 'the second stream'));
    }
    if (event.kind === 'slice-started' && event.stream === 'second') before ??= 'nothing';
  };
  await pair.run({ workers: 1, onEvent });
  await done;
  // Otherwise this tests nothing: the second stream was read before its table was changed.
  expect(before).toBe('the second stream');
  return pair.events;
}

async function openPair(): Promise<Pair> {
  return Pair.open(server, { first: { load: 'replace' }, second: MERGE }, TABLES);
}

async function rowsInLake(pair: Pair): Promise<Record<string, unknown>[]> {
  return pair.query('second', 'select count(*)::int as rows, sum(n)::int as sum from second');
}

test('a table that is rewritten after the snapshot was taken is read again with a new one', async () => {
  await using pair = await openPair();
  const events = await runWith(
    pair,
    'alter table second alter column n type bigint, alter column n set default random()',
  );
  expect(events.filter(({ kind }) => kind === 'retry')).toMatchObject([{ code: 'engine.old_snapshot' }]);
  expect(await rowsInLake(pair)).toEqual([{ rows: 500, sum: 125_250 }]);
});

test('changes of a table that is rewritten during an incremental run are not lost', async () => {
  await using pair = await openPair();
  await pair.run();
  await pair.db.query('update second set n = n + 1, updated_at = now() where id <= 100');
  await runWith(pair, 'alter table second add column extra double precision default random()');
  expect(await rowsInLake(pair)).toEqual([{ rows: 500, sum: 125_350 }]);
});

test('a table that is emptied and filled again during a run arrives as it is afterwards', async () => {
  await using pair = await Pair.open(
    server,
    { first: { load: 'replace' }, second: { load: 'replace' } },
    TABLES,
  );
  await pair.run();
  await runWith(
    pair,
    'begin; truncate second; insert into second select n, 1 from generate_series(1, 20) n; commit',
  );
  expect(await rowsInLake(pair)).toEqual([{ rows: 20, sum: 20 }]);
});

test('a query is read again, too, when a table in it was rewritten', async () => {
  await using pair = await Pair.open(
    server,
    {
      first: { load: 'replace' },
      second: { sql: 'select second.* from second join first using (id)', load: 'replace' },
    },
    TABLES,
  );
  await runWith(pair, 'alter table second alter column n type bigint');
  expect(await rowsInLake(pair)).toEqual([{ rows: 50, sum: 1275 }]);
});

test('a migration does not wait for a run that waits for the migration', async () => {
  await using pair = await openPair();
  await pair.run();
  await pair.db.query('update second set n = n + 1, updated_at = now()');
  let done: Promise<unknown> | undefined;
  const onEvent = (event: RunEvent): void => {
    // The table has been looked at, and is about to be read by another connection.
    if (event.kind === 'stream-planned' && event.stream === 'second')
      done ??= pair.db.query('alter table second add column extra int');
  };
  await pair.run({ onEvent });
  await done;
  expect(await rowsInLake(pair)).toEqual([{ rows: 500, sum: 125_750 }]);
});
