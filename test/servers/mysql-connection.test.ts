/** Encryption, sockets, passwords and servers that fall silent, with MariaDB. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as connectTo, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mysqlConnector } from '../../src/connectors/mysql/index.ts';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import { issue, makeAuthority } from '../../src/connectors/postgres/certificates.fixture.ts';
import type { Source } from '../../src/core/source.ts';
import { type MariadbServer, startMariadb } from '../../src/testing/mariadb-server.ts';
import { readIncrement, streamOf } from '../../src/testing/source-suite.ts';
import { mariadbPresent } from '../support/mariadb.ts';

const SIGNAL = new AbortController().signal;
const ROWS = 50_000;
let folder: string;
let server: MariadbServer;

const file = (name: string): string => path.join(folder, name);

beforeAll(async () => {
  if (!mariadbPresent) return;
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-mysql-tls-'));
  chmodSync(folder, 0o755);
  const authority = makeAuthority('Sluice test authority');
  const own = issue(authority, { names: ['localhost'] });
  const files = {
    'ca.pem': authority.cert,
    'other.pem': makeAuthority('Somebody else').cert,
    'cert.pem': own.cert,
    'key.pem': own.key,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(file(name), text);
  server = await startMariadb({
    settings: [`--ssl-cert=${file('cert.pem')}`, `--ssl-key=${file('key.pem')}`],
  });
  await server.query(
    `CREATE DATABASE shop; USE shop; CREATE TABLE t (id int PRIMARY KEY, v varchar(100)); INSERT INTO t SELECT seq, REPEAT('x', 100) FROM seq_1_to_${ROWS};
     CREATE USER coded IDENTIFIED BY 'p@ss/w:rd'; CREATE USER tls REQUIRE SSL; GRANT ALL ON *.* TO coded, tls`,
  );
});

afterAll(async () => {
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function open(options: object): Promise<Source> {
  return mysqlConnector.openSource!(mysqlOptions.parse(options), {
    name: 'db',
    directory: '/',
    memoryBytes: 256 << 20,
    workers: 1,
  });
}

/** Reads the table; returns the number of rows and whether the connection was encrypted. */
async function rows(options: object): Promise<number> {
  const source = await open(options);
  try {
    const snapshot = await source.open(SIGNAL);
    return (await readIncrement(snapshot, streamOf('shop.t', []))).rows.length;
  } finally {
    await source.close();
  }
}

describe.runIf(mariadbPresent)('connections to MariaDB', () => {
  test('TLS as strict as asked, and rows through it', async () => {
    const url = `mysql://root@localhost:${server.port}/shop`;
    expect(await rows({ url, tls: 'require' })).toBe(ROWS);
    expect(
      await rows({ url: `${url}?ssl-mode=verify_identity&ssl-ca=${encodeURIComponent(file('ca.pem'))}` }),
    ).toBe(ROWS);
    const byAddress = `mysql://root@127.0.0.1:${server.port}/shop`;
    expect(await rows({ url: byAddress, tls: 'verify-ca', tls_ca: file('ca.pem') })).toBe(ROWS);
    const refused: object[] = [
      { url, tls: 'verify-ca', tls_ca: file('other.pem') },
      { url, tls: 'require', tls_ca: file('other.pem') },
      { url, tls: 'verify-full' },
      { url: byAddress, tls: 'verify-full', tls_ca: file('ca.pem') },
      { url, tls: 'require', tls_ca: file('not-there.pem') },
    ];
    for (const options of refused)
      await expect(rows(options), JSON.stringify(options)).rejects.toMatchObject({ code: 'mysql.tls' });
  });

  test('prefer takes TLS on the loopback only where the account insists', async () => {
    expect(await rows({ url: `mysql://tls@127.0.0.1:${server.port}/shop` })).toBe(ROWS);
    await expect(
      rows({ url: `mysql://tls@127.0.0.1:${server.port}/shop`, tls: 'disable' }),
    ).rejects.toMatchObject({ recovery: 'auth' });
  });

  test('sockets, and passwords with every character, which no message shows', async () => {
    expect(
      await rows({ url: `mysql://root@localhost/shop?socket=${encodeURIComponent(server.socket)}` }),
    ).toBe(ROWS);
    expect(
      await rows({ url: `mariadb://coded:${encodeURIComponent('p@ss/w:rd')}@127.0.0.1:${server.port}/shop` }),
    ).toBe(ROWS);
    const wrong = rows({ url: `mysql://coded:wrong-secret@127.0.0.1:${server.port}/shop` });
    await expect(wrong).rejects.toMatchObject({ code: 'mysql.login_refused' });
    await wrong.catch((error: Error) =>
      expect(JSON.stringify([error.message, error])).not.toContain('wrong-secret'),
    );
  });

  test('a network that swallows bytes is noticed', async () => {
    const pairs: [Socket, Socket][] = [];
    let silent = false;
    const proxy = createServer((client) => {
      const upstream = connectTo(server.port, '127.0.0.1');
      pairs.push([client, upstream]);
      client.on('data', (chunk) => silent || upstream.write(chunk));
      upstream.on('data', (chunk) => silent || client.write(chunk));
      for (const each of [client, upstream]) each.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => proxy.once('listening', resolve));
    const { port } = proxy.address() as AddressInfo;
    const source = await open({
      url: `mysql://root@127.0.0.1:${port}/shop`,
      stall_timeout: 1,
      connect_timeout: 1,
    });
    const snapshot = await source.open(SIGNAL);
    silent = true;
    await expect(readIncrement(snapshot, streamOf('shop.t', []))).rejects.toMatchObject({
      code: 'mysql.connection_lost',
      recovery: 'transient',
    });
    await source.close();
    for (const pair of pairs) for (const each of pair) each.destroy();
    proxy.close();
  });
});
