/** What has changed from one schema of a table to the next: for plans, summaries and the history, all by the same rules. Pure. */
import { type Schema, type SchemaJson, schemaFromJson } from './schema.ts';
import type { Field } from './schema.ts';
import { renderType, sameType, widen } from './types.ts';

/**
 * - `added`, `widened`, `nullable`, `required`: the column of the table
 * - `gone`, `back`: the column of the source; that of the table stays
 * - `moved`: values of the column go to another one from now on, or to itself again
 * - `renamed`: the column of the source by which it is filled
 * - `native`: only the source's own name for the type
 * - `retyped`, `dropped`: the table was made anew
 */
export interface ColumnChange {
  kind:
    | 'added'
    | 'widened'
    | 'nullable'
    | 'required'
    | 'gone'
    | 'back'
    | 'moved'
    | 'renamed'
    | 'native'
    | 'retyped'
    | 'dropped'
    | 'key';
  /** Of the table; of a key, its columns. */
  column: string;
  from?: string | undefined;
  to?: string | undefined;
}

/** One version of a table's columns, kept with the table. */
export interface SchemaVersion {
  /** From 1. */
  version: number;
  /** Number of the commit that brought it. */
  commit: number;
  /** Database time of what was read, ISO 8601. */
  at: string;
  run: string | undefined;
  /** What is other than in the version before; empty for the first one. */
  changes: ColumnChange[];
}

export function schemaChanges(before: Schema, after: Schema): ColumnChange[] {
  const old = new Map(before.fields.map((field) => [field.name, field]));
  const changes: ColumnChange[] = [];
  for (const field of after.fields) {
    const was = old.get(field.name);
    old.delete(field.name);
    if (!was) changes.push({ kind: 'added', column: field.name, to: renderType(field.type) });
    else changes.push(...typeChanges(was, field), ...sourceChanges(was, field));
  }
  // Columns beside others come and go with the values of those.
  const fields = [...before.fields, ...after.fields];
  const families = new Set(fields.flatMap(({ of }) => (of === undefined ? [] : [of])));
  const own = changes.filter(
    ({ kind, column }) => !((kind === 'gone' || kind === 'back') && isBeside(column, after, families)),
  );
  for (const column of families) {
    const [from, to] = [homeOf(before, column), homeOf(after, column)];
    if (from === to) continue;
    if (from === undefined || to === undefined)
      own.push({ kind: to === undefined ? 'gone' : 'back', column });
    else own.push({ kind: 'moved', column, from, to });
  }
  for (const column of old.keys()) own.push({ kind: 'dropped', column });
  if (!sameNames(before.key, after.key))
    own.push({ kind: 'key', column: after.key.join(', '), from: before.key.join(', ') });
  return own;
}

export function changeText({ kind, column, from = '', to = '' }: ColumnChange): string {
  switch (kind) {
    case 'added':
      return `+ ${column} ${to}`;
    case 'widened':
    case 'retyped':
      return `${column} ${from} → ${to}`;
    case 'nullable':
      return `${column} may be NULL`;
    case 'required':
      return `${column} is never NULL`;
    case 'gone':
      return `${column} is gone from the source and becomes NULL`;
    case 'back':
      return `${column} is back in the source`;
    case 'moved':
      return column === to ? `${column} takes its values again` : `${column} goes to ${to}`;
    case 'renamed':
      return `${column} is ${to} in the source`;
    case 'native':
      return `${column} ${from} → ${to} in the source`;
    case 'dropped':
      return `- ${column}`;
    case 'key':
      return `key (${from}) → (${column})`;
  }
}

/** The versions of a table after a commit; `before` is undefined for its first one. */
export function nextVersions(
  versions: readonly SchemaVersion[],
  { before, after }: { before: Schema | undefined; after: Schema },
  commit: Omit<SchemaVersion, 'version' | 'changes'>,
): readonly SchemaVersion[] {
  const changes = before ? schemaChanges(before, after) : [];
  if (before && changes.length === 0) return versions;
  // A table whose first version was not written down has had one.
  const last = versions.at(-1)?.version ?? (before ? 1 : 0);
  return [...versions, { version: last + 1, ...commit, changes }];
}

export function changesOfJson(before: SchemaJson | undefined, after: SchemaJson): ColumnChange[] {
  return before ? schemaChanges(schemaFromJson(before), schemaFromJson(after)) : [];
}

/** The column that takes the values of a column of the source now; undefined: the source has it no more. */
function homeOf({ fields }: Schema, column: string): string | undefined {
  return fields.find(({ name, of, gone }) => (of ?? name) === column && !gone)?.name;
}

export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

function isBeside(column: string, { fields }: Schema, families: ReadonlySet<string>): boolean {
  return families.has(fields.find(({ name }) => name === column)?.of ?? column);
}

function typeChanges(was: Field, is: Field): ColumnChange[] {
  const changes: ColumnChange[] = [];
  const column = is.name;
  if (!sameType(was.type, is.type)) {
    const both = widen(was.type, is.type);
    const kind = both && sameType(both, is.type) ? 'widened' : 'retyped';
    changes.push({ kind, column, from: renderType(was.type), to: renderType(is.type) });
  } else if (was.length !== undefined && was.length !== is.length && !is.gone) {
    const kind = is.length === undefined || is.length > was.length ? 'widened' : 'retyped';
    const unit = is.type.kind === 'binary' ? 'bytes' : 'characters';
    changes.push({ kind, column, from: `${was.length}`, to: `${is.length ?? 'any number of'} ${unit}` });
  } else if (was.native !== undefined && is.native !== undefined && was.native !== is.native)
    changes.push({ kind: 'native', column, from: was.native, to: is.native });
  // What is gone has no value in new rows, which goes without saying.
  if (was.nullable !== is.nullable && !is.gone)
    changes.push({ kind: is.nullable ? 'nullable' : 'required', column });
  return changes;
}

function sourceChanges(was: Field, is: Field): ColumnChange[] {
  const column = is.name;
  if ((was.gone ?? false) !== (is.gone ?? false)) return [{ kind: is.gone ? 'gone' : 'back', column }];
  const [from, to] = [was.source ?? was.name, is.source ?? is.name];
  return from === to ? [] : [{ kind: 'renamed', column, from, to }];
}
