/** Reads a table that Sluice has written to a DuckDB file, as batch-rows.ts writes its cells. */
import { DuckDBInstance } from '@duckdb/node-api';
import { fitNames } from '../../src/connectors/shared/sql/names.ts';
import { type Field, schemaFromJson, type SchemaJson } from '../../src/core/schema.ts';
import type { LogicalType } from '../../src/core/types.ts';
import { duckName, duckText } from '../../src/duckdb/types.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';

const LIMIT = { bytes: 255, folds: true };

/** Runs statements with an engine of its own, when nobody else has the file open, and gives the rows of the last one. */
export async function askDuckdb(file: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(file);
  const connection = await instance.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const sql of statements) rows = (await connection.runAndReadAll(sql)).getRowObjectsJson();
    return rows;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Runs a query in the only engine that may have the file open in this process. */
export type AskDuckdb = (sql: string) => Promise<Record<string, unknown>[]>;

/** `database` is what the file is called there. */
export async function readDuckdb(
  ask: AskDuckdb,
  { database, table }: { database: string; table: string },
  more: readonly Field[] = [],
): Promise<{ columns: string[]; rows: Cell[][] } | undefined> {
  const known = await ask(`SELECT 1 FROM duckdb_tables() WHERE schema_name = '_sluice'`);
  if (known.length === 0) return undefined;
  const quoted = `"main".${duckName(fitNames([table], LIMIT)[0]!)}`;
  const [record] = await ask(
    `SELECT table_schema FROM ${database}._sluice.tables WHERE version > 0 AND name = ${duckText(quoted)}`,
  );
  if (!record) return undefined;
  const schema = schemaFromJson(JSON.parse(String(record['table_schema'])) as SchemaJson);
  const fields = [...schema.fields, ...more];
  const names = fitNames(
    fields.map(({ name }) => name),
    LIMIT,
  );
  // The API drops a byte order mark that begins a text.
  const cells = fields.map(({ type }, i) => `'=' || ${cellSql(duckName(names[i]!), type)} AS c${i}`);
  const rows = await ask(`SELECT ${cells.join(', ')} FROM ${database}.${quoted}`);
  return {
    columns: fields.map(({ name }) => name),
    rows: rows.map((row) => fields.map(({ type }, i) => asCell(row[`c${i}`] as string | null, type))),
  };
}

export function cellSql(name: string, type: LogicalType): string {
  switch (type.kind) {
    case 'date':
      return `CAST(${name} - DATE '1970-01-01' AS VARCHAR)`;
    case 'time':
    case 'timestamp':
      return `CAST(epoch_us(${name}) AS VARCHAR)`;
    case 'binary':
      return `lower(hex(${name}))`;
    default:
      return `CAST(${name} AS VARCHAR)`;
  }
}

export function asCell(value: string | null, type: LogicalType): Cell {
  if (value === null) return null;
  const text = value.slice(1);
  if (!type.kind.startsWith('float')) return text;
  const number = text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text);
  return Object.is(number, -0) ? '-0' : String(type.kind === 'float32' ? Math.fround(number) : number);
}
