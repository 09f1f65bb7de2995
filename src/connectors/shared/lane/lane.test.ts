import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lane, lanePool } from './lane.ts';

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
