import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Batch } from '../../../core/batch.ts';
import { Session } from '../../../duckdb/session.ts';
import { duckText } from '../../../duckdb/types.ts';
import { ParquetWriter } from './parquet-writer.ts';
import { batchRowBytes, queryRowBytes, rowGroupRows } from './row-groups.ts';

describe('the rows of a row group', () => {
  let folder: string;
  let session: Session;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-row-groups-'));
    session = await Session.open({ memoryBytes: 128 << 20, threads: 1, tempDirectory: join(folder, 'temp') });
  });
  afterAll(async () => {
    session.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('are as many as the readers of Parquet like when rows are narrow, and fewer when they are wide', () => {
    expect(rowGroupRows(60)).toBe(122_880);
    expect(rowGroupRows(2000)).toBe(8192);
    expect(rowGroupRows(2100)).toBe(6144);
    expect(rowGroupRows(5_000_000)).toBe(2048);
  });

  test('follow from what the values of a batch take, texts with their bookkeeping', () => {
    const batch = new Batch(
      {
        fields: [
          { name: 'a', type: { kind: 'int64' }, nullable: true, native: 'bigint' },
          { name: 'b', type: { kind: 'utf8' }, nullable: true, native: 'text' },
        ],
        key: [],
      },
      8,
    );
    const [, text] = batch.columns;
    text!.offsets.set([0, 10, 20]);
    batch.rows = 2;
    expect(batchRowBytes(batch)).toBeGreaterThanOrEqual(8 + 16 + 10);
    expect(batchRowBytes(batch)).toBeLessThanOrEqual(8 + 16 + 10 + 4);
  });

  test('follow from the texts that a query gives, not from their type', async () => {
    const short = await queryRowBytes(session, `SELECT range AS n, 'x' AS t FROM range(5000)`);
    const long = await queryRowBytes(session, `SELECT range AS n, repeat('x', 1000) AS t FROM range(5000)`);
    expect(long - short).toBe(999);
    expect(await queryRowBytes(session, `SELECT NULL::VARCHAR AS t, 'ab'::BLOB AS b`)).toBe(16 + 16 + 2);
    expect(await queryRowBytes(session, `SELECT 1 AS n, 'x' AS t WHERE false`)).toBe(8 + 16);
  });

  test('are those of the written file', async () => {
    const query = `SELECT range AS n, repeat('x', 2000) AS t FROM range(20000)`;
    const directory = join(folder, 'files');
    const writer = new ParquetWriter(
      session,
      { directory, compression: 'zstd', rowGroupRows: undefined, fileBytes: 1 << 30, partitions: [] },
      await queryRowBytes(session, query),
    );
    await writer.write(query, false);
    const groups = await session.rows(
      `SELECT DISTINCT row_group_id, row_group_num_rows AS n FROM parquet_metadata(${duckText(writer.files[0]!.path)}) ORDER BY 1`,
      'reading the footer',
    );
    expect(groups.map((group) => Number(group['n']))).toEqual([8192, 8192, 3616]);
  });
});
