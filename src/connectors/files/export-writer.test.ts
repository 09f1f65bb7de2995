/** An export is counted before readers see it. */
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableSpec } from '../../core/destination.ts';
import type { SliceReader } from '../../core/source.ts';
import type { Slice } from '../../core/stream.ts';
import type { FileOptions, StagedFile } from '../shared/lane/lane-protocol.ts';
import { type Lane, lanePool } from '../shared/lane/lane.ts';
import { openLocalStorage } from '../shared/local-storage.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';
import { ExportWriter } from './export-writer.ts';
import { joinParquet, joinText, rowsInFooter } from './export-parts.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-export-'));
const memory = { memoryBytes: 128 << 20, tempDirectory: path.join(folder, 'spill'), threads: 1 };
let pool: ThreadPool<Lane>;
let scratches = 0;

const scratch = (): string => path.join(folder, `scratch-${scratches++}`);

beforeAll(() => {
  pool = lanePool(memory, 1);
});
afterAll(async () => {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

const OPTIONS: Omit<FileOptions, 'directory'> = {
  compression: 'zstd',
  empty: true,
  rowGroupRows: undefined,
  fileBytes: Infinity,
  partitions: [],
};

function parquet(rows: number): Promise<StagedFile[]> {
  const files = { ...OPTIONS, directory: scratch() };
  return pool.use((lane) => lane.copy({ query: `SELECT range AS n FROM range(${rows})`, files }));
}

describe('files that are put together', () => {
  it('have as many rows of Parquet as their footer says', async () => {
    const parts = [...(await parquet(5)), ...(await parquet(7))];
    const joined = await joinParquet(pool, parts, { ...OPTIONS, directory: scratch() });
    expect(await rowsInFooter(pool, joined)).toBe(12);
  });

  it('have all bytes of their parts, or are none', async () => {
    const parts = ['a\n', 'b\n'].map((text, i): StagedFile => {
      const file = path.join(folder, `part-${i}`);
      writeFileSync(file, text);
      return { path: file, rows: 1, bytes: 2, crc32: '', partition: [], stats: {} };
    });
    appendFileSync(parts[1]!.path, 'c\n');
    await expect(joinText(parts)).rejects.toThrow('it has 6 bytes, and its parts have 4');
  });
});

describe('an export', () => {
  const schema = { fields: [{ name: 'n', type: { kind: 'int64' }, nullable: true }], key: [] } as const;
  const spec = {
    table: 't',
    stream: 't',
    schema,
    run: 'r',
    fence: 1,
    expectedVersion: 0,
    loadedAt: '2026-01-01T00:00:00Z',
  } as unknown as TableSpec;
  const slice: Slice = { id: 'all', range: { kind: 'all' }, overlap: false };
  const reader = { format: 'bytes', schema, close: async () => {} } as unknown as SliceReader;
  const progress = { distinct: undefined, supersede: { kind: 'nothing' }, together: true } as const;

  /** A lane that has read `rows`, and has written the files. */
  function writer(format: 'csv' | 'parquet', rows: number, files: StagedFile[]): [ExportWriter, string] {
    const out = mkdtempSync(path.join(folder, 'out-'));
    const facts = { rows, bytes: 1, high: undefined, coerced: {} };
    const lane = {
      stage: async () => ({ facts, files }),
      query: (sql: string) => pool.use((real) => real.query(sql)),
    };
    const lanes = { use: <T>(work: (lane: Lane) => Promise<T>) => work(lane as unknown as Lane) };
    const context = {
      storage: openLocalStorage(out),
      pool: lanes as unknown as ThreadPool<Lane>,
      published: () => {},
      scratch,
    };
    const form = { format, path: `t.${format}`, compression: 'none', null: '', delimiter: ',', header: true };
    return [
      new ExportWriter(context, spec, { form: { ...form, timezone: 'UTC' } as never, stored: undefined }),
      out,
    ];
  }

  const stage = (at: ExportWriter): ReturnType<ExportWriter['stage']> =>
    at.stage(slice, reader, { ...progress, onRows: () => {} }, new AbortController().signal);

  it('fails when its file has fewer rows than were read', async () => {
    const file = { path: 't', rows: 2, bytes: 4, crc32: '', partition: [], stats: {} };
    const [at] = writer('csv', 3, [file]);
    await expect(stage(at)).rejects.toMatchObject({
      code: 'files.rows_lost',
      message: 'exporting t: 3 rows were read, and the file has 2',
    });
  });

  it('of Parquet is not named when its footer has others', async () => {
    const files = await parquet(3);
    const told = files.map((file) => ({ ...file, rows: 4 }));
    const [at, out] = writer('parquet', 4, told);
    const load = await stage(at);
    await expect(at.commit([load], { kind: 'everything' }, undefined)).rejects.toMatchObject({
      code: 'files.rows_lost',
    });
    expect(readdirSync(out)).toEqual([]);
    const [good, there] = writer('parquet', 3, files);
    await good.commit([await stage(good)], { kind: 'everything' }, undefined);
    expect(statSync(path.join(there, 't.parquet')).size).toBe(files[0]!.bytes);
  });
});
