import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

// The pooler that most PostgreSQL servers stand behind.
const present = spawnSync('pgbouncer', ['--version']).status === 0;
if (!present) console.log('skipped: pgbouncer is not installed (Debian: apt-get install pgbouncer)');

const server = useServer();
let pooler: ChildProcess | undefined;
let folder: string | undefined;

afterEach(() => {
  pooler?.kill('SIGKILL');
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts a pooler in front of the server and returns its port. */
async function startPooler(mode: 'transaction' | 'statement'): Promise<number> {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-pgbouncer-'));
  chmodSync(folder, 0o777);
  const port = await freePort();
  const config = path.join(folder, 'pgbouncer.ini');
  const { host } = server();
  writeFileSync(
    config,
    `[databases]\n* = host=${host} port=${server().port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\nauth_type = any\npool_mode = ${mode}\ndefault_pool_size = 5\nmax_client_conn = 50\n`.replace(
      '* = ',
      '* = user=postgres ',
    ),
  );
  const account = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  pooler = spawn('pgbouncer', [...account, config], { stdio: 'ignore' });
  for (;;) {
    const client = new pg.Client({ connectionString: `postgres://postgres@127.0.0.1:${port}/postgres` });
    try {
      await client.connect();
      await client.end();
      return port;
    } catch {
      await sleep(50);
    }
  }
}

async function behind(mode: 'transaction' | 'statement'): Promise<Pair> {
  const port = await startPooler(mode);
  const pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'updated_at' } },
    `CREATE TABLE t (id int PRIMARY KEY, amount numeric(12,2), at timestamp, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON t (updated_at);
     INSERT INTO t SELECT i, i * 1.01, '2026-01-01 12:00', now() - interval '1 day' FROM generate_series(1, 5000) i;`,
  );
  const url = new URL(pair.url);
  url.port = String(port);
  pair.source = { url: url.href };
  return pair;
}

describe.runIf(present)('behind a pooler', () => {
  test('in transaction mode everything works, whatever settings the pooled sessions were left with', async () => {
    await using pair = await behind('transaction');
    await pair.db.query(
      `ALTER ROLE postgres SET DateStyle = 'German'; ALTER ROLE postgres SET TimeZone = 'Asia/Tokyo'`,
    );
    expect((await pair.run()).totals.loaded).toBe(5000);
    await pair.db.query(`UPDATE t SET amount = amount + 1, updated_at = now() WHERE id <= 10`);
    expect((await pair.run()).totals.loaded).toBe(10);
    expect((await pair.run()).totals.loaded).toBe(0);
    await pair.db.query(`ALTER ROLE postgres RESET ALL`);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  test('in statement mode the error says that no snapshot can be held, and what to do', async () => {
    await using pair = await behind('statement');
    const report = await pair.attempt();
    expect(report.streams[0]!.error).toMatchObject({ code: 'postgres.pooler', recovery: 'config' });
    expect(report.streams[0]!.error!.remedy).toMatch(/pool_mode = transaction/);
  });
});
