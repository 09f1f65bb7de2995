import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Session } from '../../../duckdb/session.ts';
import { duckText } from '../../../duckdb/types.ts';
import { fileScan } from './hash-split.ts';
import { matchKeys } from './key-match.ts';
import { FILE_NUMBER, type MatchTask, ROW_NUMBER } from './lane-protocol.ts';

const ROWS = 1_000_000;

let session: Session;
let folder: string;
let keys: string;
let table: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-match-'));
  session = await Session.open({ memoryBytes: 32 << 20, tempDirectory: join(folder, 'spill'), threads: 1 });
  [keys, table] = [join(folder, 'keys.parquet'), join(folder, 'table.parquet')];
  const write = (query: string, path: string): Promise<void> =>
    session.run(`COPY (${query}) TO ${duckText(path)} (ROW_GROUP_SIZE 20480)`, 'making rows');
  await write(`SELECT i AS id FROM range(${ROWS}) AS r(i)`, table);
  await write(`SELECT i * 1000 + 500 AS id FROM range(1, 1100) AS r(i)`, keys);
  await session.run(`SET max_temp_directory_size = '1KB'`, 'allowing no spilling');
});
afterAll(() => {
  session.close();
  rmSync(folder, { recursive: true, force: true });
});

it.each(['=', 'IS NOT DISTINCT FROM'])(
  'has memory for new keys, and none for those of the table (%s)',
  async (same) => {
    const task: MatchTask = {
      kind: 'match',
      id: 1,
      keys: fileScan(keys),
      rows: 1099,
      table: `SELECT id, 0 AS ${FILE_NUMBER}, file_row_number AS ${ROW_NUMBER} FROM read_parquet(${duckText(table)}, file_row_number = true)`,
      hash: 'hash(id)',
      met: `new.id ${same} old.id`,
      files: {
        directory: join(folder, 'places'),
        compression: 'zstd',
        rowGroupRows: undefined,
        fileBytes: 1 << 30,
        partitions: [],
      },
    };
    const { distinct, places } = await matchKeys(session, task);
    expect(distinct).toBe(1099);
    const found = await session.rows(
      `SELECT count(*)::INTEGER AS n, min(${ROW_NUMBER})::INTEGER AS least, max(${ROW_NUMBER})::INTEGER AS most FROM (${fileScan(...places)})`,
      'reading places',
    );
    expect(found).toEqual([{ n: 999, least: 1500, most: 999_500 }]);
  },
);
