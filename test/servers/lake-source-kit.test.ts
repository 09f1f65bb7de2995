import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lakeConnector } from '../../src/connectors/lake/index.ts';
import { lakeOptions } from '../../src/connectors/lake/options.ts';
import { namePart } from '../../src/connectors/shared/stream-name.ts';
import type { Schema } from '../../src/core/schema.ts';
import type { Source } from '../../src/core/source.ts';
import { renderType } from '../../src/core/types.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { load, openWriter, schemaOf } from '../../src/testing/kit-load.ts';
import { testSource } from '../../src/testing/source-conformance.ts';
import { type LabelledRow, UNREACHABLE_SECRET } from '../../src/testing/source-suite.ts';

const ROWS = schemaOf('id int64, label utf8 null, changed timestamptz');

/** Two values of each type besides NULL. */
const VALUES: [column: string, first: Cell, second: Cell][] = [
  ['b bool null', 'true', 'false'],
  ['i2 int16 null', '-32768', '32767'],
  ['i4 int32 null', '-2147483648', '2147483647'],
  ['i8 int64 null', '-9223372036854775808', '9223372036854775807'],
  ['f4 float32 null', '1.5', '-0'],
  ['f8 float64 null', 'NaN', '-0'],
  ['d4 decimal(4,2) null', '-99.99', '0.01'],
  ['d9 decimal(9,0) null', '-999999999', '1'],
  ['d18 decimal(18,18) null', '-0.999999999999999999', '0.000000000000000001'],
  ['d38 decimal(38,10) null', '-9999999999999999999999999999.9999999999', '0.0000000001'],
  ['t utf8 null', 'ä🚚\n"\'\\', ''],
  ['long utf8 null', 'x'.repeat(70_000), 'thirteen byte'],
  ['x binary null', '00ff', 'fe'.repeat(5000)],
  ['j json null', '{"a": [1, null]}', 'null'],
  ['u uuid null', '00010203-0405-0607-0809-0a0b0c0d0e0f', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  ['da date null', '-719162', '2147483647'],
  ['ti time null', '86400000000', '1'],
  ['ts timestamp null', '-1', '9223372036854775807'],
  ['tz timestamptz null', '-62135596800000000', '1784894400000001'],
];

testSource({
  name: 'lake',
  skips: [
    {
      check: 'notices a lost connection and connects again',
      reason: 'files have no connection that could be lost',
    },
  ],
  open: async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-lake-'));
    mkdirSync(path.join(folder, 'lake/_sluice'), { recursive: true });
    const context = { name: 'lake', directory: folder, memoryBytes: 256 << 20, workers: 2 };
    const options = lakeOptions.parse({ path: './lake' });
    const destination = await lakeConnector.openDestination!(options, context);
    const opened: Source[] = [];
    const open = async (lake: string): Promise<Source> => {
      const source = await lakeConnector.openSource!(lakeOptions.parse({ path: lake }), context);
      opened.push(source);
      return source;
    };
    const tables = new Map<string, string>();
    const make = async (table: string, schema: Schema): Promise<void> => {
      const writer = await openWriter(destination, table, { schema });
      await writer.commit([], { kind: 'nothing' }, { cursor: [] });
      await writer.close();
    };
    // Rows carry the time when their writing began; a load is there with its commit.
    const begin = (stream: string, rows: LabelledRow[]): (() => Promise<void>) => {
      const at = String(BigInt(Date.now()) * 1000n);
      return async () => {
        await load(destination, tables.get(stream)!, {
          schema: ROWS,
          rows: rows.map(({ id, label }) => [String(id), label, at]),
          supersede: { kind: 'key', key: ['id'] },
        });
      };
    };
    return {
      source: () => open('./lake'),
      unreachable: async () => {
        // There is no folder, and no password.
        writeFileSync(path.join(folder, 'file'), UNREACHABLE_SECRET);
        return open('./file');
      },
      createTable: async (name) => {
        await make(name, ROWS);
        tables.set(namePart(name), name);
        return namePart(name);
      },
      write: (stream, rows) => begin(stream, rows)(),
      writeOpen: async (stream, rows) => begin(stream, rows),
      everyType: async () => {
        const schema = { ...schemaOf(VALUES.map(([column]) => column).join(', ')), key: [] };
        const rows = [0, 1, 2].map((row) =>
          VALUES.map(([, first, second]) => [first, second, null][row] ?? null),
        );
        await load(destination, 'types', { schema, rows });
        return {
          stream: 'types',
          columns: schema.fields.map(({ name, type }) => ({ name, type: renderType(type) })),
          rows,
        };
      },
      disconnect: async () => {},
      close: async () => {
        await Promise.all(opened.map((source) => source.close()));
        await destination.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
});
