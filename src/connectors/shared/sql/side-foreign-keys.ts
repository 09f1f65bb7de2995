/** Foreign keys of tables that change places: they go by the table, and not by its name. */
import { ConfigError, TransientError } from '../../../core/errors.ts';
import type { TablePart } from './parts.ts';
import type { SqlDialect, SqlSession } from './system.ts';

/** Takes away those between tables of these names and others of whatever place; all that there were. */
export async function detachForeignKeys(
  session: SqlSession,
  dialect: SqlDialect,
  names: readonly string[],
): Promise<TablePart[]> {
  const own = new Set(names.map((name) => dialect.table(name)));
  const keys = await foreignKeys(session, dialect, names);
  for (const { table, name, refers = '' } of keys)
    if (!own.has(table) || !own.has(refers))
      await session.query(
        `ALTER TABLE ${table} DROP CONSTRAINT ${dialect.quote(name)}`,
        `taking foreign key "${name}" of ${table} away`,
      );
  return keys;
}

/** Makes those again that the tables, which are others now, are without. */
export async function attachForeignKeys(
  session: SqlSession,
  dialect: SqlDialect,
  names: readonly string[],
  keys: readonly TablePart[],
): Promise<void> {
  const there = new Set((await foreignKeys(session, dialect, names)).map(idOf));
  for (const key of keys.filter((each) => !there.has(idOf(each)))) {
    const doing = `making foreign key "${key.name}" of ${key.table}`;
    await session.query(key.sql, doing).catch((error: unknown) => {
      if (error instanceof TransientError) throw error;
      throw new ConfigError(`${doing}: the tables that are promoted do not allow it`, {
        code: 'shadow.held',
        remedy: 'drop it and make it again after the promotion, or promote the other table with them',
        cause: error,
      });
    });
  }
}

async function foreignKeys(
  session: SqlSession,
  dialect: SqlDialect,
  names: readonly string[],
): Promise<TablePart[]> {
  const keys = new Map<string, TablePart>();
  for (const name of names)
    for (const part of (await dialect.parts.list(session, dialect.table(name))) ?? [])
      if (part.kind === 'foreign key') keys.set(idOf(part), part);
  return [...keys.values()];
}

function idOf({ table, name }: TablePart): string {
  return `${table} ${name}`;
}
