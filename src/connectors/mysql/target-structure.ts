/** Indexes, comments and defaults of the tables that are written. */
import type { ColumnStructure, IndexStructure, TableStructure } from '../../core/structure.ts';
import { quoteBackticks, quoteEscaped, quoteText } from '../shared/quote.ts';
import { fitNames } from '../shared/sql/names.ts';
import type { Shape, ShapeJob, SqlSession, TargetColumn } from '../shared/sql/system.ts';
import { INDEX_BYTES, indexBytes, isLonger } from './target-types.ts';

/** Characters of a text that an index has, so that four such columns fit into 3072 bytes. */
const PREFIX = 191;

/** What the dialect knows of the table. */
export interface ShapeFacts {
  /** Name, type and whether it may be NULL, as DDL has it. */
  columnSql(column: TargetColumn): string;
  /** What the comment of a table that is made aside has to end with. */
  mark: string | undefined;
  /** Long texts may have a default, as an expression. */
  longDefaults: boolean;
}

/** Most characters of a comment on a column, and on a table with its mark. */
const COLUMN_COMMENT = 1024;
const TABLE_COMMENT = 1900;

/** Indexes in one statement, which goes through the rows once. */
export function shape(job: ShapeJob, facts: ShapeFacts): Shape {
  const { table, columns, structure, history } = job;
  const changes = structure.columns.flatMap(({ field, comment, default: value }) => {
    const column = columns.find((each) => each.field === field);
    const literal =
      column && value !== undefined && !history ? defaultSql(value, column.type, facts) : undefined;
    if (!column || (literal === undefined && comment === undefined)) return [];
    const said = comment === undefined ? '' : ` COMMENT ${quoteEscaped(comment.slice(0, COLUMN_COMMENT))}`;
    return [
      `MODIFY COLUMN ${facts.columnSql(column)}${literal === undefined ? '' : ` DEFAULT ${literal}`}${said}`,
    ];
  });
  if (structure.comment !== undefined) {
    const said = structure.comment.slice(0, TABLE_COMMENT);
    changes.push(`COMMENT ${quoteEscaped(facts.mark === undefined ? said : `${said} (${facts.mark})`)}`);
  }
  const added = indexesOf(job).map(({ sql }) => sql);
  const alter = (items: string[]): string[] =>
    items.length === 0 ? [] : [`ALTER TABLE ${table} ${items.join(', ')}`];
  return { first: alter(changes), indexes: alter(added) };
}

const NUMBER = /^\(?(-?\d+(?:\.\d+)?)\)?$/;
const NUMERIC = /^(smallint|mediumint|int|bigint|decimal\(|float|double)/;
const LONG = /^(long|medium|tiny)?text$/;

/** Literals that are values of the column's type; the text is in the form of standard SQL. */
function defaultSql(value: string, type: string, { longDefaults }: ShapeFacts): string | undefined {
  const bare = /^'((?:[^']|'')*)'$/s.exec(value)?.[1]?.replaceAll("''", "'");
  const number = NUMBER.exec(bare ?? value)?.[1];
  if (NUMERIC.test(type)) return number;
  if (type === 'tinyint(1)') return /^(true|false|0|1)$/.test(value) ? value : undefined;
  if (bare === undefined) return undefined;
  if (type === 'date') return /^[1-9]\d{3}-\d\d-\d\d$/.test(bare) ? quoteEscaped(bare) : undefined;
  if (LONG.test(type)) return longDefaults ? `(${quoteEscaped(bare)})` : undefined;
  const length = /^(?:var)?char\((\d+)\)$/.exec(type)?.[1];
  return length !== undefined && bare.length <= Number(length) ? quoteEscaped(bare) : undefined;
}

/** As statements of their own, for when the rows are in. */
export function laterIndexes(job: ShapeJob): { name: string; sql: string }[] {
  return indexesOf(job).map(({ name, sql }) => ({ name, sql: `ALTER TABLE ${job.table} ${sql}` }));
}

function indexesOf({ columns, structure, history }: ShapeJob): { name: string; sql: string }[] {
  const named = fitNames(
    structure.indexes.map(({ name }) => name),
    { bytes: 64, folds: true, plain: true },
  );
  return structure.indexes.flatMap((index, i) => {
    if (history && index.unique) return [];
    const text = indexSql(index, columns);
    const name = named[i]!;
    return text === undefined
      ? []
      : [{ name, sql: `ADD ${text.kind}INDEX ${quoteBackticks(name)} ${text.parts}` }];
  });
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
  const wide = found.reduce((sum, column) => sum + indexBytes(column!.type), 0) > INDEX_BYTES;
  const cut = ({ type }: TargetColumn): boolean => isLonger(type, wide ? PREFIX : Infinity);
  const long = found.some((column) => cut(column!));
  const parts = found.map((column) => `${quoteBackticks(column!.name)}${cut(column!) ? `(${PREFIX})` : ''}`);
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

const COLUMNS = `
SELECT c.COLUMN_NAME AS name, c.COLUMN_DEFAULT AS value, c.EXTRA AS extra, c.COLUMN_COMMENT AS comment, t.TABLE_COMMENT AS table_comment
  FROM information_schema.COLUMNS c JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
 WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = ? ORDER BY c.ORDINAL_POSITION`;

/** What the comment of a table ends with that was made aside. */
const MARK = / ?\(?Sluice _sluice_load_[0-9a-f]+_\d+\)?$/;

/** That of a table of the user's, which a new one is to take over; indexes and defaults that are expressions are left out. */
export async function structureOf(
  session: SqlSession,
  name: string,
  columns: readonly TargetColumn[],
  mariadb: boolean,
): Promise<TableStructure> {
  const doing = `looking at the indexes of table "${name}"`;
  const described = await session.query(COLUMNS, doing, [name]);
  const { rows } = await session.query(STATISTICS, doing, [name]);
  const comment = ((described.rows[0]?.['table_comment'] as string | undefined) ?? '').replace(MARK, '');
  const whole = rows.filter((row) => Number(row['whole']) === 1);
  return {
    comment: comment === '' ? undefined : comment,
    columns: described.rows.flatMap((row): ColumnStructure[] => {
      const field = columns.find((column) => column.name === row['name'])?.field;
      const said = row['comment'] as string;
      const value = row['value'];
      const literal =
        typeof value === 'string' ? literalOf(value, mariadb, row['extra'] as string) : undefined;
      return field === undefined
        ? []
        : [{ field, comment: said === '' ? undefined : said, default: literal }];
    }),
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

/** In standard SQL. MariaDB has defaults as SQL, MySQL as bare text, and those that are expressions apart. */
export function literalOf(value: string, mariadb: boolean, extra: string): string | undefined {
  const expression = /DEFAULT_GENERATED/i.test(extra);
  if (!mariadb && !expression) return NUMBER.test(value) ? value : quoteText(value);
  if (NUMBER.test(value)) return value;
  const text = /^(?:_utf8mb4)?\\?'((?:[^'\\]|''|\\.)*?)\\?'$/s.exec(value)?.[1];
  return text === undefined
    ? undefined
    : quoteText(text.replaceAll("''", "'").replaceAll(/\\(['"\\])/g, '$1'));
}
