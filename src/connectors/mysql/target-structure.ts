/** Indexes of the tables that are written. */
import type { IndexStructure, TableStructure } from '../../core/structure.ts';
import { quoteBackticks } from '../shared/quote.ts';
import { fitNames } from '../shared/sql/names.ts';
import type { Shape, ShapeJob, SqlSession, TargetColumn } from '../shared/sql/system.ts';

/** Characters of a text that an index has, so that four such columns fit into 3072 bytes. */
const PREFIX = 191;
const UNLIMITED = /^(long|medium|tiny)?(text|blob)$/;

/** All in one statement, which goes through the rows once. Comments and defaults are not copied. */
export function shape({ table, columns, structure, history }: ShapeJob): Shape {
  const named = fitNames(
    structure.indexes.map(({ name }) => name),
    { bytes: 64, folds: true, plain: true },
  );
  const added = structure.indexes.flatMap((index, i) => {
    if (history && index.unique) return [];
    const text = indexSql(index, columns);
    return text === undefined ? [] : [`ADD ${text.kind}INDEX ${quoteBackticks(named[i]!)} ${text.parts}`];
  });
  return { first: added.length === 0 ? [] : [`ALTER TABLE ${table} ${added.join(', ')}`], indexes: [] };
}

function indexSql(
  { unique, fields, definition }: IndexStructure,
  columns: readonly TargetColumn[],
): { kind: string; parts: string } | undefined {
  if (definition?.dialect === 'mysql') {
    const [kind = '', parts = ''] = definition.sql.split('|');
    return { kind: kind === '' ? '' : `${kind} `, parts };
  }
  const found = fields?.map((field) => columns.find((column) => column.field === field));
  if (!found || found.some((column) => column === undefined)) return undefined;
  const long = found.some((column) => UNLIMITED.test(column!.type));
  const parts = found.map(
    (column) => `${quoteBackticks(column!.name)}${UNLIMITED.test(column!.type) ? `(${PREFIX})` : ''}`,
  );
  // Two texts that begin alike are not the same.
  return { kind: unique && !long ? 'UNIQUE ' : '', parts: `(${parts.join(', ')})` };
}

const STATISTICS = `
SELECT INDEX_NAME AS name, MIN(NON_UNIQUE) AS plain, MIN(INDEX_TYPE) AS type,
       GROUP_CONCAT(CONCAT('\`', REPLACE(COLUMN_NAME, '\`', '\`\`'), '\`', IFNULL(CONCAT('(', SUB_PART, ')'), ''), IF(COLLATION = 'D', ' DESC', ''))
         ORDER BY SEQ_IN_INDEX SEPARATOR ', ') AS parts, COUNT(*) = COUNT(COLUMN_NAME) AS whole
  FROM information_schema.STATISTICS
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND INDEX_NAME NOT IN ('PRIMARY', 'sluice_key')
 GROUP BY INDEX_NAME ORDER BY INDEX_NAME`;

/** Indexes of a table of the user's, which a new one is to take over; those of expressions are left out. */
export async function structureOf(session: SqlSession, name: string): Promise<TableStructure> {
  const { rows } = await session.query(STATISTICS, `looking at the indexes of table "${name}"`, [name]);
  const whole = rows.filter((row) => Number(row['whole']) === 1);
  return {
    columns: [],
    indexes: whole.map((row): IndexStructure => {
      const type = row['type'] as string;
      const unique = Number(row['plain']) === 0;
      const kind = type === 'FULLTEXT' || type === 'SPATIAL' ? type : unique ? 'UNIQUE' : '';
      return {
        name: row['name'] as string,
        unique,
        fields: undefined,
        definition: { dialect: 'mysql', sql: `${kind}|(${row['parts'] as string})` },
      };
    }),
  };
}
