import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync, appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../src/testing/postgres-server.ts';
import { Pair } from '../support/pair.ts';

// A primary and a streaming replica: the replica is a copy of the stopped primary that then follows it.

let folder: string;
let primary: PostgresServer;
let replica: PostgresServer;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-replica-'));
  // The account of the server, where that is not ours, has to get in.
  chmodSync(folder, 0o755);
  const dataDir = path.join(folder, 'primary');
  const first = await startPostgres({ dataDir });
  const { port } = first;
  await first.stop('fast');
  const copy = path.join(folder, 'replica');
  execFileSync('cp', ['-a', dataDir, copy]);
  writeFileSync(path.join(copy, 'standby.signal'), '');
  appendFileSync(
    path.join(copy, 'postgresql.auto.conf'),
    `\nprimary_conninfo = 'host=127.0.0.1 port=${port} user=postgres'\n`,
  );
  primary = await startPostgres({ dataDir, port });
  replica = await startPostgres({ dataDir: copy });
});

afterAll(async () => {
  await replica?.stop('immediate');
  await primary?.stop('immediate');
  rmSync(folder, { recursive: true, force: true });
});

async function replayed(pair: Pair): Promise<void> {
  const { rows } = await pair.db.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
  const client = new pg.Client({ connectionString: replica.url() });
  await client.connect();
  try {
    for (;;) {
      const done = await client.query<{ done: boolean }>(
        'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done',
        [rows[0]!.lsn],
      );
      if (done.rows[0]!.done) return;
      await sleep(20);
    }
  } finally {
    await client.end();
  }
}

function databaseOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

async function onReplica(cursor: string): Promise<Pair> {
  const pair = await Pair.open(
    primary,
    { 'public.t': { cursor } },
    `CREATE TABLE t (id int PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON t (updated_at);
     INSERT INTO t SELECT i, 'first', now() - interval '1 day' FROM generate_series(1, 100) i;`,
  );
  pair.source = { url: replica.url(databaseOf(pair.url)) };
  await replayed(pair);
  return pair;
}

test('a replica says that it cannot see the transactions of the primary', async () => {
  await using pair = await onReplica('updated_at');
  const plan = await pair.plan();
  expect(plan.streams[0]!.error).toBeUndefined();
  expect(plan.streams[0]!.note).toMatch(/replica/);
  expect(plan.warnings.map((warning) => warning.code)).toContain('postgres.blind');
});

test.each(['updated_at', 'xmin'])(
  'rows that commit late on the primary are not missed by a reader of the replica, cursor %s',
  async (cursor) => {
    await using pair = await onReplica(cursor);
    const late = await pair.connect();
    await late.query(`BEGIN; INSERT INTO t VALUES (1000, 'late')`);
    await pair.db.query(`INSERT INTO t VALUES (1001, 'before the late one commits')`);
    await replayed(pair);
    expect((await pair.run()).totals.loaded).toBe(101);
    await late.query('COMMIT');
    await pair.db.query(`UPDATE t SET note = 'changed', updated_at = now() WHERE id <= 5`);
    await replayed(pair);
    expect((await pair.run()).totals.loaded).toBe(6);
    expect((await pair.run()).totals.loaded).toBe(0);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  },
);

test('rows that a lagging replica brings hours late are not missed', async () => {
  await using pair = await onReplica('updated_at');
  await pair.run();
  // What the replica had was a day old; this was written five hours ago and comes now.
  await pair.db.query(`INSERT INTO t VALUES (1000, 'late', now() - interval '5 hours')`);
  await replayed(pair);
  expect((await pair.run()).totals.loaded).toBe(1);
  await pair.expectEqual('t');
});
