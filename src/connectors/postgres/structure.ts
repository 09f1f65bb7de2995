/** Indexes, defaults and comments of a table, as the catalog has them. */
import type { ColumnStructure, IndexStructure, TableStructure } from '../../core/structure.ts';

export type Ask = (sql: string, values: readonly unknown[]) => Promise<Record<string, unknown>[]>;

const COLUMNS = `
SELECT a.attname AS name, pg_catalog.col_description(a.attrelid, a.attnum) AS comment,
       CASE WHEN coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default,
       coalesce(pg_catalog.to_jsonb(a) ->> 'attidentity', '') <> '' AS identity,
       pg_catalog.obj_description(a.attrelid, 'pg_class') AS table_comment
  FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum`;

/** All but the primary key, and those that make sure of more than that values are unique. */
const INDEXES = `
SELECT ic.relname AS name, i.indisunique AS unique, pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
       CASE WHEN am.amname = 'btree' AND i.indexprs IS NULL AND i.indpred IS NULL THEN
         (SELECT pg_catalog.json_agg(a.attname ORDER BY k.position)::text
            FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE k.position <= i.indnkeyatts) END AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  JOIN pg_catalog.pg_am am ON am.oid = ic.relam
 WHERE i.indrelid = $1::oid AND i.indisvalid AND NOT i.indisprimary AND NOT i.indisexclusion
 ORDER BY ic.relname`;

const NAME = `(?:"(?:[^"]|"")*"|[^ ."]+)`;
/** `CREATE INDEX name ON schema.table USING …`: what follows the name of the table. */
const DEFINITION = new RegExp(
  `^CREATE (?:UNIQUE )?INDEX ${NAME} ON (?:ONLY )?(?:${NAME}\\.)?${NAME} (USING .*)$`,
  's',
);

/** Defaults that mean the same everywhere; a cast to the column's own type says nothing. */
const DEFAULT =
  /^('(?:[^']|'')*'|\(?-?[\d.]+\)?|true|false|now\(\)|CURRENT_(?:TIMESTAMP|DATE|TIME))(?:::[\w\s()".,[\]]+)?$/;

/** `fieldOf` gives the field that a column has become; undefined when it is not loaded. */
export async function readStructure(
  ask: Ask,
  oid: number,
  fieldOf: (column: string) => string | undefined,
): Promise<TableStructure> {
  const columns = await ask(COLUMNS, [oid]);
  const indexes = await ask(INDEXES, [oid]);
  const asIs = columns.every((column) => fieldOf(column['name'] as string) === column['name']);
  return {
    comment: (columns[0]?.['table_comment'] as string | null) ?? undefined,
    columns: columns.flatMap((row): ColumnStructure[] => {
      const field = fieldOf(row['name'] as string);
      return field === undefined ? [] : [columnOf(field, row)];
    }),
    indexes: indexes
      .map((row) => indexOf(row, fieldOf, asIs))
      .filter((index) => index.fields ?? index.definition),
  };
}

function columnOf(field: string, row: Record<string, unknown>): ColumnStructure {
  const text = row['default'] as string | null;
  const literal = text === null ? undefined : DEFAULT.exec(text)?.[1];
  return {
    field,
    comment: (row['comment'] as string | null) ?? undefined,
    default: literal,
    identity: row['identity'] === true || text?.startsWith('nextval(') === true || undefined,
  };
}

function indexOf(
  row: Record<string, unknown>,
  fieldOf: (column: string) => string | undefined,
  asIs: boolean,
): IndexStructure {
  const list = row['columns'] as string | null;
  const fields = list === null ? undefined : (JSON.parse(list) as string[]).map(fieldOf);
  const sql = asIs ? DEFINITION.exec(row['definition'] as string)?.[1] : undefined;
  return {
    name: row['name'] as string,
    unique: row['unique'] === true,
    fields: fields?.every((field) => field !== undefined) ? fields : undefined,
    definition: sql === undefined ? undefined : { dialect: 'postgres', sql },
  };
}
