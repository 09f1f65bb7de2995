import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { describe, test } from 'vitest';
import { mysqlConnector } from '../../src/connectors/mysql/index.ts';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import { quoteBackticks } from '../../src/connectors/shared/quote.ts';
import { streamName } from '../../src/connectors/shared/stream-name.ts';
import type { Source } from '../../src/core/source.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { testSource } from '../../src/testing/source-conformance.ts';
import { type LabelledRow, UNREACHABLE_SECRET } from '../../src/testing/source-suite.ts';
import { mariadbPresent, session, useMariadb } from '../support/mariadb.ts';

const server = useMariadb();

type Value = [literal: string | null, cell: Cell];

/** Of every column: its type here and there, and two values besides NULL. */
const TYPES: [column: string, native: string, type: string, first: Value, second: Value][] = [
  ['t1', 'tinyint', 'int16', ['-128', '-128'], ['127', '127']],
  ['u1', 'tinyint unsigned', 'int16', ['0', '0'], ['255', '255']],
  ['i2', 'smallint', 'int16', ['-32768', '-32768'], ['32767', '32767']],
  ['u2', 'smallint unsigned', 'int32', ['0', '0'], ['65535', '65535']],
  ['i3', 'mediumint', 'int32', ['-8388608', '-8388608'], ['8388607', '8388607']],
  ['u3', 'mediumint unsigned', 'int32', ['1', '1'], ['16777215', '16777215']],
  ['i4', 'int', 'int32', ['-2147483648', '-2147483648'], ['2147483647', '2147483647']],
  ['u4', 'int unsigned', 'int64', ['0', '0'], ['4294967295', '4294967295']],
  [
    'i8',
    'bigint',
    'int64',
    ['-9223372036854775808', '-9223372036854775808'],
    ['9223372036854775807', '9223372036854775807'],
  ],
  ['u8', 'bigint unsigned', 'decimal(20,0)', ['0', '0'], ['18446744073709551615', '18446744073709551615']],
  ['y', 'year', 'int16', ['1901', '1901'], ['2155', '2155']],
  ['b1', 'bit(1)', 'bool', ['0', 'false'], ['1', 'true']],
  ['b9', 'bit(9)', 'int64', ['0', '0'], ['511', '511']],
  ['b64', 'bit(64)', 'decimal(20,0)', ['1', '1'], ['18446744073709551615', '18446744073709551615']],
  ['d9', 'decimal(9,2)', 'decimal(9,2)', ['-9999999.99', '-9999999.99'], ['0.01', '0.01']],
  [
    'd18',
    'decimal(18,4)',
    'decimal(18,4)',
    ['-99999999999999.9999', '-99999999999999.9999'],
    ['4294967296.0001', '4294967296.0001'],
  ],
  [
    'd38',
    'decimal(38,10)',
    'decimal(38,10)',
    ['-9999999999999999999999999999.9999999999', '-9999999999999999999999999999.9999999999'],
    ['0.0000000001', '0.0000000001'],
  ],
  [
    'd65',
    'decimal(65,30)',
    'utf8',
    ['-0.000000000000000000000000000001', '-0.000000000000000000000000000001'],
    [
      '99999999999999999999999999999999999.999999999999999999999999999999',
      '99999999999999999999999999999999999.999999999999999999999999999999',
    ],
  ],
  ['f4', 'float', 'float32', ['1.5', '1.5'], ['-0.25', '-0.25']],
  ['f8', 'double', 'float64', ['0.1', '0.1'], ['-1.7976931348623157e308', '-1.7976931348623157e+308']],
  ['c', 'char(5)', 'utf8', ['ab', 'ab'], ['', '']],
  ['v', 'varchar(50)', 'utf8', ['ä🚚\n"\'\\', 'ä🚚\n"\'\\'], ['', '']],
  ['l1', 'varchar(50) CHARACTER SET latin1', 'utf8', ['größe', 'größe'], ['', '']],
  ['tx', 'longtext', 'utf8', ['x'.repeat(70_000), 'x'.repeat(70_000)], ['', '']],
  ['en', `enum('small','größer')`, 'utf8', ['größer', 'größer'], ['small', 'small']],
  ['se', `set('a','b')`, 'utf8', ['a,b', 'a,b'], ['', '']],
  ['bi', 'binary(3)', 'binary', ['ab', '616200'], ['', '000000']],
  ['vb', 'varbinary(9)', 'binary', ['\u0000a', '0061'], ['', '']],
  ['da', 'date', 'date', ['1970-01-02', '1'], ['9999-12-31', '2932896']],
  ['dt', 'datetime', 'timestamp', ['1969-12-31 23:59:59', '-1000000'], ['1970-01-01 00:00:00', '0']],
  [
    'd6',
    'datetime(6)',
    'timestamp',
    ['1969-12-31 23:59:59.999999', '-1'],
    ['9999-12-31 23:59:59.999999', '253402300799999999'],
  ],
  [
    'ts',
    'timestamp(6) NULL',
    'timestamptz',
    ['1970-01-01 00:00:01.000001', '1000001'],
    ['2026-07-24 12:00:00.000001', '1784894400000001'],
  ],
  [
    'ti',
    'time(6)',
    'utf8',
    ['-838:59:58.999999', '-838:59:58.999999'],
    ['23:59:59.000001', '23:59:59.000001'],
  ],
  ['js', 'json', 'json', ['{"a": [1, null]}', '{"a": [1, null]}'], ['null', 'null']],
  [
    'uu',
    'uuid',
    'uuid',
    ['00010203-0405-0607-0809-0a0b0c0d0e0f', '00010203-0405-0607-0809-0a0b0c0d0e0f'],
    ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  ],
  ['i6', 'inet6', 'utf8', ['2001:db8::1', '2001:db8::1'], ['::', '::']],
];

async function write(client: Connection, table: string, rows: LabelledRow[]): Promise<void> {
  for (let at = 0; at < rows.length; at += 5000)
    await client.query(
      `INSERT INTO ${table} (id, label) VALUES ? ON DUPLICATE KEY UPDATE label = VALUES(label), changed = CURRENT_TIMESTAMP(6)`,
      [rows.slice(at, at + 5000).map(({ id, label }) => [id, label])],
    );
}

let databases = 0;

if (!mariadbPresent) describe('source mysql', () => test.skip('needs MariaDB (mariadb-server-core)'));
else
  testSource({
    name: 'mysql',
    open: async () => {
      const database = `d${++databases}`;
      const url = await server().createDatabase(database);
      const db = await session(url);
      const others: Connection[] = [];
      const opened: Source[] = [];
      const tables = new Map<string, string>();
      const open = async (options: object): Promise<Source> => {
        const context = { name: 'db', directory: '/', memoryBytes: 256 << 20, workers: 2 };
        const source = await mysqlConnector.openSource!(mysqlOptions.parse(options), context);
        opened.push(source);
        return source;
      };
      return {
        source: () => open({ url }),
        unreachable: () =>
          open({ url: `mysql://somebody:${UNREACHABLE_SECRET}@127.0.0.1:1/nowhere`, connect_timeout: 2 }),
        createTable: async (name) => {
          // Names have characters of the basic plane only.
          const allowed = name.replaceAll('🚚', '☃');
          const table = quoteBackticks(allowed);
          await db.query(
            `CREATE TABLE ${table} (id bigint PRIMARY KEY, label text,
               changed timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), KEY (changed)) CHARACTER SET utf8mb4`,
          );
          const stream = streamName(database, allowed);
          tables.set(stream, table);
          return stream;
        },
        write: (stream, rows) => write(db, tables.get(stream)!, rows),
        writeOpen: async (stream, rows) => {
          const client = await session(url);
          others.push(client);
          // The server tells the start of a transaction in whole seconds; those of one check are to differ.
          await sleep(300);
          await client.query('BEGIN');
          await write(client, tables.get(stream)!, rows);
          return async () => {
            await client.query('COMMIT');
          };
        },
        everyType: async () => {
          await db.query(
            `CREATE TABLE types (${TYPES.map(([column, native]) => `${column} ${native}`).join(', ')}) CHARACTER SET utf8mb4`,
          );
          const rows = [0, 1, 2].map((row) =>
            TYPES.map(([, , , first, second]): Value => [first, second, [null, null] as Value][row]!),
          );
          for (const row of rows) {
            const marks = TYPES.map(([, native]) => (native.startsWith('bit') ? 'CAST(? AS UNSIGNED)' : '?'));
            await db.query(
              `INSERT INTO types VALUES (${marks.join(', ')})`,
              row.map(([literal]) => literal),
            );
          }
          return {
            stream: `${database}.types`,
            columns: TYPES.map(([name, , type]) => ({ name, type })),
            rows: rows.map((row) => row.map(([, cell]) => cell)),
          };
        },
        disconnect: async () => {
          const list = (await server().query(
            `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = '${database}' AND ID <> ${db.threadId}`,
          )) as { id: number }[];
          for (const { id } of list)
            await server()
              .query(`KILL ${id}`)
              .catch(() => undefined);
        },
        close: async () => {
          await Promise.all(opened.map((source) => source.close()));
          for (const other of others) other.destroy();
          await db.end();
        },
      };
    },
  });
