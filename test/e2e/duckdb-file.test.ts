/** A DuckDB file at both ends of the whole program, and what happens when the file is not what it should be. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { duckdbConnector } from '../../src/connectors/duckdb/index.ts';
import { duckdbOptions } from '../../src/connectors/duckdb/options.ts';
import type { SluiceError } from '../../src/core/errors.ts';
import type { StreamConfig } from '../../src/core/stream.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { readNow, streamOf } from '../../src/testing/source-suite.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const folder = mkdtempSync(path.join(tmpdir(), 'sluice-duckdb-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const inFolder = (name: string): string => path.join(folder, name);

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const SIGNAL = new AbortController().signal;
const CONTEXT = { name: 'file', directory: folder, memoryBytes: 256 << 20, workers: 2 };
const EQUAL = { lost: [], extra: [], doubled: [] };

async function openPair(streams: Streams, sql: string): Promise<Pair<PostgresSide, DuckdbSide>> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  return new Pair(from, (home) => new DuckdbSide(home), streams);
}

/** What is said of a file by whoever is to write it, or to read it. */
async function refused(name: string, as: 'source' | 'destination' = 'destination'): Promise<SluiceError> {
  const options = duckdbOptions.parse({ path: name });
  const end =
    as === 'source'
      ? await duckdbConnector.openSource!(options, CONTEXT)
      : await duckdbConnector.openDestination!(options, CONTEXT);
  try {
    return await end.check(SIGNAL).then(
      () => expect.fail(`"${name}" was opened`),
      (error: unknown) => error as SluiceError,
    );
  } finally {
    await end.close();
  }
}

it('is copied to and from by its path', async () => {
  const [shop, back] = [await server().createDatabase('shop'), await server().createDatabase('back')];
  const side = await PostgresSide.open(server());
  const client = await side.connect(shop);
  await client.query(
    `CREATE TABLE orders (id int PRIMARY KEY, total numeric(10,2) DEFAULT 0, note text, at timestamptz NOT NULL);
     COMMENT ON COLUMN orders.note IS 'what they want';
     INSERT INTO orders SELECT i, i / 7.0, CASE WHEN i % 5 > 0 THEN 'näh ' || i END, now() FROM generate_series(1, 5000) i`,
  );
  const copy = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [MAIN, 'copy', ...args], { cwd: folder })).stdout;
  await copy(shop, 'warehouse.duckdb', '--table', 'public.orders', '--verify', 'checksums');
  const columns = await askDuckdb(
    inFolder('warehouse.duckdb'),
    `SELECT column_name AS name, data_type AS type, is_nullable AS nullable, comment, column_default AS value FROM duckdb_columns() WHERE table_name = 'orders' AND column_name <> 'at'`,
  );
  expect(columns).toEqual([
    { name: 'id', type: 'INTEGER', nullable: false, comment: null, value: null },
    { name: 'total', type: 'DECIMAL(10,2)', nullable: true, comment: null, value: '0' },
    { name: 'note', type: 'VARCHAR', nullable: true, comment: 'what they want', value: null },
  ]);
  await copy('duckdb:./warehouse.duckdb', back, '--table', 'orders', '--verify', 'checksums');
  const all = 'SELECT id, total::text, note, at::text FROM orders ORDER BY id';
  const other = await side.connect(back);
  expect((await other.query(all)).rows).toEqual((await client.query(all)).rows);
  await side.close();
});

it('loads parts and days side by side, and each row once', async () => {
  await using pair = await openPair(
    {
      'public.parts': { load: 'append', cursor: 'xmin' },
      'public.days': { load: 'delete-insert', date: { column: 'day', by: 'day' }, first_run: 30 * 86_400 },
    },
    `CREATE TABLE parts (id int PRIMARY KEY, v text); INSERT INTO parts SELECT i, repeat('x', 50) || i FROM generate_series(1, 5000) i;
     CREATE TABLE days (id int PRIMARY KEY, day date NOT NULL, v int); INSERT INTO days SELECT i, current_date - 1 - i % 20, 0 FROM generate_series(1, 1000) i;
     ANALYZE`,
  );
  pair.from.connection = { ...pair.from.connection, slice_size: '64 KB' };
  const report = await pair.attempt({ workers: 3 });
  expect(report.streams.map(({ error }) => error)).toEqual([undefined, undefined]);
  expect(pair.events.filter(({ kind }) => kind === 'slice-committed').length).toBeGreaterThan(20);
  for (const table of ['parts', 'days']) expect(await pair.compare(table)).toEqual(EQUAL);
  // Two have got another day, and one of them a day that is loaded before that of its old row.
  await pair.from.db.query(
    `UPDATE days SET v = 1 WHERE id < 100; UPDATE days SET day = current_date - 1 WHERE id = 5; UPDATE days SET day = current_date - 9 WHERE id = 20; DELETE FROM days WHERE id = 7`,
  );
  await pair.run({
    select: ['public.days'],
    window: { from: new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10) },
  });
  expect(await pair.compare('days')).toEqual(EQUAL);
});

it('keeps what its owner has added to a table', async () => {
  await using pair = await openPair(
    { 'public.t': { load: 'replace' }, 'public.m': { load: 'merge', cursor: 'xmin' } },
    `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'); CREATE TABLE m (LIKE t INCLUDING ALL); INSERT INTO m TABLE t`,
  );
  await pair.run();
  await pair.to.ask('CREATE INDEX mine ON t (v)');
  await pair.to.ask('CREATE VIEW seen AS SELECT v FROM t');
  await pair.to.ask(`ALTER TABLE m ADD COLUMN remark VARCHAR DEFAULT 'none'`);
  await pair.to.ask(`UPDATE m SET remark = 'kept' WHERE id = 1`);
  for (const table of ['t', 'm'])
    await pair.from.db.query(`UPDATE ${table} SET v = 'c'; INSERT INTO ${table} VALUES (3, 'd')`);
  await pair.run();
  for (const table of ['t', 'm']) expect(await pair.compare(table)).toEqual(EQUAL);
  expect(await pair.to.ask('SELECT index_name FROM duckdb_indexes()')).toEqual([{ index_name: 'mine' }]);
  expect(await pair.to.ask('SELECT count(*) AS n FROM seen')).toEqual([{ n: '3' }]);
  const remarks = await pair.to.ask('SELECT remark FROM m ORDER BY id');
  expect(remarks.map(({ remark }) => remark)).toEqual(['kept', 'none', 'none']);
});

it('refuses rows that share a key, and rows of others', async () => {
  await using pair = await openPair(
    { 'public.t': { load: 'replace', key: ['id'] } },
    `CREATE TABLE t (id int NOT NULL, v text); INSERT INTO t VALUES (1, 'secret a'), (1, 'secret b')`,
  );
  const doubled = (await pair.attempt()).streams[0]!.error!;
  expect(doubled.code).toBe('sql.duplicate_key');
  expect(doubled.message).not.toContain('secret');
  await pair.to.ask('CREATE OR REPLACE TABLE t AS SELECT 7 AS id');
  expect((await pair.attempt()).streams[0]!.error!.code).toBe('sql.not_ours');
});

it('reads views, queries and other types, and says what is wrong with them', async () => {
  await askDuckdb(
    inFolder('read.duckdb'),
    `CREATE TABLE t AS SELECT range AS id, range::HUGEINT * 1000 AS h, TIMESTAMP_NS '2020-01-01 00:00:00.123456789' AS n FROM range(10)`,
    'CREATE VIEW even AS SELECT id, h FROM t WHERE id % 2 = 0',
    'CREATE SCHEMA sales; CREATE TABLE sales.large AS SELECT 170141183460469231731687303715884105727::HUGEINT AS h',
  );
  const source = await duckdbConnector.openSource!(duckdbOptions.parse({ path: 'read.duckdb' }), CONTEXT);
  try {
    expect((await source.discover(SIGNAL)).map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      'view even',
      'table t',
      'table sales.large',
    ]);
    const read = async (stream: Partial<StreamConfig>): Promise<Cell[][]> =>
      (await readNow(source, { ...streamOf('t', []), ...stream })).rows;
    expect(await read({ name: 'even', where: 'id > 4' })).toEqual([
      ['6', '6000'],
      ['8', '8000'],
    ]);
    expect(await read({ name: 'q', sql: 'SELECT max(id) AS m FROM t;' })).toEqual([['9']]);
    expect(await read({ types: { n: 'timestamp', h: 'text' }, where: 'id = 1' })).toEqual([
      ['1', '1000', '1577836800123456'],
    ]);
    expect(await read({ name: 'sales.large', types: { h: 'text' } })).toEqual([[`${2n ** 127n - 1n}`]]);
    const wrong: [Partial<StreamConfig>, string][] = [
      [{ name: 'nothing' }, 'duckdb.no_table'],
      [{ name: 'q', sql: 'SELECT nothing FROM t' }, 'stream.invalid'],
      [{ where: 'nothing = 1' }, 'stream.invalid'],
      [{ types: { id: 'money' } }, 'stream.invalid'],
      [{ name: 'sales.large' }, 'duckdb.conversion'],
    ];
    for (const [stream, code] of wrong) await expect(read(stream)).rejects.toMatchObject({ code });
  } finally {
    await source.close();
  }
});

it('says who has the file, and lets nobody write what is read', async () => {
  const file = inFolder('held.duckdb');
  await askDuckdb(file, 'CREATE TABLE t AS SELECT 1 AS a');
  const hold = `import { DuckDBInstance } from '@duckdb/node-api'; const i = await DuckDBInstance.create(${JSON.stringify(file)}); await i.connect(); console.log('open'); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', hold], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
  await once(child.stdout, 'data');
  try {
    for (const as of ['source', 'destination'] as const) {
      const error = await refused('held.duckdb', as);
      expect(error).toMatchObject({ code: 'duckdb.locked', recovery: 'transient' });
      expect(error.message).toContain(`PID ${child.pid}`);
    }
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const source = await duckdbConnector.openSource!(duckdbOptions.parse({ path: 'held.duckdb' }), CONTEXT);
  const snapshot = await source.open(SIGNAL);
  expect(await refused('held.duckdb')).toMatchObject({ code: 'duckdb.in_use', recovery: 'transient' });
  const write = promisify(execFile)(process.execPath, ['--input-type=module', '-e', hold], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
  await expect(write).rejects.toThrow('Conflicting lock');
  await snapshot.close();
  await askDuckdb(file, 'INSERT INTO t VALUES (2)');
  await source.close();
});

/** DuckDB's checksum of a block: the words of 64 bits, mixed. */
function checksum(bytes: Buffer): bigint {
  let sum = 5381n;
  for (let at = 0; at < bytes.length; at += 8)
    sum ^= BigInt.asUintN(64, bytes.readBigUInt64LE(at) * 0xbf58476d1ce4e5b9n);
  return sum;
}

it('says what is wrong with a file', async () => {
  mkdirSync(inFolder('folder.duckdb'));
  writeFileSync(inFolder('text.duckdb'), 'no database at all\n'.repeat(1000));
  writeFileSync(inFolder('empty.duckdb'), '');
  const whole = inFolder('whole.duckdb');
  await askDuckdb(whole, 'CREATE TABLE t AS SELECT range AS a FROM range(100000)', 'CHECKPOINT');
  const damaged = readFileSync(whole);
  damaged.fill(7, 12_288, 200_000);
  writeFileSync(inFolder('damaged.duckdb'), damaged);
  const newer = readFileSync(whole);
  expect(newer.readBigUInt64LE(0)).toBe(checksum(newer.subarray(8, 4096)));
  newer.writeBigUInt64LE(999n, 12);
  newer.writeBigUInt64LE(checksum(newer.subarray(8, 4096)), 0);
  writeFileSync(inFolder('newer.duckdb'), newer);
  const codes = {
    'folder.duckdb': 'duckdb.no_database',
    'text.duckdb': 'duckdb.no_database',
    'empty.duckdb': 'duckdb.no_database',
    'damaged.duckdb': 'duckdb.damaged',
    'newer.duckdb': 'duckdb.newer_file',
    'nowhere/missing.duckdb': 'duckdb.missing',
  };
  for (const [name, code] of Object.entries(codes))
    for (const as of ['source', 'destination'] as const) {
      const error = await refused(name, as);
      expect({ name, as, code: error.code }).toEqual({ name, as, code });
      expect(error.message).toContain(name);
    }
});
