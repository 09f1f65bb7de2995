/** A role that may not see what others do: the watermark stays behind by the overlap, and the plan says so. */
import { expect, it } from 'vitest';
import { PostgresSource } from '../../src/connectors/postgres/source.ts';
import { postgresOptions } from '../../src/connectors/postgres/options.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const SQL = `
  CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz DEFAULT now());
  CREATE INDEX ON t (updated_at);
  INSERT INTO t SELECT g, 'old', now() - interval '2 hours' FROM generate_series(1, 20) g;
  GRANT SELECT ON t TO plain`;

async function open(options: StreamOptions): Promise<Pair> {
  const pair = await Pair.open(server(), { 'public.t': options });
  await pair.db.query(
    `DO $$ BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  );
  await pair.db.query(SQL);
  const url = new URL(pair.url);
  url.username = 'plain';
  pair.source = { url: url.href };
  return pair;
}

it('rows of transactions that we cannot see are found within an hour', async () => {
  await using pair = await open({ cursor: 'updated_at' });
  const slow = await pair.connect();
  // Dated back to where the usual minute would not reach.
  await slow.query(`BEGIN; INSERT INTO t VALUES (100, 'hidden', now() - interval '30 minutes')`);
  await pair.db.query(`INSERT INTO t VALUES (101, 'quick')`);
  await pair.run();
  expect((await pair.plan()).streams[0]!.note).toMatch(
    /1 open transactions of other roles hide their start.*last 60 minutes/,
  );
  await slow.query('COMMIT');
  expect((await pair.run()).totals.loaded).toBe(1);
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

it('the overlap of the stream says how far back to look', async () => {
  await using pair = await open({ cursor: 'updated_at', overlap: 90 * 60 });
  const slow = await pair.connect();
  await slow.query(`BEGIN; INSERT INTO t VALUES (100, 'hidden', now() - interval '80 minutes')`);
  await pair.run();
  await slow.query('COMMIT');
  expect((await pair.run()).totals.loaded).toBe(1);
  await pair.expectEqual('t');
});

it('a number that a hidden transaction has drawn is found', async () => {
  await using pair = await open({ cursor: 'id' });
  await pair.run();
  const slow = await pair.connect();
  await slow.query(`BEGIN; INSERT INTO t VALUES (100, 'hidden')`);
  await pair.db.query(`INSERT INTO t VALUES (101, 'quick')`);
  await pair.run();
  await pair.run();
  await slow.query('COMMIT');
  expect((await pair.run()).totals.loaded).toBe(1);
  await pair.expectEqual('t');
});

it('transactions of roles that we belong to are seen as they are', async () => {
  await using pair = await open({ cursor: 'updated_at', overlap: 0 });
  await pair.db.query(`GRANT INSERT ON t TO plain`);
  const slow = await pair.connect(String(pair.source['url']));
  await slow.query(`BEGIN; INSERT INTO t VALUES (100, 'our own role')`);
  await pair.db.query(`INSERT INTO t VALUES (101, 'quick')`);
  await pair.run();
  await slow.query('COMMIT');
  expect((await pair.run()).totals.loaded).toBe(1);
  await pair.expectEqual('t');
});

it('`check` warns of it', async () => {
  await using pair = await open({ cursor: 'updated_at' });
  const slow = await pair.connect();
  await slow.query('BEGIN; SELECT now()');
  const place = { name: 'db', directory: pair.folder, memoryBytes: 1 << 28, workers: 1 };
  const source = new PostgresSource(postgresOptions.parse(pair.source), place);
  const { warnings } = await source.check(new AbortController().signal);
  await source.close();
  expect(warnings).toMatchObject([{ code: 'postgres.blind', remedy: expect.stringContaining('overlap') }]);
});
