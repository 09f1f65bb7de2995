import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { TransientError } from '../../../core/errors.ts';
import type { Schema } from '../../../core/schema.ts';
import type { BytesReader, DelimitedText, FilesForm } from '../../../core/source.ts';
import { type Lane, lanePool, type StageRequest } from './lane.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-lanes-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('lanes that need more memory than they have spill, each into a folder of its own', async () => {
  const pool = lanePool({ memoryBytes: 64 << 20, threads: 1, tempDirectory: path.join(folder, 'spill') }, 2);
  const spill = async (lane: Lane): Promise<unknown> => {
    await lane.query('CREATE TEMP TABLE big AS SELECT md5(range::VARCHAR) AS text FROM range(3000000)');
    const spilled = await lane.query('SELECT count(*)::INTEGER AS files FROM duckdb_temporary_files()');
    return spilled[0]?.['files'];
  };
  try {
    const files = await Promise.all([pool.use(spill), pool.use(spill)]);
    for (const count of files) expect(count).toBeGreaterThan(0);
    expect((await readdir(folder)).toSorted()).toEqual(['spill-0', 'spill-1']);
  } finally {
    await pool.close();
  }
});

describe('files that DuckDB reads by itself', () => {
  const { signal } = new AbortController();
  const schema: Schema = {
    fields: [
      { name: 'id', type: { kind: 'int64' }, nullable: true },
      { name: 'file', type: { kind: 'utf8' }, nullable: true },
    ],
    key: [],
  };
  const task = (name: string): StageRequest => ({
    stream: 't',
    data: 'c0 AS id, c1 AS file',
    meta: undefined,
    minus: undefined,
    files: {
      directory: path.join(folder, name),
      compression: 'zstd',
      rowGroupRows: undefined,
      fileBytes: 1e9,
      partitions: [],
    },
  });
  const refusal = new TransientError('DuckDB has not read it', { code: 'files.read_otherwise' });

  /** Three files of two rows each. */
  async function reader(given: Partial<FilesForm> = {}): Promise<BytesReader> {
    const files = await Promise.all(
      ['a', 'b', 'c'].map(async (name, i) => {
        const file = path.join(folder, `${name}.csv`);
        await writeFile(file, `id\n${2 * i}\n${2 * i + 1}\n`);
        return { path: file, rows: 2, bytes: 7 };
      }),
    );
    const scan = {
      text: { format: 'csv', delimiter: ',', header: true, fields: 1 } as const,
      longest: 2,
      files,
      columns: [0, ['a', 'b', 'c']],
    };
    return {
      format: 'bytes',
      schema,
      decoder: { module: 'none', name: 'none', options: undefined },
      direct: {
        format: 'plain-files',
        scan,
        facts: () => ({ rows: 6, bytes: 21, high: undefined, coerced: {} }),
        unchanged: async () => true,
        refused: () => refusal,
        ...given,
      },
      pump: async () => expect.fail('no bytes are wanted'),
      close: async () => {},
    };
  }

  async function onLane<T>(work: (lane: Lane) => Promise<T>): Promise<T> {
    const pool = lanePool({ memoryBytes: 64 << 20, threads: 1, tempDirectory: path.join(folder, 'read') }, 1);
    try {
      return await pool.use(work);
    } finally {
      await pool.close();
    }
  }

  it('give rows in the order of the files, without a byte on our way', async () => {
    await onLane(async (lane) => {
      const { facts, files } = await lane.stage(task('good'), await reader(), () => undefined, signal);
      expect(facts.rows).toBe(6);
      const list = files.map(({ path: file }) => `'${file}'`).join(', ');
      const rows = await lane.query(`SELECT id::INTEGER AS id, file FROM read_parquet([${list}])`);
      expect(rows.map(({ id, file }) => `${file as string}${id as number}`)).toEqual([
        'a0',
        'a1',
        'b2',
        'b3',
        'c4',
        'c5',
      ]);
    });
  });

  it('that are not what they were found to be are refused, and whoever asked goes on', async () => {
    await onLane(async (lane) => {
      const wrong = [
        { facts: () => ({ rows: 7, bytes: 21, high: undefined, coerced: {} }) },
        { unchanged: async () => false },
        { scan: await scanned({ fields: 2 }) },
        { scan: await scanned({ header: false }) },
      ];
      for (const given of wrong)
        await expect(lane.stage(task('bad'), await reader(given), () => undefined, signal)).rejects.toBe(
          refusal,
        );
      await lane.stage(task('good'), await reader(), () => undefined, signal);
    });
  });

  async function scanned(other: Partial<DelimitedText>): Promise<FilesForm['scan']> {
    const { scan } = (await reader()).direct as FilesForm;
    return { ...scan, text: { ...(scan.text as DelimitedText), ...other } };
  }

  it('are let go of when the load is to stop', async () => {
    await onLane(async (lane) => {
      const stop = new AbortController();
      const staged = lane.stage(
        { ...task('stopped'), data: '(SELECT count(*) FROM range(10000000000) r(x) WHERE x % 7 = c0) AS id' },
        await reader(),
        () => undefined,
        stop.signal,
      );
      setTimeout(() => stop.abort(), 200);
      await expect(staged).rejects.toThrow('stopped');
    });
  });
});
