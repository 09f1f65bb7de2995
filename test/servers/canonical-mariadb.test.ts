/** The same value has the same canonical text in MariaDB as in PostgreSQL and DuckDB (test/e2e/canonical.test.ts). */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MYSQL_DIALECT } from '../../src/connectors/mysql/canonical.ts';
import { checkCanonical } from '../support/canonical-check.ts';

const PROGRAMS = ['mariadbd', 'mariadb-install-db', 'mariadb'];
const absent = PROGRAMS.filter((name) => spawnSync(name, ['--version']).error !== undefined);
if (absent.length > 0)
  console.log(`skipped: ${absent.join(', ')} not installed (Debian: apt-get install mariadb-server)`);

interface Database {
  /** Runs statements and gives what they print, without names of columns. */
  query(sql: string): string;
  stop(): Promise<void>;
}

/** A server of one's own behind a socket in a folder of its own. */
async function startMariadb(): Promise<Database> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-mariadb-'));
  const data = path.join(folder, 'data');
  const socket = path.join(folder, 's.sock');
  const user = `--user=${userInfo().username}`;
  execFileSync(
    'mariadb-install-db',
    [
      '--no-defaults',
      user,
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ],
    { stdio: 'ignore' },
  );
  const server = spawn(
    'mariadbd',
    [
      '--no-defaults',
      user,
      `--datadir=${data}`,
      `--socket=${socket}`,
      '--skip-networking',
      '--skip-log-bin',
      '--max-allowed-packet=64M',
    ],
    { stdio: 'ignore' },
  );
  const query = (sql: string): string =>
    execFileSync(
      'mariadb',
      [
        '--no-defaults',
        '-uroot',
        `--socket=${socket}`,
        '--default-character-set=utf8mb4',
        '--batch',
        '--raw',
        '--skip-column-names',
      ],
      {
        input: `SET time_zone = '+00:00'; ${sql}`,
        encoding: 'utf8',
        maxBuffer: 1 << 28,
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
  const stop = async (): Promise<void> => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    if (server.exitCode === null) {
      server.kill('SIGKILL');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 300; attempt++) {
    try {
      query('SELECT 1');
      return { query, stop };
    } catch {
      await sleep(100);
    }
  }
  await stop();
  throw new Error('MariaDB did not start');
}

test.skipIf(absent.length > 0)('MariaDB', async () => {
  const server = await startMariadb();
  try {
    const { checked, wrong } = await checkCanonical({
      dialect: MYSQL_DIALECT,
      literal: ({ mysql }) => mysql,
      bytes: (text) => `HEX(${text})`,
      query: async (sql) => server.query(sql).replace(/\n$/, '').split('\n'),
    });
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(3000);
  } finally {
    await server.stop();
  }
});
