/** Indexes and foreign keys of tables that are written, as SHOW CREATE TABLE has them. */
import { ConfigError } from '../../core/errors.ts';
import { quoteBackticks } from '../shared/quote.ts';
import type { NamedForeignKey, PartsDialect, TablePart } from '../shared/sql/parts.ts';
import type { SqlSession } from '../shared/sql/system.ts';
import { laterIndexes } from './target-structure.ts';

export const BOOKS = '`_sluice_missing`';

const TEXT = 'LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';
const NAME = (length: number): string =>
  `VARCHAR(${length}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL`;

export const BOOKS_TABLE: string = `CREATE TABLE IF NOT EXISTS ${BOOKS} (
  name ${NAME(300)}, kind ${NAME(16)}, part ${NAME(64)}, statement ${TEXT} NOT NULL, refers ${TEXT}, taken INT NOT NULL,
  noted_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), PRIMARY KEY (name, kind, part)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`;

/** Seconds; others wait behind who waits for a table. */
const WAIT = 5;

const QUOTED = '`(?:[^`]|``)+`';
const INDEX = new RegExp(`^ *((?:UNIQUE|FULLTEXT|SPATIAL) )?KEY (${QUOTED}) (.*?),?$`);
const FOREIGN_KEY = new RegExp(
  `^ *CONSTRAINT (${QUOTED}) (FOREIGN KEY \\(((?:${QUOTED}|, )+)\\) REFERENCES (?:(${QUOTED})\\.)?(${QUOTED}) \\(((?:${QUOTED}|, )+)\\).*?),?$`,
);
const CASCADES = / ON (?:DELETE|UPDATE) (?:CASCADE|SET (?:NULL|DEFAULT))/;
const LONG = /text$|blob$/;
const RISING = new RegExp(`^ *(${QUOTED}) .* AUTO_INCREMENT`);

export function mysqlParts(booksExist: string): PartsDialect {
  return {
    books: BOOKS,
    booksExist,
    list,
    drop: (table, parts) => {
      const items = parts.map(({ kind, name }) => `DROP ${kind.toUpperCase()} ${quoteBackticks(name)}`);
      return [`SET SESSION lock_wait_timeout = ${WAIT}`, `ALTER TABLE ${table} ${items.join(', ')}`];
    },
    add: (table, parts) => {
      const start = `ALTER TABLE ${table} `;
      const items = parts.map(({ sql }) => sql.slice(start.length));
      const alter = start + items.join(', ');
      // With checks the whole table would be copied; whether the key holds is asked afterwards.
      return parts.some(({ kind }) => kind === 'foreign key')
        ? ['SET SESSION foreign_key_checks = 0', alter, 'SET SESSION foreign_key_checks = 1']
        : [alter];
    },
    atOnce: true,
    broken,
    later: laterIndexes,
    foreignKey,
  };
}

interface Definition {
  parts: TablePart[];
  /** Columns that a foreign key needs an index on. */
  held: string[];
}

async function list(session: SqlSession, table: string): Promise<TablePart[] | undefined> {
  const own = await definitionOf(session, table);
  if (!own) return undefined;
  const [schema = '', name = ''] = namesOf(table);
  const { rows } = await session.query(
    `SELECT DISTINCT TABLE_SCHEMA AS \`schema\`, TABLE_NAME AS name FROM information_schema.KEY_COLUMN_USAGE
      WHERE REFERENCED_TABLE_SCHEMA = ? AND REFERENCED_TABLE_NAME = ? ORDER BY 1, 2`,
    `looking at foreign keys that refer to ${table}`,
    [schema, name],
  );
  const held = [...own.held];
  const incoming: TablePart[] = [];
  for (const row of rows) {
    const other = `${quoteBackticks(String(row['schema']))}.${quoteBackticks(String(row['name']))}`;
    if (other === table) continue;
    for (const part of (await definitionOf(session, other))?.parts ?? []) {
      if (part.kind !== 'foreign key' || part.refers !== table) continue;
      incoming.push(part);
      held.push(keyOf(part.sql).referred[0]!);
    }
  }
  const parts = own.parts.map((part) =>
    part.kind === 'index' && held.includes(quoteBackticks(part.column ?? ''))
      ? { ...part, loose: false }
      : part,
  );
  return [...parts, ...incoming];
}

async function definitionOf(session: SqlSession, table: string): Promise<Definition | undefined> {
  let rows: Record<string, unknown>[];
  try {
    ({ rows } = await session.query(
      `SHOW CREATE TABLE ${table}`,
      `looking at indexes and foreign keys of ${table}`,
    ));
  } catch (error) {
    if (error instanceof ConfigError && error.code === 'mysql.no_table') return undefined;
    throw error;
  }
  const text = rows[0]!['Create Table'];
  // A view has none.
  if (typeof text !== 'string') return { parts: [], held: [] };
  const [schema = ''] = namesOf(table);
  const parts: TablePart[] = [];
  const held: string[] = [];
  for (const line of text.split('\n')) {
    const rising = RISING.exec(line)?.[1];
    if (rising !== undefined) held.push(rising);
    const index = INDEX.exec(line);
    if (index) parts.push(indexOf(table, index));
    const key = FOREIGN_KEY.exec(line);
    if (!key) continue;
    const [, name = '', body = '', columns = '', database, referred = ''] = key;
    const refers = `${database ?? quoteBackticks(schema)}.${referred}`;
    held.push(columnsOf(columns)[0]!);
    if (refers === table) held.push(columnsOf(key[6]!)[0]!);
    const sql = `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${body}`;
    parts.push({ table, kind: 'foreign key', name: plain(name), sql, refers, loose: CASCADES.test(body) });
  }
  return { parts, held };
}

function indexOf(table: string, [, word = '', name = '', body = '']: RegExpExecArray): TablePart {
  const first = new RegExp(`^\\((${QUOTED})`).exec(body)?.[1];
  return {
    table,
    kind: 'index',
    name: plain(name),
    sql: `ALTER TABLE ${table} ADD ${word}INDEX ${name} ${body}`,
    column: first === undefined ? undefined : plain(first),
    // Loads find rows of a key by `sluice_key`.
    loose: word === '' && name !== '`sluice_key`',
  };
}

function plain(quoted: string): string {
  return quoted.slice(1, -1).replaceAll('``', '`');
}

function namesOf(table: string): string[] {
  return [...table.matchAll(new RegExp(QUOTED, 'g'))].map(([name]) => plain(name));
}

function columnsOf(text: string): string[] {
  return [...text.matchAll(new RegExp(QUOTED, 'g'))].map(([name]) => name);
}

function keyOf(sql: string): { columns: string[]; refers: string; referred: string[] } {
  const [, columns = '', refers = '', referred = ''] = new RegExp(
    `FOREIGN KEY \\(((?:${QUOTED}|, )+)\\) REFERENCES ((?:${QUOTED}\\.)?${QUOTED}) \\(((?:${QUOTED}|, )+)\\)`,
  ).exec(sql)!;
  return { columns: columnsOf(columns), refers, referred: columnsOf(referred) };
}

/** A key with a NULL in it refers to nothing. */
function broken({ table, sql }: { table: string; sql: string }): string {
  const { columns, refers, referred } = keyOf(sql);
  const [schema = ''] = namesOf(table);
  const other = namesOf(refers).length > 1 ? refers : `${quoteBackticks(schema)}.${refers}`;
  const there = columns.map((column) => `c.${column} IS NOT NULL`).join(' AND ');
  const same = columns.map((column, i) => `p.${referred[i]!} = c.${column}`).join(' AND ');
  return `SELECT 1 AS n FROM ${table} c LEFT JOIN ${other} p ON ${same} WHERE ${there} AND p.${referred[0]!} IS NULL LIMIT 1`;
}

/** InnoDB looks at each row at once, and knows neither MATCH FULL nor SET DEFAULT. */
function foreignKey({
  name,
  table,
  columns,
  types,
  refers,
  referred,
  ...key
}: NamedForeignKey): string | undefined {
  // The key that they refer to has another type there.
  if (types.some((type) => LONG.test(type))) return undefined;
  const names = (all: readonly string[]): string => all.map(quoteBackticks).join(', ');
  const action = (what: string): string => (what === 'set default' ? 'NO ACTION' : what.toUpperCase());
  return `ALTER TABLE ${table} ADD CONSTRAINT ${quoteBackticks(name)} FOREIGN KEY (${names(columns)}) REFERENCES ${refers} (${names(referred)}) ON DELETE ${action(key.onDelete)} ON UPDATE ${action(key.onUpdate)}`;
}
