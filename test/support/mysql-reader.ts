/** Reads a table that Sluice has written to MySQL or MariaDB, as batch-rows.ts writes its cells. */
import type { Connection } from 'mysql2/promise';
import { quoteBackticks } from '../../src/connectors/shared/quote.ts';
import { fitNames } from '../../src/connectors/shared/sql/names.ts';
import { type Field, schemaFromJson, type SchemaJson } from '../../src/core/schema.ts';
import type { LogicalType } from '../../src/core/types.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';

const LIMIT = { bytes: 64, folds: true, plain: true };

export async function readMysql(
  client: Connection,
  table: string,
  more: readonly Field[] = [],
): Promise<{ columns: string[]; rows: Cell[][] } | undefined> {
  const known = await rowsOf(client, `SHOW TABLES LIKE '\\_sluice\\_tables'`);
  if (known.length === 0) return undefined;
  const [record] = await rowsOf(
    client,
    'SELECT table_schema FROM _sluice_tables WHERE name = ? AND version > 0',
    [table],
  );
  if (!record) return undefined;
  const fields = [...schemaFromJson(JSON.parse(record['table_schema']!) as SchemaJson).fields, ...more];
  const names = fitNames(
    fields.map(({ name }) => name),
    LIMIT,
  );
  const cells = fields.map(({ type }, i) => `${cellSql(quoteBackticks(names[i]!), type)} AS c${i}`);
  const rows = await rowsOf(
    client,
    `SELECT ${cells.join(', ')} FROM ${quoteBackticks(fitNames([table], LIMIT)[0]!)}`,
  );
  return {
    columns: fields.map(({ name }) => name),
    rows: rows.map((row) => fields.map(({ type }, i) => asCell(row[`c${i}`]!, type))),
  };
}

async function rowsOf(
  client: Connection,
  sql: string,
  values: unknown[] = [],
): Promise<Record<string, string | null>[]> {
  return (await client.query(sql, values))[0] as Record<string, string | null>[];
}

function cellSql(name: string, type: LogicalType): string {
  switch (type.kind) {
    case 'date':
      return `CONCAT(DATEDIFF(${name}, '1970-01-01'))`;
    case 'time':
      return `CONCAT(CAST(TIME_TO_SEC(${name}) * 1000000 AS SIGNED))`;
    case 'timestamp':
      return `CONCAT(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${name}))`;
    case 'binary':
      return `LOWER(HEX(${name}))`;
    case 'float32':
    case 'float64':
      return `CONCAT(${name} * 1e0)`;
    case 'bool':
      return `IF(${name}, 'true', IF(${name} IS NULL, NULL, 'false'))`;
    case 'utf8':
    case 'json':
      return name;
    default:
      return `CONCAT(${name})`;
  }
}

function asCell(value: string | null, type: LogicalType): Cell {
  if (value === null || !type.kind.startsWith('float')) return value;
  const number = type.kind === 'float32' ? Math.fround(Number(value)) : Number(value);
  return Object.is(number, -0) ? '-0' : String(number);
}
