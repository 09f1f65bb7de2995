import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { DuckDBInstance } from '@duckdb/node-api';
import { type ModelOptions, openModel } from '../open-model.ts';
import { readFileForm } from './file-form.ts';
import { generateFiles, type GenerateFilesOptions, type GeneratedFile } from './generate-files.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-generate-test-'));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;

type Options = Omit<GenerateFilesOptions, 'form'>;

async function make(
  name: string,
  model: ModelOptions,
  options: Options = {},
): Promise<{ folder: string; files: GeneratedFile[]; read(file: string): Buffer }> {
  const folder = join(root, String(folders++));
  const files = await generateFiles(openModel(model), { form: readFileForm(join(folder, name)), ...options });
  return { folder, files, read: (file) => readFileSync(join(folder, file)) };
}

type Json = Record<string, unknown>;
const jsonLines = (bytes: Buffer): Json[] =>
  bytes
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);

async function ask(sql: string): Promise<Json[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`SET TimeZone = 'UTC'`);
    return (await connection.runAndReadAll(sql)).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

test('the same seed makes the same bytes, and another one makes others', async () => {
  const model = { rows: 3000, seed: 7 };
  const [a, b, other] = await Promise.all([
    make('{table}.csv', model),
    make('{table}.csv', model),
    make('{table}.csv', { ...model, seed: 8 }),
  ]);
  expect(a.files.map(({ table, records }) => [table, records])).toEqual([
    ['partners', 60],
    ['loans', 3000],
    ['payments', 9000],
  ]);
  for (const { table } of a.files) {
    expect(a.read(`${table}.csv`).equals(b.read(`${table}.csv`))).toBe(true);
    expect(a.read(`${table}.csv`).equals(other.read(`${table}.csv`))).toBe(false);
  }
});

test('all formats hold the same values', async () => {
  const model = { model: 'tenants', rows: 5000 };
  const made = await make('{table}.jsonl', model);
  const folder = made.folder;
  for (const name of ['t.csv', 't.json', 't.parquet', 't.csv.gz', 't.jsonl.zst'])
    await generateFiles(openModel(model), { form: readFileForm(join(folder, name)) });
  const columns = `* REPLACE (updated_at::TIMESTAMP AS updated_at, born::DATE AS born, moved_in::DATE AS moved_in, rent::DECIMAL(8,2) AS rent,
    deposit::DECIMAL(8,2) AS deposit, rate::DECIMAL(5,4) AS rate, area::DECIMAL(5,1) AS area, zip::VARCHAR AS zip, unit::BIGINT AS unit, rooms::INTEGER AS rooms, score::INTEGER AS score)`;
  const from = {
    parquet: `read_parquet('${folder}/t.parquet')`,
    json: `read_json('${folder}/t.json', convert_strings_to_integers = false)`,
    jsonl: `read_json('${folder}/tenants.jsonl')`,
    csv: `read_csv('${folder}/t.csv', all_varchar = true, auto_detect = false, header = true, delim = ',', quote = '"', columns = {${[
      'id BIGINT',
      'tenant VARCHAR',
      'unit BIGINT',
      'contract VARCHAR',
      'status VARCHAR',
      'rent DECIMAL(8,2)',
      'deposit DECIMAL(8,2)',
      'rate DECIMAL(5,4)',
      'area DECIMAL(5,1)',
      'rooms INTEGER',
      'born DATE',
      'moved_in DATE',
      'updated_at TIMESTAMP',
      'active BOOLEAN',
      'score INTEGER',
      'email VARCHAR',
      'phone VARCHAR',
      'city VARCHAR',
      'zip VARCHAR',
      'note VARCHAR',
    ]
      .map((column) => `'${column.split(' ')[0]}': '${column.split(' ')[1]}'`)
      .join(', ')}})`,
  };
  const sums = await Promise.all(
    Object.values(from).map((source) =>
      ask(
        `SELECT count(*) AS n, sum(rent) AS rent, sum(rate) AS rate, max(updated_at) AS newest, count(phone) AS phones,
          count(*) FILTER (active) AS active, sum(moved_in - born) AS days, bit_xor(hash(id, tenant, email, zip, score)) AS all_text
        FROM (SELECT ${columns} FROM ${source})`,
      ),
    ),
  );
  expect(sums[0]![0]).toMatchObject({ n: '5000' });
  for (const sum of sums) expect(sum).toEqual(sums[0]);
  expect(gunzipSync(made.read('t.csv.gz')).equals(made.read('t.csv'))).toBe(true);
  expect(zstdDecompressSync(made.read('t.jsonl.zst')).equals(made.read('tenants.jsonl'))).toBe(true);
});

test('files of changes, put on the first, make the last one of everything', async () => {
  const model = { rows: 600, inserts: 20, updates: 50, deletes: 10 };
  const days = 5;
  const tables = ['payments'];
  const all = await make('{table}_{date}.jsonl', model, { days, tables });
  const changes = await make('{table}_{date}.jsonl', model, {
    days,
    tables,
    content: 'changes',
    changeColumn: 'op',
  });
  expect(readdirSync(all.folder)).toEqual(readdirSync(changes.folder));
  const rows = new Map<unknown, Json>();
  for (const [day, file] of readdirSync(changes.folder).entries()) {
    const records = jsonLines(changes.read(file));
    const counted = Object.groupBy(records, ({ op }) => String(op));
    if (day === 0) expect(counted['insert']).toHaveLength(1800);
    else
      expect([counted['insert']?.length, counted['update']?.length, counted['delete']?.length]).toEqual([
        60, 150, 30,
      ]);
    for (const { op, ...record } of records) {
      // What is gone is told as it was.
      if (op === 'delete') expect(rows.get(record['id'])).toEqual(record);
      if (op !== 'insert') expect(rows.has(record['id'])).toBe(true);
      if (op === 'delete') rows.delete(record['id']);
      else rows.set(record['id'], record);
    }
    const expected = jsonLines(all.read(file));
    expect([...rows.values()].toSorted((a, b) => Number(a['id']) - Number(b['id']))).toEqual(expected);
  }
});

test('drift changes the fields from its day on, and leaves what did not change as it was', async () => {
  const model = {
    rows: 400,
    drift: { 'new-field': 1, rename: 2, decimal: 1, nested: 2, retype: 2 },
  } as const;
  const made = await make('{table}_{date}.jsonl', model, { days: 3, tables: ['loans', 'partners'] });
  const [first, second, third] = ['20260101', '20260102', '20260103'].map((date) =>
    jsonLines(made.read(`loans_${date}.jsonl`)),
  );
  expect(Object.keys(first![0]!)).not.toContain('external_id');
  expect(Object.keys(second![0]!)).toContain('external_id');
  expect(Object.keys(third![0]!)).toEqual(expect.arrayContaining(['fee_percent', 'external_id']));
  expect(Object.keys(third![0]!)).not.toContain('fee');
  const changed = second!.filter(({ updated_at: at }) => String(at) >= '2026-01-02');
  const same = second!.slice(0, 400).filter(({ updated_at: at }) => String(at) < '2026-01-02');
  expect(changed.every(({ external_id: id }) => typeof id === 'string')).toBe(true);
  for (const record of same)
    expect({ ...record, external_id: undefined }).toEqual({
      ...first![Number(record['id']) - 1],
      external_id: undefined,
    });
  const text = made.read('loans_20260102.jsonl').toString();
  expect(text).toMatch(/"score":\d+\.(?!00)\d\d,/);
  const partners = jsonLines(made.read('partners_20260103.jsonl'));
  expect(partners.some(({ branch }) => String(branch).startsWith('N-'))).toBe(true);
  const before = new Map(
    jsonLines(made.read('partners_20260102.jsonl')).map((record) => [record['id'], record]),
  );
  for (const { id, updated_at: at, address } of partners)
    if (String(at) < '2026-01-03') expect(address).toEqual(before.get(id)!['address']);
    else expect(address).toHaveProperty('district');
});

test('the manifest names each record that is broken, and no other is', async () => {
  const manifest = join(root, 'faults.jsonl');
  const model = { model: 'tenants', rows: 20_000 };
  const options = { faults: { rate: 0.01 }, manifest };
  const broken = await make('t.csv', model, options);
  const whole = await make('t.csv', model);
  const faults = jsonLines(readFileSync(manifest));
  const lines = (bytes: Buffer): string[] => bytes.toString('latin1').split('\n');
  const [bad, good] = [lines(broken.read('t.csv')), lines(whole.read('t.csv'))];
  expect(faults.length).toBeGreaterThan(150);
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(
    new Set([
      'wrong-type',
      'bad-date',
      'out-of-range',
      'missing',
      'too-long',
      'duplicate',
      'bad-utf8',
      'columns',
    ]),
  );
  expect(broken.files[0]!.faults).toEqual(
    Object.fromEntries(
      Object.entries(Object.groupBy(faults, ({ kind }) => String(kind))).map(([kind, of]) => [
        kind,
        of!.length,
      ]),
    ),
  );
  // Notes are on several lines; where one of them gave way to something else, there are fewer.
  const byKey = (of: string[]): Map<string, string> =>
    new Map(of.filter((line) => /^\d+,/.test(line)).map((line) => [line.split(',')[0]!, line]));
  const [badRecords, goodRecords] = [byKey(bad), byKey(good)];
  const differ = [...goodRecords]
    .filter(([key, line]) => badRecords.get(key) !== line)
    .map(([key]) => Number(key));
  const named = faults.map(({ kind, record }) => [kind, Number(record)] as const);
  // A duplicate leaves no record with its own key; the others are named by it.
  expect(differ.toSorted((a, b) => a - b)).toEqual(
    named.map(([, record]) => record).toSorted((a, b) => a - b),
  );
  for (const { line, kind, key } of faults) {
    const text = bad[Number(line) - 1]!;
    expect(text.startsWith(`${Number(key)},`)).toBe(true);
    if (kind === 'columns') expect(text.endsWith(',surplus')).toBe(true);
    if (kind === 'duplicate') expect(text).toBe(goodRecords.get(String(key)));
  }
});

test('a file that is there is not written over unless it is wanted, and nothing else is written then', async () => {
  const { folder } = await make('{table}_{date}.csv', { rows: 10 }, { tables: ['loans'] });
  const form = readFileForm(join(folder, '{table}_{date}.csv'));
  const model = openModel({ rows: 10 });
  await expect(generateFiles(model, { form, days: 2 })).rejects.toMatchObject({ code: 'generate.exists' });
  expect(readdirSync(folder)).toEqual(['loans_20260101.csv']);
  await generateFiles(model, { form, days: 2, force: true });
  expect(readdirSync(folder)).toHaveLength(6);
});

test('a run that is stopped or fails leaves no part of a file', async () => {
  const folder = join(root, String(folders++));
  const stop = new AbortController();
  const form = readFileForm(join(folder, '{table}.csv'));
  const making = generateFiles(openModel({ rows: 100_000 }), {
    form,
    signal: stop.signal,
    onProgress: ({ table }) => {
      if (table === 'loans') stop.abort();
    },
  });
  await expect(making).rejects.toMatchObject({ code: 'cancelled' });
  expect(readdirSync(folder)).toEqual(['partners.csv']);
  writeFileSync(join(folder, 'file'), '');
  const below = readFileForm(join(folder, 'file', '{table}.csv'));
  await expect(generateFiles(openModel({ rows: 10 }), { form: below })).rejects.toMatchObject({
    code: 'storage.in_the_way',
  });
});

test('names say format and packing, and have to tell tables and days apart', () => {
  expect(readFileForm('./a/{table}/{date}.jsonl.gz')).toEqual({
    folder: './a',
    pattern: '{table}/{date}.jsonl.gz',
    format: 'jsonl',
    packing: 'gzip',
  });
  expect(readFileForm('./a')).toMatchObject({ folder: './a', pattern: '{table}_{date}.csv' });
  expect(() => readFileForm('{table}.txt')).toThrow('its ending names no format');
  expect(() => readFileForm('{tabel}.csv')).toThrow('"{tabel}" is no placeholder');
  expect(() => readFileForm('a.parquet.gz')).toThrow('Parquet is packed inside');
});

test('tables and days that would share a file are refused', async () => {
  const refused = (name: string, options: Options): Promise<unknown> => make(name, { rows: 10 }, options);
  await expect(refused('all.csv', {})).rejects.toThrow('3 tables would have the same file');
  await expect(refused('{table}.csv', { days: 2 })).rejects.toThrow('2 days would have the same file');
});

test('faults that a format cannot have, and those of fields that there are not, are refused', async () => {
  const refused = (name: string, faults: Options['faults']): Promise<unknown> =>
    make(name, { rows: 10 }, { faults });
  await expect(refused('{table}.csv', { rate: 0.1, kinds: ['cut'] })).rejects.toThrow(
    '"cut" cannot be there',
  );
  await expect(refused('{table}.parquet', { rate: 0.1, kinds: ['bad-date'] })).rejects.toThrow(
    '"bad-date" cannot',
  );
  await expect(refused('{table}.csv', { rate: 2 })).rejects.toThrow('2 is no share');
  await expect(refused('{table}.csv', { rate: 0.1, fields: ['rent'] })).rejects.toThrow(
    'no record has a field "rent"',
  );
});
