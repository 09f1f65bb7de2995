import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Session } from '../../../duckdb/session.ts';
import { duckText } from '../../../duckdb/types.ts';
import { partitionsOf, withPartition } from './partition-split.ts';

let folder: string;
let session: Session;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-split-'));
  session = await Session.open({ memoryBytes: 256 << 20, tempDirectory: join(folder, 'spill'), threads: 1 });
});
afterAll(() => {
  session.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Found {
  values: (string | null)[];
  ids: number[];
}

async function split(query: string, levels: string[], passRows: number): Promise<Found[]> {
  let files = 0;
  const write = async (rows: string): Promise<string> => {
    const file = join(folder, `${files++}.parquet`);
    await session.run(`COPY (${rows}) TO ${duckText(file)} (FORMAT parquet)`, 'writing');
    return file;
  };
  const whole = await write(withPartition(query, levels));
  const found: Found[] = [];
  for await (const { values, rows, query: own } of partitionsOf(
    { session, passRows, rowBytes: 1000, levels: levels.length, write },
    whole,
  )) {
    const ids = (await session.rows(`SELECT id FROM (${own})`, 'reading')).map((row) => Number(row['id']));
    expect(ids.length).toBe(rows);
    found.push({ values, ids });
  }
  rmSync(whole);
  expect(readdirSync(folder).filter((name) => name.endsWith('.parquet'))).toEqual([]);
  return found.toSorted((a, b) => a.ids[0]! - b.ids[0]!);
}

describe('partitions of a file', () => {
  const query = `SELECT range::INT AS id, (range % 50)::INT AS part FROM range(5000)`;

  it.each([
    ['all at once', 1_000_000],
    ['in some passes', 1500],
    ['by way of smaller files', 120],
    ['one by one, each larger than memory', 1],
  ])('have all their rows, in order, %s', async (_, passRows) => {
    const found = await split(query, ['part::VARCHAR'], passRows);
    expect(found.length).toBe(50);
    for (const [part, { values, ids }] of found.entries()) {
      expect(values).toEqual([String(part)]);
      expect(ids).toEqual(Array.from({ length: 100 }, (__, i) => part + 50 * i));
    }
  });

  it('have values of several levels, NULL and empty ones among them', async () => {
    const rows = `SELECT * FROM (VALUES (1, 'a', NULL), (2, NULL, 'a'), (3, '', 'a'), (4, 'a', NULL), (5, NULL, NULL)) AS t(id, x, y)`;
    expect(await split(rows, ['x', 'y'], 2)).toEqual([
      { values: ['a', null], ids: [1, 4] },
      { values: [null, 'a'], ids: [2] },
      { values: ['', 'a'], ids: [3] },
      { values: [null, null], ids: [5] },
    ]);
  });

  it('are none when there are no rows', async () => {
    expect(await split(`${query} WHERE false`, ['part::VARCHAR'], 100)).toEqual([]);
  });
});
