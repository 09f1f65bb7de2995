/** Reads a table that Sluice has written to PostgreSQL, as batch-rows.ts writes its cells. */
import type pg from 'pg';
import { fitNames } from '../../src/connectors/shared/sql/names.ts';
import { quoteName } from '../../src/connectors/shared/quote.ts';
import { type Field, schemaFromJson, type SchemaJson } from '../../src/core/schema.ts';
import type { LogicalType } from '../../src/core/types.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';

const LIMIT = { bytes: 63, folds: false };

export async function readPostgres(
  client: pg.Client,
  table: string,
  more: readonly Field[] = [],
): Promise<{ columns: string[]; rows: Cell[][] } | undefined> {
  const known = await client.query<{ there: boolean }>(
    `SELECT to_regclass('_sluice.tables') IS NOT NULL AS there`,
  );
  if (!known.rows[0]!.there) return undefined;
  const { rows: records } = await client.query<{ table_schema: string }>(
    'SELECT table_schema FROM _sluice.tables WHERE name = $1 AND version > 0',
    [`"public"."${fitNames([table], { bytes: 63, folds: false })[0]!.replaceAll('"', '""')}"`],
  );
  if (!records[0]) return undefined;
  const fields = [...schemaFromJson(JSON.parse(records[0].table_schema) as SchemaJson).fields, ...more];
  const names = fitNames(
    fields.map(({ name }) => name),
    LIMIT,
  );
  const cells = fields.map(({ type }, i) => `${cellSql(quoteName(names[i]!), type)} AS c${i}`);
  const from = `public.${quoteName(fitNames([table], LIMIT)[0]!)}`;
  const { rows } = await client.query<Record<string, string | null>>(
    `SELECT ${cells.join(', ')} FROM ${from}`,
  );
  return {
    columns: fields.map(({ name }) => name),
    rows: rows.map((row) => fields.map(({ type }, i) => asCell(row[`c${i}`]!, type))),
  };
}

function cellSql(name: string, type: LogicalType): string {
  switch (type.kind) {
    case 'date':
      return `(${name} - date '1970-01-01')::text`;
    case 'time':
      return `(extract(epoch FROM ${name}) * 1000000)::int8::text`;
    case 'timestamp':
      return `(extract(epoch FROM ${name}) * 1000000)::int8::text`;
    case 'binary':
      return `encode(${name}, 'hex')`;
    default:
      return `${name}::text`;
  }
}

function asCell(value: string | null, type: LogicalType): Cell {
  if (value === null || !type.kind.startsWith('float')) return value;
  const number = type.kind === 'float32' ? Math.fround(Number(value)) : Number(value);
  return Object.is(number, -0) ? '-0' : String(number);
}
