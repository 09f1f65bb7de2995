/** Gives tables their key, indexes, defaults and comments once the rows are in. */
import { DataError, SluiceError } from '../../../core/errors.ts';
import type { TableStructure } from '../../../core/structure.ts';
import { LOAD_ID, type Shape, type SqlSession, type SqlSystem, versionKey } from './system.ts';
import type { Place } from './table-shape.ts';

/** Statements for the structure of a table. */
export function shapeOf(place: Place, table: string, structure: TableStructure | undefined): Shape {
  if (!structure) return { first: [], indexes: [] };
  const { dialect, table: name, columns, history } = place;
  return dialect.shape({ table, name, columns, structure, history });
}

/**
 * A table with history has several rows of each key, but only one version of it that begins at a moment. `load`: all but the rows of
 * this one are known to have keys of their own.
 */
export async function addKey(
  session: SqlSession,
  place: Place,
  { table, load }: { table: string; load?: number | undefined },
): Promise<void> {
  const { dialect, key, history, stamp } = place;
  if (history === 'loads' || key.length === 0) return;
  const unique = history === 'versions' ? versionKey(key) : key;
  const added = load === undefined || stamp !== 'loads' ? undefined : `${dialect.quote(LOAD_ID)} = ${load}`;
  await refuseDoubles(place, () =>
    session.query(
      dialect.addKey(table, place.table, unique, added),
      `adding the key of table "${place.table}"`,
    ),
  );
}

/**
 * What the user's table has, or the source's when there is none yet; nobody else uses the hidden one. `committing` is the
 * session of the commit, which does it where it would not see what others do.
 */
export async function shapeHidden(
  system: SqlSystem,
  place: Place,
  { hidden, committing }: { hidden: string; committing: SqlSession },
  ofSource: TableStructure | undefined,
): Promise<void> {
  const { dialect, table, columns } = place;
  const doing = `making the indexes of table "${table}"`;
  const session = dialect.snapshots ? committing : await system.connect(new AbortController().signal);
  try {
    const found = await dialect.find(session, table);
    const structure = found ? await dialect.structure(session, table, columns) : ofSource;
    const grants = found ? await dialect.grants(session, table) : [];
    // Elsewhere it was made with the table.
    if (!dialect.ddlApart) await addKey(session, place, { table: hidden });
    const { first, indexes } = shapeOf(place, hidden, structure);
    for (const sql of first) await session.query(sql, doing);
    for (const sql of grants)
      await session.query(
        sql.replace('{}', () => hidden),
        `granting the use of table "${table}"`,
      );
    await sideBySide(system, indexes, doing);
  } finally {
    if (session !== committing) await session.close();
  }
}

async function sideBySide(system: SqlSystem, statements: readonly string[], doing: string): Promise<void> {
  const left = [...statements];
  const work = async (): Promise<void> => {
    const session = await system.connect(new AbortController().signal);
    try {
      for (let sql = left.shift(); sql !== undefined; sql = left.shift()) await session.query(sql, doing);
    } finally {
      left.length = 0;
      await session.close();
    }
  };
  const workers = Math.min(statements.length, system.workers);
  const ends = await Promise.allSettled(Array.from({ length: workers }, work));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Two rows with one key: nobody knows which of them is to stay. */
export async function refuseDoubles<T>(place: Place, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SluiceError) || !error.code.endsWith('.duplicate')) throw error;
    throw keyShared(place, error);
  }
}

/**
 * The same for rows whose key is NULL, or NULL in part: loads take NULLs for equal, while the index of a key takes them for
 * different. `where` is the quoted table that holds the rows.
 */
export async function refuseNullDoubles(session: SqlSession, place: Place, where: string): Promise<void> {
  const { dialect, table, key } = place;
  const open = key.filter(({ nullable }) => nullable).map(({ name }) => `${dialect.quote(name)} IS NULL`);
  if (open.length === 0) return;
  const list = key.map(({ name }) => dialect.quote(name)).join(', ');
  const { rows } = await session.query(
    `SELECT COUNT(*) AS n FROM ${where} WHERE ${open.join(' OR ')} GROUP BY ${list} HAVING COUNT(*) > 1 LIMIT 1`,
    `looking for rows of table "${table}" that share their key`,
  );
  if (rows.length > 0) throw keyShared(place);
}

function keyShared({ table, schema }: Place, cause?: unknown): DataError {
  return new DataError(`loading table "${table}": rows share their key (${schema.key.join(', ')})`, {
    code: 'sql.duplicate_key',
    remedy: 'name columns with `key` that tell all rows apart',
    details: { key: schema.key },
    cause,
  });
}
