/** Indexes and foreign keys of tables that are written, one by one. */
import { quoteName } from '../shared/quote.ts';
import type { NamedForeignKey, PartsDialect, TablePart } from '../shared/sql/parts.ts';
import type { SqlSession } from '../shared/sql/system.ts';

export const BOOKS = '_sluice.missing';

export const BOOKS_TABLE: string = `CREATE TABLE ${BOOKS} (
  name text NOT NULL, kind text NOT NULL, part text NOT NULL, statement text NOT NULL, refers text, taken int4 NOT NULL,
  noted_at timestamptz NOT NULL DEFAULT pg_catalog.now(), PRIMARY KEY (name, kind, part))`;

/** Others wait behind who waits for a table. */
const WAIT_MS = 5000;

/** As {@link quoteName} does it. */
const quoted = (schema: string, name: string): string =>
  [schema, name].map((part) => `'"' || pg_catalog.replace(${part}, '"', '""') || '"'`).join(` || '.' || `);

/**
 * An index is loose when nothing but its name and columns would be lost with it: it is not unique and belongs to no
 * constraint, has no comment and no place of its own, the table is not ordered by it, and it is no part of another one.
 */
const PARTS = `
SELECT 'index' AS kind, ${quoted('n.nspname', 'c.relname')} AS table, ic.relname AS name, pg_catalog.pg_get_indexdef(i.indexrelid) AS sql,
       NULL AS refers,
       (SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.attnum > 0) AS first,
       c.relkind = 'r' AND NOT i.indisunique AND NOT i.indisprimary AND NOT i.indisexclusion AND i.indisvalid
         AND NOT i.indisclustered AND NOT i.indisreplident AND ic.reltablespace = 0
         AND pg_catalog.obj_description(i.indexrelid, 'pg_class') IS NULL
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid)
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = i.indexrelid)
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indexrelid AND (pg_catalog.to_jsonb(a) ->> 'attstattarget')::int4 >= 0) AS loose
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
 WHERE c.oid = pg_catalog.to_regclass($1)
UNION ALL
SELECT 'foreign key', ${quoted('n.nspname', 'c.relname')}, k.conname,
       pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', ${quoted('n.nspname', 'c.relname')}, k.conname, pg_catalog.pg_get_constraintdef(k.oid)),
       ${quoted('rn.nspname', 'r.relname')}, NULL, k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd')
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class r ON r.oid = k.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND pg_catalog.to_regclass($1) IN (k.conrelid, k.confrelid)
 ORDER BY 1, 2, 3`;

export function postgresParts(): PartsDialect {
  return {
    books: BOOKS,
    booksExist: `SELECT 1 AS n WHERE pg_catalog.to_regclass('${BOOKS}') IS NOT NULL`,
    list,
    drop: (table, parts) => {
      const schema = table.slice(0, table.length - tableName(table).length);
      return [
        `SET LOCAL lock_timeout = ${WAIT_MS}`,
        ...parts.map(({ kind, name }) =>
          kind === 'index'
            ? `DROP INDEX ${schema}${quoteName(name)}`
            : `ALTER TABLE ${table} DROP CONSTRAINT ${quoteName(name)}`,
        ),
      ];
    },
    add: (_, parts) => parts.map(({ sql }) => sql),
    atOnce: false,
    // They are made in the transaction of the first commit.
    later: () => [],
    foreignKey,
  };
}

/** The last part of a quoted name. */
function tableName(table: string): string {
  return /"(?:[^"]|"")*"$/.exec(table)![0];
}

async function list(session: SqlSession, table: string): Promise<TablePart[] | undefined> {
  const doing = `looking at indexes and foreign keys of ${table}`;
  const there = await session.query('SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there', doing, [table]);
  if (there.rows[0]!['there'] !== true) return undefined;
  const { rows } = await session.query(PARTS, doing, [table]);
  return rows.map((row) => ({
    table: String(row['table']),
    kind: row['kind'] === 'index' ? 'index' : 'foreign key',
    name: String(row['name']),
    sql: String(row['sql']),
    refers: typeof row['refers'] === 'string' ? row['refers'] : undefined,
    column: typeof row['first'] === 'string' ? row['first'] : undefined,
    loose: row['loose'] === true,
  }));
}

function foreignKey(key: NamedForeignKey): string {
  const { name, table, columns, refers, referred, onDelete, onUpdate, deferrable, full } = key;
  const names = (all: readonly string[]): string => all.map(quoteName).join(', ');
  const later =
    deferrable === undefined ? '' : ` DEFERRABLE${deferrable === 'deferred' ? ' INITIALLY DEFERRED' : ''}`;
  return `ALTER TABLE ${table} ADD CONSTRAINT ${quoteName(name)} FOREIGN KEY (${names(columns)}) REFERENCES ${refers} (${names(referred)})${full === true ? ' MATCH FULL' : ''} ON DELETE ${onDelete.toUpperCase()} ON UPDATE ${onUpdate.toUpperCase()}${later}`;
}
