import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { duckdbConnector } from '../../src/connectors/duckdb/index.ts';
import { duckdbOptions } from '../../src/connectors/duckdb/options.ts';
import { namePart } from '../../src/connectors/shared/stream-name.ts';
import type { Source } from '../../src/core/source.ts';
import { duckName, duckText } from '../../src/duckdb/types.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { testSource } from '../../src/testing/source-conformance.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { type LabelledRow, UNREACHABLE_SECRET } from '../../src/testing/source-suite.ts';

/** Each type with two values as SQL, what they become, and the type that they become. */
const VALUES: [type: string, becomes: string, values: [string, string], cells: [Cell, Cell]][] = [
  ['BOOLEAN', 'bool', ['true', 'false'], ['true', 'false']],
  ['TINYINT', 'int16', ['-128', '127'], ['-128', '127']],
  ['UTINYINT', 'int16', ['0', '255'], ['0', '255']],
  ['SMALLINT', 'int16', ['-32768', '32767'], ['-32768', '32767']],
  ['USMALLINT', 'int32', ['0', '65535'], ['0', '65535']],
  ['INTEGER', 'int32', ['-2147483648', '2147483647'], ['-2147483648', '2147483647']],
  ['UINTEGER', 'int64', ['0', '4294967295'], ['0', '4294967295']],
  [
    'BIGINT',
    'int64',
    ['-9223372036854775808', '9223372036854775807'],
    ['-9223372036854775808', '9223372036854775807'],
  ],
  ['UBIGINT', 'decimal(20,0)', ['0', '18446744073709551615'], ['0', '18446744073709551615']],
  ['HUGEINT', 'decimal(38,0)', [`-${'9'.repeat(38)}`, '7'], [`-${'9'.repeat(38)}`, '7']],
  [
    'UHUGEINT',
    'utf8',
    ['340282366920938463463374607431768211455', '0'],
    ['340282366920938463463374607431768211455', '0'],
  ],
  ['BIGNUM', 'utf8', [`'${'9'.repeat(50)}'`, `'-1'`], ['9'.repeat(50), '-1']],
  ['FLOAT', 'float32', ['1.5', `'-0'`], ['1.5', '-0']],
  ['DOUBLE', 'float64', [`'nan'`, `'-inf'`], ['NaN', '-Infinity']],
  ['DECIMAL(4,2)', 'decimal(4,2)', ['-99.99', '0.01'], ['-99.99', '0.01']],
  ['DECIMAL(38,10)', 'decimal(38,10)', ['0.0000000001', '1'], ['0.0000000001', '1.0000000000']],
  ['VARCHAR', 'utf8', [`'ä🚚 ''"\\'`, `''`], [`ä🚚 '"\\`, '']],
  [`ENUM('sad', 'ok')`, 'utf8', [`'sad'`, `'ok'`], ['sad', 'ok']],
  ['BLOB', 'binary', [`'\\x00\\xFF'::BLOB`, `''::BLOB`], ['00ff', '']],
  ['BIT', 'utf8', [`'0101'::BIT`, `'1'::BIT`], ['0101', '1']],
  [
    'UUID',
    'uuid',
    [`'00010203-0405-0607-0809-0a0b0c0d0e0f'`, `'ffffffff-ffff-ffff-ffff-ffffffffffff'`],
    ['00010203-0405-0607-0809-0a0b0c0d0e0f', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  ],
  ['DATE', 'date', [`'1970-01-02'`, `'0001-01-01'`], ['1', '-719162']],
  ['TIME', 'time', [`'00:00:00.000001'`, `'24:00:00'`], ['1', '86400000000']],
  ['TIMETZ', 'utf8', [`'10:00:00+02'`, `'00:00:00-15:59'`], ['10:00:00+02', '00:00:00-15:59']],
  ['TIMESTAMP', 'timestamp', [`'1969-12-31 23:59:59.999999'`, `'1970-01-01'`], ['-1', '0']],
  ['TIMESTAMP_S', 'timestamp', [`'1970-01-01 00:00:01'`, `'1970-01-01'`], ['1000000', '0']],
  ['TIMESTAMP_MS', 'timestamp', [`'1970-01-01 00:00:00.001'`, `'1970-01-01'`], ['1000', '0']],
  [
    'TIMESTAMP_NS',
    'utf8',
    [`'2020-01-02 03:04:05.123456789'`, `'2020-01-02'`],
    ['2020-01-02 03:04:05.123456789', '2020-01-02 00:00:00'],
  ],
  ['TIMESTAMPTZ', 'timestamptz', [`'1970-01-01 02:00:00+02'`, `'1970-01-01 00:00:01+00'`], ['0', '1000000']],
  [
    'INTERVAL',
    'utf8',
    [`INTERVAL '1 month 2 days 3.5 seconds'`, `INTERVAL '0 days'`],
    ['1 month 2 days 00:00:03.5', '00:00:00'],
  ],
  ['JSON', 'json', [`'{"a": [1, null]}'`, `'null'`], ['{"a": [1, null]}', 'null']],
  ['INTEGER[]', 'json', ['[1, NULL]', '[]'], ['[1,null]', '[]']],
  ['INTEGER[2]', 'json', ['[1, 2]', '[NULL, 3]'], ['[1,2]', '[null,3]']],
  [
    'STRUCT(a INTEGER, "b c" VARCHAR)',
    'json',
    [`{'a': 1, 'b c': 'x"'}`, `{'a': NULL, 'b c': NULL}`],
    ['{"a":1,"b c":"x\\""}', '{"a":null,"b c":null}'],
  ],
  ['MAP(VARCHAR, INTEGER)', 'json', [`MAP {'k': 1}`, 'MAP {}'], ['{"k":1}', '{}']],
  ['UNION(n INTEGER, s VARCHAR)', 'json', ['1', `'x'`], ['{"n":1}', '{"s":"x"}']],
  [
    'GEOMETRY',
    'utf8',
    [`'POINT (1 2)'`, `'LINESTRING (0 0, 1 1)'`],
    ['POINT (1 2)', 'LINESTRING (0 0, 1 1)'],
  ],
];

testSource({
  name: 'DuckDB file',
  skips: [
    {
      check: 'notices a lost connection and connects again',
      reason: 'files have no connection that could be lost',
    },
    ...['shows one moment, however long it takes', 'finds rows that are committed late'].map((check) => ({
      check,
      reason: 'a file that is read cannot be written, see test/e2e/duckdb-file.test.ts',
    })),
  ],
  open: async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-duckdb-'));
    const file = path.join(folder, 'shop.duckdb');
    const context = { name: 'shop', directory: folder, memoryBytes: 256 << 20, workers: 2 };
    const opened: Source[] = [];
    const open = async (name: string): Promise<Source> => {
      const source = await duckdbConnector.openSource!(duckdbOptions.parse({ path: name }), context);
      opened.push(source);
      return source;
    };
    const write = async (...statements: string[]): Promise<unknown> => askDuckdb(file, ...statements);
    await write('SELECT 1');
    const tables = new Map<string, string>();
    const insert = (stream: string, rows: LabelledRow[], at: string): string =>
      `INSERT OR REPLACE INTO ${tables.get(stream)!} VALUES ${rows.map(({ id, label }) => `(${id}, ${label === null ? 'NULL' : duckText(label)}, ${at})`).join(', ')}`;
    return {
      source: () => open('./shop.duckdb'),
      unreachable: async () => {
        writeFileSync(path.join(folder, 'file'), UNREACHABLE_SECRET);
        return open('./file');
      },
      createTable: async (name) => {
        await write(
          `CREATE TABLE ${duckName(name)} (id BIGINT PRIMARY KEY, label VARCHAR, changed TIMESTAMPTZ NOT NULL)`,
        );
        tables.set(namePart(name), duckName(name));
        return namePart(name);
      },
      write: async (stream, rows) => {
        if (rows.length > 0) await write(insert(stream, rows, 'now()'));
      },
      writeOpen: async (stream, rows) => async () => void (await write(insert(stream, rows, 'now()'))),
      everyType: async () => {
        const columns = VALUES.map(([type], i) => `c${i} ${type}`);
        const row = (values: string[]): string => `INSERT INTO types VALUES (${values.join(', ')})`;
        await write(
          `CREATE TABLE types (${columns.join(', ')})`,
          row(VALUES.map(([type, , [first]]) => `CAST(${first} AS ${type})`)),
          row(VALUES.map(([type, , [, second]]) => `CAST(${second} AS ${type})`)),
          row(VALUES.map(() => 'NULL')),
        );
        return {
          stream: 'types',
          columns: VALUES.map(([, type], i) => ({ name: `c${i}`, type })),
          rows: [0, 1, 2].map((row) => VALUES.map(([, , , cells]) => cells[row] ?? null)),
        };
      },
      disconnect: async () => {},
      close: async () => {
        await Promise.all(opened.map((source) => source.close()));
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
});
