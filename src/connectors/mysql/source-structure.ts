/** What a table that is read has beside its columns: indexes, foreign keys, comments, and defaults that are literals. */
import type {
  ColumnStructure,
  ForeignKeyStructure,
  IndexStructure,
  ReferenceAction,
  TableStructure,
} from '../../core/structure.ts';
import { streamName } from '../shared/stream-name.ts';
import type { CatalogTable } from './catalog.ts';
import type { Client } from './client.ts';
import { literalOf } from './target-structure.ts';

const DEFAULTS = `
SELECT COLUMN_NAME AS name, COLUMN_DEFAULT AS value, DATA_TYPE AS type, EXTRA AS extra
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`;

/** Of whole columns, in the order of their values; others mean nothing elsewhere. */
const INDEXES = `
SELECT INDEX_NAME AS name, NON_UNIQUE AS repeats, COLUMN_NAME AS \`column\`, SUB_PART AS part, INDEX_TYPE AS method
  FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND INDEX_NAME <> 'PRIMARY'
 ORDER BY INDEX_NAME, SEQ_IN_INDEX`;

const FOREIGN_KEYS = `
SELECT k.CONSTRAINT_NAME AS name, k.COLUMN_NAME AS \`column\`, k.REFERENCED_TABLE_SCHEMA AS \`schema\`, k.REFERENCED_TABLE_NAME AS \`table\`,
       k.REFERENCED_COLUMN_NAME AS referred, r.DELETE_RULE AS on_delete, r.UPDATE_RULE AS on_update
  FROM information_schema.KEY_COLUMN_USAGE k
  JOIN information_schema.REFERENTIAL_CONSTRAINTS r ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
   AND r.TABLE_NAME = k.TABLE_NAME
 WHERE k.TABLE_SCHEMA = ? AND k.TABLE_NAME = ? AND k.REFERENCED_TABLE_NAME IS NOT NULL
 ORDER BY k.CONSTRAINT_NAME, k.ORDINAL_POSITION`;

type Row = Record<string, string | number | null>;
type FieldOf = (column: string) => string | undefined;

/** `fieldOf` gives the field that a column has become; undefined when it is not loaded. */
export async function readStructure(
  client: Client,
  table: CatalogTable,
  fieldOf: FieldOf,
): Promise<TableStructure> {
  const place = [table.schema, table.name];
  const defaults = await client.query<Row>(DEFAULTS, place);
  const indexes = await client.query<Row>(INDEXES, place);
  const keys = await client.query<Row>(FOREIGN_KEYS, place);
  return {
    comment: table.comment === '' ? undefined : table.comment,
    columns: table.columns.flatMap((column): ColumnStructure[] => {
      const field = fieldOf(column.name);
      const row = defaults.find(({ name }) => name === column.name);
      if (field === undefined) return [];
      const { comment, rising } = column;
      return [
        {
          field,
          comment: comment === '' ? undefined : comment,
          default: row && defaultOf(row, client.mariadb),
          identity: rising || undefined,
        },
      ];
    }),
    indexes: [...Map.groupBy(indexes, ({ name }) => String(name))].flatMap(([name, rows]) =>
      indexOf(name, rows, fieldOf),
    ),
    foreignKeys: [...Map.groupBy(keys, ({ name }) => String(name))].flatMap(([name, rows]) =>
      foreignKeyOf(name, rows, fieldOf),
    ),
  };
}

const NUMBER = /^-?\d+(\.\d+)?$/;
const NUMERIC = /^(tinyint|smallint|mediumint|int|bigint|decimal|float|double|year)$/;
const TEXT = /^(char|varchar|tinytext|text|mediumtext|longtext|enum|set|date|uuid)$/;

function defaultOf({ value, type, extra }: Row, mariadb: boolean): string | undefined {
  if (value === null || /VIRTUAL|STORED/i.test(String(extra))) return undefined;
  if (NUMERIC.test(String(type))) return NUMBER.test(String(value)) ? String(value) : undefined;
  return TEXT.test(String(type)) ? literalOf(String(value), mariadb, String(extra)) : undefined;
}

function indexOf(name: string, rows: readonly Row[], fieldOf: FieldOf): IndexStructure[] {
  const fields = rows.map(({ column }) => (column === null ? undefined : fieldOf(String(column))));
  const whole = rows.every(({ part, method }) => part === null && method === 'BTREE');
  if (!whole || fields.includes(undefined)) return [];
  return [{ name, unique: Number(rows[0]!['repeats']) === 0, fields: fields as string[] }];
}

function foreignKeyOf(name: string, rows: readonly Row[], fieldOf: FieldOf): ForeignKeyStructure[] {
  const fields = rows.map(({ column }) => fieldOf(String(column)));
  const first = rows[0]!;
  if (fields.includes(undefined)) return [];
  return [
    {
      name,
      fields: fields as string[],
      references: {
        table: streamName(String(first['schema']), String(first['table'])),
        fields: rows.map(({ referred }) => String(referred)),
      },
      onDelete: String(first['on_delete']).toLowerCase() as ReferenceAction,
      onUpdate: String(first['on_update']).toLowerCase() as ReferenceAction,
    },
  ];
}
