import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseType } from '../../core/types.ts';
import { duckName, duckText } from '../../duckdb/types.ts';
import { Session } from '../../duckdb/session.ts';
import { openLocalStorage } from '../shared/local-storage.ts';
import {
  commitKey,
  dataKey,
  isDataKey,
  nameKey,
  partitionFolder,
  partitionLevels,
  partitionOf,
  seqOfKey,
  tableFolder,
  tableOfFolder,
} from './layout.ts';
import { ownerKey, ownerOfKey } from '../shared/staging.ts';

const HOSTILE = [
  '_sluice',
  '.',
  '..',
  '.hidden',
  'a..b',
  'a.',
  'public.orders',
  'a/b',
  '../../etc/passwd',
  'C:\\x',
  "o'brien",
  '"q"',
  'new\nline',
  'tab\t',
  'nul\0',
  'Überweisungen',
  '注文',
  '😀',
  'a b',
  '100%',
  '%41',
  'year=2026',
  '*',
  '?',
  '[x]',
  '~',
  '-rf',
  'x'.repeat(300),
  '注'.repeat(100),
];

describe('table folders', () => {
  it.each([
    ['orders', 'orders'],
    ['public.orders', 'public.orders'],
    ['_sluice', '%5Fsluice'],
    ['..', '%2E%2E'],
    ['.hidden', '%2Ehidden'],
    ['a/b', 'a%2Fb'],
    ['100%', '100%25'],
    ['é', '%C3%A9'],
    ['注文', '%E6%B3%A8%E6%96%87'],
    ['line_items-2', 'line_items-2'],
  ])('%j lies in %j', (table, folder) => {
    expect(tableFolder(table)).toBe(folder);
    expect(tableOfFolder(folder)).toBe(table);
  });

  it('are plain, bounded and different for every hostile name', () => {
    const folders = HOSTILE.map(tableFolder);
    expect(new Set(folders).size).toBe(HOSTILE.length);
    for (const folder of folders) {
      expect(folder).toMatch(/^[A-Za-z0-9%-][A-Za-z0-9%_.~-]*$/);
      expect(folder.length).toBeLessThanOrEqual(200);
      expect(folder.endsWith('.')).toBe(false);
    }
  });

  it('are read back for any text', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(text, (table) => {
        const folder = tableFolder(table);
        expect(folder.includes('~') || tableOfFolder(folder) === table).toBe(true);
        expect(folder).not.toMatch(/^[._]|\/|\.$/);
      }),
    );
  });

  it('refuses what has no bytes of its own', () => {
    expect(() => tableFolder('')).toThrow(/empty/);
    expect(() => tableFolder('\ud800')).toThrow(/surrogate/);
  });

  it('keeps every path part within 255 bytes', () => {
    const key = dataKey({
      table: '注'.repeat(100),
      partition: { ['é'.repeat(200)]: '文'.repeat(300) },
      slice: 's'.repeat(400),
      part: 12345678,
    });
    for (const part of key.split('/')) expect(part.length).toBeLessThanOrEqual(255);
    expect(nameKey('注'.repeat(100)).split('/').at(-1)!.length).toBeLessThanOrEqual(255);
  });
});

describe('keys', () => {
  it('name data files after table, slice and part', () => {
    const key = dataKey({
      table: 'orders',
      partition: { year: '2026', month: '01', day: '15' },
      slice: 'w1-20260724',
      part: 0,
    });
    expect(key).toBe('orders/year=2026/month=01/day=15/orders_w1-20260724_0.parquet');
    expect(isDataKey('orders', key)).toBe(true);
    expect(isDataKey('orders', 'orders/year=2026/other_0.parquet')).toBe(false);
    expect(isDataKey('order', key)).toBe(false);
  });

  it('number commits so that their order is that of the names', () => {
    expect(commitKey('orders', 7)).toBe('_sluice/tables/orders/commits/00000000000000000007.json');
    expect(seqOfKey(commitKey('orders', 7))).toBe(7);
    expect(seqOfKey('_sluice/tables/orders/commits/00000000000000000007.json.tmp')).toBeUndefined();
    expect(seqOfKey('_sluice/tables/orders/commits/7.json')).toBeUndefined();
  });

  it('say who owns a staging folder', () => {
    const owner = { host: 'box-1.local', pid: 4711, run: '2026-07-25T01:00:00Z' };
    expect(ownerOfKey(ownerKey(owner))).toEqual(owner);
    expect(ownerOfKey('_sluice/staging/elsewhere/file')).toBeUndefined();
  });
});

describe('partitions', () => {
  it.each([
    ['day', '2026-01-15', 'year=2026/month=01/day=15/'],
    ['day', '2026-01-15 23:59:59.999999+00', 'year=2026/month=01/day=15/'],
    ['hour', '2026-01-15 23:59:59', 'year=2026/month=01/day=15/hour=23/'],
    ['hour', '2026-01-15T07:00:00Z', 'year=2026/month=01/day=15/hour=07/'],
    ['hour', '2026-01-15', 'year=2026/month=01/day=15/hour=00/'],
    ['month', '0044-03-15 (BC)', 'year=-43/month=03/'],
    ['month', '0044-03-15 10:00:00 BC', 'year=-43/month=03/'],
    ['year', '12026-01-15', 'year=12026/'],
    ['year', 'infinity', 'year=infinity/'],
    ['month', null, 'year=__HIVE_DEFAULT_PARTITION__/month=__HIVE_DEFAULT_PARTITION__/'],
    ['value', 'EU', 'at=EU/'],
    ['value', null, 'at=__HIVE_DEFAULT_PARTITION__/'],
    ['value', '__HIVE_DEFAULT_PARTITION__', 'at=%5F_HIVE_DEFAULT_PARTITION__/'],
    ['value', '', 'at=/'],
    ['value', 'a/b=c ü', 'at=a%2Fb%3Dc%20%C3%BC/'],
    ['value', '..', 'at=../'],
  ] as const)('by %s of %j is %s', (by, value, folder) => {
    expect(partitionFolder(partitionOf({ column: 'at', by }, value))).toBe(folder);
  });

  it('refuses instants that are not in UTC, whose day is another one', () => {
    expect(() => partitionOf({ column: 'at', by: 'day' }, '2026-01-15 23:00:00-05')).toThrow(/UTC/);
  });
});

describe('partitions in DuckDB', () => {
  let session: Session;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-layout-'));
    session = await Session.open({ memoryBytes: 128 << 20, threads: 1, tempDirectory: join(folder, 'temp') });
  });
  afterAll(async () => {
    session.close();
    await rm(folder, { recursive: true });
  });

  it.each([
    ['date', ['2026-01-15', '0999-12-31', '0044-03-15 (BC)', '12026-01-05', 'infinity', '-infinity', null]],
    ['timestamp', ['2026-01-15 23:59:59.999999', '0044-03-15 (BC) 10:00:00', 'infinity', null]],
    ['timestamptz', ['2026-01-15 23:59:59.999999+00', '2026-01-16 00:30:00+02', '-infinity', null]],
  ] as const)('%s: the expressions give what the function gives', async (type, values) => {
    const name = 'at "x"';
    for (const by of ['year', 'month', 'day', 'hour'] as const) {
      const levels = partitionLevels({ column: name, by }, parseType(type)!);
      for (const value of values) {
        const column = `CAST(${value === null ? 'NULL' : duckText(value)} AS ${type}) AS ${duckName(name)}`;
        const list = levels.map((level) => `${level.sql} AS ${level.name}`).join(', ');
        const [row] = await session.rows(
          `SELECT CAST(${duckName(name)} AS VARCHAR) AS printed, ${list} FROM (SELECT ${column})`,
          'testing',
        );
        const { printed, ...computed } = row!;
        expect(computed).toEqual(partitionOf({ column: name, by }, printed as string | null));
      }
    }
  });

  it('refuses to divide other types by time', () => {
    expect(() => partitionLevels({ column: 'a', by: 'day' }, { kind: 'int32' })).toThrow(
      /holds dates|not a date/,
    );
  });

  it('every folder is read back as the value it was made of', async () => {
    const storage = openLocalStorage(join(folder, 'lake'));
    const values = [
      'EU',
      '',
      'a/b=c ü',
      '100%',
      '%41',
      "o'x",
      '注文',
      'new\nline',
      '__HIVE_DEFAULT_PARTITION__',
      '_x',
      '..',
      '.a',
      'a+b',
      null,
    ];
    for (const [i, value] of values.entries()) {
      const local = join(folder, 'one.parquet');
      await session.run(`COPY (SELECT ${i} AS i) TO ${duckText(local)} (FORMAT parquet)`, 'testing');
      await storage.upload(dataKey({ table: 't', partition: { p: value }, slice: 's', part: i }), local);
    }
    const glob = duckText(storage.localPath('t/x').replace(/x$/, '*/*.parquet'));
    const rows = await session.rows(
      `SELECT i, p FROM read_parquet(${glob}, hive_partitioning = true, hive_types = {p: VARCHAR}) ORDER BY i`,
      'testing',
    );
    expect(rows.map((row) => row['p'])).toEqual(values);
  });
});
