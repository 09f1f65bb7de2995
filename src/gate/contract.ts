/** How the table's schema follows the source's. Columns are added and widened, never dropped or narrowed. Pure. */
import { SchemaError } from '../core/errors.ts';
import type { Field, Schema } from '../core/schema.ts';
import { renderType, sameType, widen } from '../core/types.ts';

export interface Evolution {
  schema: Schema;
  /** For people: `+ loyalty_tier utf8`, `total int32 → int64`. */
  changes: string[];
}

/**
 * The table's schema after a load of `incoming`; throws SchemaError naming every column that cannot follow. `keeps`: not even
 * a full refresh makes the table anew.
 */
export function evolve(
  table: Schema | undefined,
  incoming: Schema,
  stream: string,
  keeps: boolean = false,
): Evolution {
  if (!table || table.fields.length === 0) return { schema: incoming, changes: [] };
  const changes: string[] = [];
  const conflicts: string[] = [];
  const before = new Map(table.fields.map((field) => [field.name, field]));
  const fields = incoming.fields.map((field): Field => {
    const was = before.get(field.name);
    before.delete(field.name);
    if (!was) {
      changes.push(`+ ${field.name} ${renderType(field.type)}`);
      return { ...field, nullable: true };
    }
    return follow(was, field, { changes, conflicts });
  });
  for (const missing of before.values()) {
    // Rows that were loaded keep their values; new ones have none. What is not in the source has no type there, so that
    // this is said once.
    if (!missing.nullable || missing.native !== undefined)
      changes.push(`${missing.name} is gone from the source and becomes NULL`);
    fields.push({ ...missing, nullable: true, native: undefined });
  }
  // Rows that are there were told apart by the old key, and may have no value in a new one.
  if (table.key.length > 0 && !sameNames(table.key, incoming.key)) {
    conflicts.push(
      `the key was (${table.key.join(', ')}) and is now ${incoming.key.length > 0 ? `(${incoming.key.join(', ')})` : 'gone'}`,
    );
  }
  if (conflicts.length > 0) {
    throw new SchemaError(`loading ${stream}: ${conflicts.join('; ')}`, {
      code: 'schema.incompatible',
      remedy: `keep the old type with \`types:\` or the old key with \`key:\` in the stream, give the new column another name with \`rename:\`, or ${keeps ? 'give the stream another `table`' : 'load again with --full-refresh'}`,
      details: { stream, conflicts },
    });
  }
  return { schema: { ...incoming, fields }, changes };
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

function follow(was: Field, is: Field, found: { changes: string[]; conflicts: string[] }): Field {
  const nullable = was.nullable || is.nullable;
  if (sameType(was.type, is.type)) return { ...is, nullable };
  const type = widen(was.type, is.type);
  if (!type) {
    found.conflicts.push(
      `column "${is.name}" was ${renderType(was.type)} and is now ${renderType(is.type)} (${is.native ?? 'unknown'}), which do not fit one type`,
    );
    return is;
  }
  if (!sameType(type, was.type))
    found.changes.push(`${is.name} ${renderType(was.type)} → ${renderType(type)}`);
  return { ...is, type, nullable };
}
