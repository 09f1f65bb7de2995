import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyOf, type FixtureLake, makeLake, schemaOf } from './log.fixture.ts';
import { compactTable, type CompactReport, planCompaction } from './compact.ts';
import { mergedCursor } from './compact-cursor.ts';
import { openTableLog } from './log.ts';
import type { FoldedState } from './records.ts';
import { scanSql } from './records-sql.ts';
import { thisOwner } from '../shared/staging.ts';

let lake: FixtureLake;
beforeEach(async () => {
  lake = await makeLake();
});
afterEach(() => lake.close());

const V1 = schemaOf('id int32, total decimal(6,2) null, day date null');
const V2 = schemaOf('id int64, total decimal(12,4) null, day timestamp null, tier utf8 null');

function compact(table: string, more: object = {}): Promise<CompactReport> {
  const { storage, session, root } = lake;
  return compactTable(openTableLog(storage, table), {
    storage,
    session,
    scratch: join(root, '_sluice/staging/me'),
    owner: thisOwner('c'),
    ...more,
  });
}

async function rows(table: string): Promise<unknown[]> {
  const state = (await openTableLog(lake.storage, table).read())!;
  return lake.session.rows(
    `SELECT * FROM (${scanSql({ storage: lake.storage, state, files: state.files })}) ORDER BY ALL`,
    'reading',
  );
}

describe('compaction', () => {
  it('merges files of old schemas into one of the current schema, with the same rows and metadata', async () => {
    await lake.load('orders', {
      schema: V1,
      load: 'l1',
      rows: `SELECT 1::INT AS id, 10.50::DECIMAL(6,2) AS total, DATE '2026-01-05' AS day UNION ALL SELECT 2, NULL, NULL`,
    });
    await lake.load('orders', {
      schema: V2,
      load: 'l2',
      op: 'delete',
      rows: `SELECT 1::BIGINT AS id, 99999999.1234::DECIMAL(12,4) AS total, TIMESTAMP '2026-01-06 01:02:03.000004' AS day, '' AS tier`,
    });
    await lake.load('orders', {
      schema: V2,
      load: 'l3',
      rows: `SELECT 9000000000 AS id, 0::DECIMAL(12,4) AS total, NULL::TIMESTAMP AS day, NULL::VARCHAR AS tier`,
    });
    const before = await rows('orders');
    expect(before).toContainEqual(
      expect.objectContaining({
        id: '1',
        total: '10.5000',
        day: '2026-01-05 00:00:00',
        tier: null,
        _sluice_load_id: 'l1',
        _sluice_op: 'upsert',
      }),
    );

    const report = await compact('orders');
    expect(report).toMatchObject({ filesBefore: 3, filesAfter: 1, rows: 4, conflicts: 0, version: 4 });
    expect(await rows('orders')).toEqual(before);
    const state = (await openTableLog(lake.storage, 'orders').read())!;
    expect(state.removed).toHaveLength(3);
    expect(state.files[0]).toMatchObject({ rows: 4, schema: 1, origin: 0 });
    const types = await lake.session.rows(
      `DESCRIBE SELECT * FROM read_parquet('${lake.storage.localPath(state.files[0]!.key).replaceAll("'", "''").replace(/[*?[]/g, '[$&]')}')`,
      'describing',
    );
    expect(types.map((each) => each['column_type'])).toEqual([
      'BIGINT',
      'DECIMAL(12,4)',
      'TIMESTAMP',
      'VARCHAR',
      'TIMESTAMP WITH TIME ZONE',
      'VARCHAR',
      'VARCHAR',
    ]);
  });

  it('keeps rows in the order of their loads, also when files hold interleaved loads', async () => {
    const schema = schemaOf('id int32');
    for (const load of ['l3', 'l1', 'l2'])
      await lake.load('t', { schema, load, rows: `SELECT range::INT AS id FROM range(3000)` });
    await compact('t');
    const physical = async (): Promise<unknown[]> => {
      const state = (await openTableLog(lake.storage, 't').read())!;
      const path = lake.storage
        .localPath(state.files[0]!.key)
        .replaceAll("'", "''")
        .replace(/[*?[]/g, '[$&]');
      const changes = `SELECT _sluice_load_id AS id, lag(_sluice_load_id, 1, '') OVER (ORDER BY file_row_number) AS before, file_row_number AS n FROM read_parquet('${path}', file_row_number = true)`;
      return (
        await lake.session.rows(`SELECT id FROM (${changes}) WHERE id <> before ORDER BY n`, 'reading')
      ).map((each) => each['id']);
    };
    expect(await physical()).toEqual(['l1', 'l2', 'l3']);
    await lake.load('t', { schema, load: 'l2b', rows: 'SELECT 1::INT AS id' });
    await compact('t', { targetBytes: 1 << 20 });
    expect(await physical()).toEqual(['l1', 'l2', 'l2b', 'l3']);
  });

  it('stays within partitions and leaves single and full files alone', async () => {
    const schema = schemaOf('id int32, d date');
    const by = { column: 'd', by: 'day' } as const;
    for (const [load, day] of [
      ['a', '2026-01-01'],
      ['b', '2026-01-01'],
      ['c', '2026-01-02'],
      ['d', null],
      ['e', null],
    ] as const) {
      await lake.load('t', {
        schema,
        load,
        partition: { by, value: day },
        rows: `SELECT 1::INT AS id, ${day === null ? 'NULL::DATE' : `DATE '${day}'`} AS d`,
      });
    }
    expect(await compact('t')).toMatchObject({ filesBefore: 5, filesAfter: 3 });
    const state = (await openTableLog(lake.storage, 't').read())!;
    expect(
      state.files
        .map((file) => [file.key.split('/').slice(1, -1).join('/'), file.rows])
        .toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1)),
    ).toEqual([
      ['year=2026/month=01/day=01', 2],
      ['year=2026/month=01/day=02', 1],
      ['year=__HIVE_DEFAULT_PARTITION__/month=__HIVE_DEFAULT_PARTITION__/day=__HIVE_DEFAULT_PARTITION__', 2],
    ]);
    expect(await compact('t')).toMatchObject({
      filesBefore: 3,
      filesAfter: 3,
      rows: 0,
      version: state.version,
    });
  });

  it('lets loads pass and gives up merges whose files were removed meanwhile', async () => {
    const schema = schemaOf('id int32');
    const by = { column: 'id', by: 'value' } as const;
    for (const load of ['a', 'b', 'c', 'd'])
      await lake.load('t', {
        schema,
        load,
        partition: { by, value: load < 'c' ? '1' : '2' },
        rows: 'SELECT 1::INT AS id',
      });
    const log = openTableLog(lake.storage, 't');
    const first = (await log.read())!.files[0]!.key;
    // Happens between the merge and its commit: the last upload is the sign.
    let uploads = 0;
    const storage = {
      ...copyOf(lake.storage),
      upload: async (key: string, path: string) => {
        await lake.storage.upload(key, path);
        if (++uploads === 2)
          await lake.load('t', {
            schema,
            load: 'e',
            partition: { by, value: '3' },
            rows: 'SELECT 5::INT AS id',
            more: { remove: [first] },
          });
      },
    };
    const report = await compact('t', { storage });
    expect(report).toMatchObject({ conflicts: 1, filesAfter: 3 });
    const state = (await log.read())!;
    expect(state).toMatchObject({ rows: 4 });
    // The merge that was given up left nothing behind.
    const known = new Set([...state.files, ...state.removed].map((file) => file.key));
    expect((await lake.storage.list('t/')).filter((object) => !known.has(object.key))).toEqual([]);
    expect(await rows('t')).toHaveLength(4);
  });

  it('changes nothing when files hold other rows than their commits say', async () => {
    const schema = schemaOf('id int32');
    await lake.load('t', { schema, load: 'a', rows: 'SELECT range::INT AS id FROM range(5)' });
    await lake.load('t', { schema, load: 'b', rows: 'SELECT range::INT AS id FROM range(7)' });
    const [a, b] = (await openTableLog(lake.storage, 't').read())!.files;
    await writeFile(lake.storage.localPath(a!.key), await readFile(lake.storage.localPath(b!.key)));
    await expect(compact('t')).rejects.toMatchObject({
      code: 'lake.row_count',
      message: expect.stringMatching(/14 rows, their commits say 12/),
    });
    expect((await openTableLog(lake.storage, 't').read())!.version).toBe(2);
    expect(await lake.storage.list('_sluice/staging/')).toEqual([]);
  });

  it('does nothing for tables without commits', async () => {
    expect(await compact('nothing')).toMatchObject({ filesBefore: 0, version: 0 });
  });

  it('remembers the load of rows that were not mixed with others, and cursor ranges', async () => {
    const schema = schemaOf('id int32');
    const one = {
      ...(await lake.write('t', { schema, load: 'a', rows: 'SELECT 1::INT AS id' })),
      cursor: { min: '1', max: '9' },
    };
    const two = {
      ...(await lake.write('t', { schema, load: 'a', rows: 'SELECT 2::INT AS id' })),
      cursor: { min: '10', max: '30' },
    };
    await lake.load('t', { schema, load: 'a', rows: 'SELECT 3::INT AS id', more: { add: [one, two] } });
    await compact('t');
    expect((await openTableLog(lake.storage, 't').read())!.files).toMatchObject([
      { rows: 2, origin: 1, cursor: { min: '1', max: '30' } },
    ]);
  });
});

describe('planning a compaction', () => {
  const state = (sizes: number[]): FoldedState =>
    ({
      files: sizes.map((bytes, i) => ({ key: `f${i}`, bytes, rows: 1, partition: {}, schema: 0, origin: 1 })),
    }) as unknown as FoldedState;
  it.each([
    [[10, 10, 10], [[0, 1, 2]]],
    [[10], []],
    [[60, 10, 70], []],
    [
      [40, 40, 40, 40, 10],
      [
        [0, 1],
        [2, 3, 4],
      ],
    ],
    [[], []],
  ])('of files with %j bytes for 100', (sizes, expected) => {
    expect(
      planCompaction(state(sizes), 100).map((merge) => merge.map((file) => Number(file.key.slice(1)))),
    ).toEqual(expected);
  });
});

describe('cursor ranges', () => {
  it.each([
    [
      [
        { min: '2', max: '3' },
        { min: '10', max: '11' },
      ],
      { min: '2', max: '11' },
    ],
    [
      [
        { min: '2026-01-01', max: '2026-01-02' },
        { min: '2025-01-01', max: '2025-02-01' },
      ],
      { min: '2025-01-01', max: '2026-01-02' },
    ],
    [
      [
        { min: '2026-01-01 00:00:00.1+00', max: '2026-01-01 00:00:00.12+00' },
        { min: '2026-01-01 00:00:00.09+00', max: '2026-01-01 00:00:00.119+00' },
      ],
      { min: '2026-01-01 00:00:00.09+00', max: '2026-01-01 00:00:00.12+00' },
    ],
    [
      [
        { min: '2026-01-01 00:00:00+00', max: '2026-01-01 00:00:00+00' },
        { min: '2026-01-01 00:00:00-05', max: '2026-01-01 00:00:00-05' },
      ],
      undefined,
    ],
    [
      [
        { min: 'a', max: 'b' },
        { min: 'c', max: 'd' },
      ],
      undefined,
    ],
    [[{ min: '1', max: '2' }, undefined], undefined],
    [[undefined], undefined],
  ])('%j', (ranges, expected) => {
    expect(mergedCursor(ranges)).toEqual(expected);
  });
});
