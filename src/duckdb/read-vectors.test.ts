import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Column } from '../core/batch.ts';
import { ChunkRows } from './read-vectors.ts';
import { Session } from './session.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-vectors-'));
let session: Session;
beforeAll(async () => {
  session = await Session.open({ memoryBytes: 256 << 20, tempDirectory: folder, threads: 1 });
});
afterAll(() => {
  session.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The one column of a query, read by us and by DuckDB's own API, `cut` rows at a time. */
async function both(sql: string, kind: 'utf8' | 'binary', cut: number): Promise<[unknown[], unknown[]]> {
  const result = await session.connection.stream(sql);
  const [ours, theirs]: [unknown[], unknown[]] = [[], []];
  const column = new Column({ kind }, 2048);
  for (let chunk = await result.fetchChunk(); chunk?.rowCount; chunk = await result.fetchChunk()) {
    const rows = new ChunkRows(chunk.chunk, [column]);
    for (let from = 0; from < rows.rows;) {
      const to = Math.min(rows.cut(from, 1 << 20), from + cut);
      column.reset();
      rows.read([column], from, to);
      for (let r = 0; r < to - from; r++)
        ours.push(
          column.isNull(r)
            ? null
            : Buffer.from(column.bytes.subarray(column.offsets[r], column.offsets[r + 1])).toString('hex'),
        );
      from = to;
    }
    for (const value of chunk.getColumnValues(0) as (string | { bytes: Uint8Array } | null)[])
      theirs.push(
        value === null
          ? null
          : Buffer.from(typeof value === 'string' ? Buffer.from(value, 'utf8') : value.bytes).toString('hex'),
      );
  }
  return [ours, theirs];
}

describe('strings of a chunk', () => {
  const parquet = join(folder, 't.parquet');
  beforeAll(async () => {
    // Few values make a dictionary, many lie in pages of their own.
    await session.run(
      `COPY (SELECT i, 'one of a few long values ' || (i * 7 % 13) AS few, repeat('ä', i % 40) || i AS many, CASE WHEN i % 3 > 0 THEN 'with NULLs between ' || i END AS nulls FROM range(6000) r(i)) TO '${parquet}' (FORMAT parquet)`,
      'writing',
    );
  });

  it.each([
    ['of all lengths', `SELECT repeat('x', (i % 30)::INT) || i FROM range(5000) r(i)`],
    [
      'with NULLs',
      `SELECT CASE WHEN i % 5 > 1 THEN 'some text that is long ' || i END FROM range(5000) r(i)`,
    ],
    ['that are all NULL', `SELECT NULL::VARCHAR FROM range(3000)`],
    ['that are all the same', `SELECT 'a constant of more than twelve bytes' FROM range(3000)`],
    [
      'in another order than in memory',
      `SELECT 'a text to be sorted ' || i FROM range(5000) r(i) ORDER BY hash(i)`,
    ],
    ['of megabytes', `SELECT repeat('xyz', (i * 90000)::INT) FROM range(5) r(i)`],
    ['from a dictionary', `SELECT few FROM read_parquet('${parquet}')`],
    ['from pages', `SELECT many FROM read_parquet('${parquet}') WHERE i % 7 <> 2`],
    ['from pages with NULLs', `SELECT nulls FROM read_parquet('${parquet}')`],
  ])('%s are those that DuckDB shows', async (_, sql) => {
    for (const cut of [2048, 100]) {
      const [ours, theirs] = await both(sql, 'utf8', cut);
      expect(ours.length).toBeGreaterThan(0);
      expect(ours).toEqual(theirs);
    }
  });

  it('may be bytes', async () => {
    const [ours, theirs] = await both(
      `SELECT unhex(md5(i::VARCHAR) || '00ff') FROM range(3000) r(i)`,
      'binary',
      2048,
    );
    expect(ours).toEqual(theirs);
    expect(ours[0]).toMatch(/00ff$/);
  });

  it('are cut before they are too large', async () => {
    const result = await session.connection.stream(`SELECT repeat('x', 100000) FROM range(100)`);
    const chunk = (await result.fetchChunk())!;
    const rows = new ChunkRows(chunk.chunk, [new Column({ kind: 'utf8' }, 2048)]);
    expect(rows.cut(0, 1_000_000)).toBe(10);
    expect(rows.cut(95, 1_000_000)).toBe(100);
    expect(rows.cut(0, 10)).toBe(1);
  });
});
