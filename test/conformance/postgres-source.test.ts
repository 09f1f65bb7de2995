import type pg from 'pg';
import { postgresConnector } from '../../src/connectors/postgres/index.ts';
import { postgresOptions } from '../../src/connectors/postgres/options.ts';
import { quoteName } from '../../src/connectors/shared/quote.ts';
import { streamName } from '../../src/connectors/shared/stream-name.ts';
import type { Source } from '../../src/core/source.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { testSource } from '../../src/testing/source-conformance.ts';
import { type LabelledRow, UNREACHABLE_SECRET } from '../../src/testing/source-suite.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const TYPES: [
  column: string,
  native: string,
  type: string,
  values: [literal: string | null, cell: Cell][],
][] = [
  [
    'i2',
    'smallint',
    'int16',
    [
      ['-32768', '-32768'],
      ['32767', '32767'],
      [null, null],
    ],
  ],
  [
    'i4',
    'integer',
    'int32',
    [
      ['-2147483648', '-2147483648'],
      ['2147483647', '2147483647'],
      [null, null],
    ],
  ],
  [
    'i8',
    'bigint',
    'int64',
    [
      ['-9223372036854775808', '-9223372036854775808'],
      ['9223372036854775807', '9223372036854775807'],
      [null, null],
    ],
  ],
  [
    'd',
    'numeric(20,4)',
    'decimal(20,4)',
    [
      ['-1234567890123456.7891', '-1234567890123456.7891'],
      ['0.0001', '0.0001'],
      [null, null],
    ],
  ],
  [
    'n',
    'numeric',
    'utf8',
    [
      ['1e30', '1000000000000000000000000000000'],
      ['NaN', 'NaN'],
      [null, null],
    ],
  ],
  [
    'f4',
    'real',
    'float32',
    [
      ['1.5', '1.5'],
      ['Infinity', 'Infinity'],
      [null, null],
    ],
  ],
  [
    'f8',
    'double precision',
    'float64',
    [
      ['0.1', '0.1'],
      ['NaN', 'NaN'],
      [null, null],
    ],
  ],
  [
    't',
    'text',
    'utf8',
    [
      ['ä🚚\n"\'\\', 'ä🚚\n"\'\\'],
      ['', ''],
      [null, null],
    ],
  ],
  [
    'b',
    'boolean',
    'bool',
    [
      ['true', 'true'],
      ['false', 'false'],
      [null, null],
    ],
  ],
  [
    'x',
    'bytea',
    'binary',
    [
      ['\\x00ff', '00ff'],
      ['\\x', ''],
      [null, null],
    ],
  ],
  [
    'u',
    'uuid',
    'uuid',
    [
      ['00010203-0405-0607-0809-0a0b0c0d0e0f', '00010203-0405-0607-0809-0a0b0c0d0e0f'],
      ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
      [null, null],
    ],
  ],
  [
    'da',
    'date',
    'date',
    [
      ['1970-01-02', '1'],
      ['0001-01-01', '-719162'],
      [null, null],
    ],
  ],
  [
    'ti',
    'time',
    'time',
    [
      ['24:00', '86400000000'],
      ['00:00:00.000001', '1'],
      [null, null],
    ],
  ],
  [
    'ts',
    'timestamp',
    'timestamp',
    [
      ['1969-12-31 23:59:59.999999', '-1'],
      ['9999-12-31 23:59:59.999999', '253402300799999999'],
      [null, null],
    ],
  ],
  [
    'tz',
    'timestamptz',
    'timestamptz',
    [
      ['1970-01-01 01:00:00+01', '0'],
      ['2026-07-24 12:00:00.000001Z', '1784894400000001'],
      [null, null],
    ],
  ],
  [
    'j',
    'jsonb',
    'json',
    [
      ['{"a": [1, null]}', '{"a": [1, null]}'],
      ['null', 'null'],
      [null, null],
    ],
  ],
  [
    'a',
    'integer[]',
    'json',
    [
      ['{1,NULL,3}', '[1,null,3]'],
      ['{}', '[]'],
      [null, null],
    ],
  ],
];

async function write(client: pg.Client, stream: string, rows: LabelledRow[]): Promise<void> {
  await client.query(
    `INSERT INTO ${stream} (id, label) SELECT id, label FROM json_to_recordset($1) AS r (id int8, label text)
     ON CONFLICT (id) DO UPDATE SET label = excluded.label, changed = now()`,
    [JSON.stringify(rows)],
  );
}

testSource({
  name: 'postgres',
  open: async () => {
    const pair = await Pair.open(server(), {});
    const opened: Source[] = [];
    const tables = new Map<string, string>();
    const open = async (options: object): Promise<Source> => {
      const context = { name: 'db', directory: pair.folder, memoryBytes: 256 << 20, workers: 2 };
      const source = await postgresConnector.openSource!(postgresOptions.parse(options), context);
      opened.push(source);
      return source;
    };
    return {
      source: () => open({ url: pair.url }),
      unreachable: () =>
        open({ url: `postgres://somebody:${UNREACHABLE_SECRET}@127.0.0.1:1/nowhere`, connect_timeout: 2 }),
      createTable: async (name) => {
        const table = `public.${quoteName(name)}`;
        await pair.db.query(
          `CREATE TABLE ${table} (id int8 PRIMARY KEY, label text, changed timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON ${table} (changed)`,
        );
        const stream = streamName('public', name);
        tables.set(stream, table);
        return stream;
      },
      write: (stream, rows) => write(pair.db, tables.get(stream)!, rows),
      writeOpen: async (stream, rows) => {
        const client = await pair.connect();
        await client.query('BEGIN');
        await write(client, tables.get(stream)!, rows);
        return async () => {
          await client.query('COMMIT');
          await client.end();
        };
      },
      everyType: async () => {
        await pair.db.query(
          `CREATE TABLE types (${TYPES.map(([column, native]) => `${column} ${native}`).join(', ')})`,
        );
        for (let row = 0; row < 3; row++) {
          await pair.db.query(
            `INSERT INTO types VALUES (${TYPES.map((_, i) => `$${i + 1}`).join(', ')})`,
            TYPES.map(([, , , values]) => values[row]![0]),
          );
        }
        return {
          stream: 'public.types',
          columns: TYPES.map(([name, , type]) => ({ name, type })),
          rows: [0, 1, 2].map((row) => TYPES.map(([, , , values]) => values[row]![1])),
        };
      },
      disconnect: async () => {
        await pair.db.query(
          `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sluice'`,
        );
      },
      close: async () => {
        await Promise.all(opened.map((source) => source.close()));
        await pair.close();
      },
    };
  },
});
