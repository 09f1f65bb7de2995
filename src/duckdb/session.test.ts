import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { InternalError } from '../core/errors.ts';
import { duckName, duckText, duckType } from './types.ts';
import { Session } from './session.ts';

let session: Session;

beforeAll(async () => {
  session = await Session.open({
    memoryBytes: 100 << 20,
    tempDirectory: path.join(tmpdir(), 'sluice-session-test'),
    threads: 2,
  });
});

afterAll(() => session.close());

it('counts time in UTC, keeps to its memory and threads, and fetches no extensions by itself', async () => {
  const names = [
    'TimeZone',
    'threads',
    'memory_limit',
    'autoinstall_known_extensions',
    'autoload_known_extensions',
  ];
  const rows = await session.rows(
    `SELECT name, value FROM duckdb_settings() WHERE name IN (${names.map(duckText).join(', ')})`,
    'asking',
  );
  expect(Object.fromEntries(rows.map((row) => [row['name'], row['value']]))).toEqual({
    TimeZone: 'UTC',
    threads: '2',
    memory_limit: '100.0 MiB',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
});

it('gives numbers that JavaScript cannot hold as text', async () => {
  const rows = await session.rows(
    `SELECT 9223372036854775807 AS n, 0.1::DECIMAL(38,20) AS d, 1::INTEGER AS i`,
    'asking',
  );
  expect(rows).toEqual([{ n: '9223372036854775807', d: '0.10000000000000000000', i: 1 }]);
});

it('says what it was doing when a statement fails', async () => {
  await expect(session.run('SELEC 1', 'testing')).rejects.toThrow(InternalError);
  await expect(session.rows('SELECT * FROM nothing', 'asking')).rejects.toThrow(/^asking: Catalog Error/);
});

it.each([`it's`, `"`, `a"b`, ' ', 'new\nline', ';--', '😀', `\\`])(
  'quotes %j as a name and as text',
  async (text) => {
    const rows = await session.rows(`SELECT ${duckText(text)} AS ${duckName(text)}`, 'quoting');
    expect(rows).toEqual([{ [text]: text }]);
  },
);

it('has a type for every logical type, which DuckDB takes', async () => {
  const types = [
    ...(
      [
        'bool',
        'int16',
        'int32',
        'int64',
        'float32',
        'float64',
        'utf8',
        'json',
        'binary',
        'uuid',
        'date',
        'time',
      ] as const
    ).map((kind) => duckType({ kind })),
    duckType({ kind: 'timestamp', zone: true }),
    duckType({ kind: 'timestamp', zone: false }),
    duckType({ kind: 'decimal', precision: 38, scale: 38 }),
  ];
  const [row] = await session.rows(
    `SELECT ${types.map((type, i) => `typeof(NULL::${type}) AS t${i}`).join(', ')}`,
    'asking',
  );
  expect(Object.values(row!)).toEqual([
    'BOOLEAN',
    'SMALLINT',
    'INTEGER',
    'BIGINT',
    'FLOAT',
    'DOUBLE',
    'VARCHAR',
    'VARCHAR',
    'BLOB',
    'UUID',
    'DATE',
    'TIME',
    'TIMESTAMP WITH TIME ZONE',
    'TIMESTAMP',
    'DECIMAL(38,38)',
  ]);
});

it('keeps freed memory while it works, gives it back meanwhile, and does as before afterwards', async () => {
  const threshold = async (): Promise<unknown> => {
    const name = 'allocator_bulk_deallocation_flush_threshold';
    return (await session.rows(`SELECT current_setting('${name}') AS value`, 'asking'))[0]!['value'];
  };
  const before = await threshold();
  const sum = await session.keepingFreed(async () => {
    expect(await threshold()).not.toBe(before);
    const [row] = await session.rows('SELECT sum(i)::BIGINT AS n FROM range(20_000_000) t(i)', 'adding');
    return row!['n'];
  });
  expect(sum).toBe('199999990000000');
  expect(await threshold()).toBe(before);
  await expect(session.keepingFreed(() => session.run('SELEC 1', 'testing'))).rejects.toThrow(InternalError);
  expect(await threshold()).toBe(before);
});

it('works with less memory than else, and has its own again afterwards', async () => {
  const limit = async (): Promise<unknown> =>
    (await session.rows(`SELECT current_setting('memory_limit') AS value`, 'asking'))[0]!['value'];
  expect(await session.within(50 << 20, limit)).toBe('50.0 MiB');
  await expect(session.within(50 << 20, () => session.run('SELEC 1', 'testing'))).rejects.toThrow(
    InternalError,
  );
  expect(await limit()).toBe('100.0 MiB');
});
