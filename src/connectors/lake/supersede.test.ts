import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schemaFromJson, type SchemaJson } from '../../core/schema.ts';
import { duckText, literalPattern } from '../../duckdb/types.ts';
import type { StagedFile } from '../shared/lane/lane-protocol.ts';
import { Lane } from '../shared/lane/lane.ts';
import { type FixtureLake, makeLake, schemaOf } from './log.fixture.ts';
import { type FoldedState, currentSchema } from './records.ts';
import { type SupersedeJob, supersede } from './supersede.ts';

let lake: FixtureLake;
let lane: Lane;
let directory = '';
beforeAll(async () => {
  lake = await makeLake();
  // Room for the keys of some 40,000 rows at a time.
  lane = new Lane({ memoryBytes: 32 << 20, threads: 1, tempDirectory: join(lake.root, 'spill') });
});
afterAll(async () => {
  await lane.close();
  await lake.close();
});

/** Rows of the table that stay, in their order, and the files that are written for them. */
async function kept(
  table: string,
  incoming: { state: FoldedState; rows: string; key: string[]; fileBytes?: number },
): Promise<{ ids: string[]; files: number[]; removed: number }> {
  const { state, rows, key, fileBytes = 1 << 30 } = incoming;
  directory = join(lake.root, '..', table);
  const path = join(lake.root, '..', `${table}.parquet`);
  const [written] = await lake.session.rows(`COPY (${rows}) TO ${duckText(path)} (RETURN_STATS)`, 'staging');
  const staged = [{ path, rows: Number(written!['count']) } as StagedFile];
  const schema = schemaFromJson(currentSchema(state)!);
  const files = { directory, compression: 'zstd', rowGroupRows: undefined, fileBytes };
  const at = '2026-01-01 00:00:00+00';
  const job: SupersedeJob = { storage: lake.storage, state, schema, lane, at, groups: [], staged, files };
  const found = await supersede(job, { kind: 'key', key });
  const ids: string[] = [];
  for (const { file } of found.kept) {
    const scan = `read_parquet(${duckText(literalPattern(file.path))})`;
    const [list] = await lake.session.rows(`SELECT string_agg(id, ' ') AS ids FROM ${scan}`, 'reading');
    for (const each of String(list!['ids']).split(' ')) ids.push(each);
  }
  return { ids, files: found.kept.map(({ file }) => file.rows), removed: found.remove.length };
}

async function load(table: string, schema: SchemaJson, ...queries: string[]): Promise<FoldedState> {
  let state: FoldedState | undefined;
  for (const [i, rows] of queries.entries()) state = await lake.load(table, { schema, rows, load: `${i}` });
  return state!;
}

const NAMES = [
  ['id', 'k', 'v'],
  ['id', 'file_row_number', 'filename'],
  ['id', 'k', 'FILE_INDEX'],
];

describe.each(NAMES)('columns %s, %s, %s', (id, k, v) => {
  it('keeps rows with other keys, in their order, from files and row groups of any number', async () => {
    const schema = schemaOf(`${id} utf8, ${k} int64 null, ${v} utf8 null`);
    const rows = (from: number, to: number): string =>
      `SELECT i::VARCHAR AS ${id}, CASE WHEN i % 1000 = 7 THEN NULL ELSE i END AS ${k}, 'v' AS "${v}" FROM range(${from}, ${to}) AS r(i)`;
    const table = `t${NAMES.findIndex((each) => each.includes(k) && each.includes(v))}`;
    const state = await load(
      table,
      schema,
      rows(0, 3),
      rows(3, 300_000),
      rows(300_000, 300_005),
      rows(400_010, 400_020),
    );
    // Keys of the second file's last row groups, and of the third; one is new, one is NULL.
    const incoming = `SELECT 'new' AS ${id}, CASE WHEN i < 300001 THEN i END AS ${k}, '' AS "${v}" FROM range(290000, 300002) AS r(i) WHERE i % 1000 <> 7
      UNION ALL SELECT 'new', 5000000, ''`;
    const { ids, removed } = await kept(table, { state, rows: incoming, key: [k] });
    const stay = (i: number): boolean => (i % 1000 === 7 ? false : i < 290_000 || i > 300_000);
    const all = Array.from({ length: 300_005 }, (_, i) => i).filter((i) => i > 2 && stay(i));
    expect(ids).toEqual(all.map(String));
    expect(removed).toBe(2);
  });
});

it('finds keys in many parts, and counts those that come twice', async () => {
  const schema = schemaOf('id utf8, a int64, b utf8 null', ['a', 'b']);
  const rows = `SELECT i::VARCHAR AS id, i AS a, CASE WHEN i % 2 = 0 THEN 'text ' || i END AS b FROM range(400000) AS r(i)`;
  const state = await load('parts', schema, rows);
  const key = ['a', 'b'];
  const incoming = `${rows} WHERE i % 10 > 0`;
  const { ids } = await kept('parts', { state, rows: incoming, key });
  expect(ids).toEqual(Array.from({ length: 40_000 }, (_, i) => String(i * 10)));
  await expect(
    kept('parts', { state, rows: `${incoming} UNION ALL (${rows} LIMIT 5)`, key }),
  ).rejects.toMatchObject({ code: 'lake.duplicate_key', message: expect.stringContaining(': 4 of') });
}, 60_000);

it('writes the rest of a partition to files that are not too large', async () => {
  const schema = schemaOf('id utf8, k int64');
  const rows = (from: number): string =>
    `SELECT md5(i::VARCHAR) AS id, i AS k FROM range(${from}, ${from + 1000}) AS r(i)`;
  const state = await load('sizes', schema, ...Array.from({ length: 6 }, (_, i) => rows(i * 1000)));
  const incoming = `SELECT '' AS id, i * 10 AS k FROM range(600) AS r(i)`;
  const fileBytes = state.files[0]!.bytes * 2;
  const { files } = await kept('sizes', { state, rows: incoming, key: ['k'], fileBytes });
  expect(files).toEqual([1800, 1800, 1800]);
});
