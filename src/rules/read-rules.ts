/** Asks DuckDB what the expressions of rules are. Nothing is computed: the row that they are held against is empty. */
import type { Schema } from '../core/schema.ts';
import type { RowRules } from '../core/stream.ts';
import type { Session } from '../duckdb/session.ts';
import { type ComputedColumn, emptyRow, type ReadyRules, writtenRules } from './rule-sql.ts';

/** Every mistake at once, each with its path; without any there are rules. */
export type FoundRules = ReadyRules & { readonly mistakes: readonly string[] };

export async function readRules(session: Session, schema: Schema, rules: RowRules): Promise<FoundRules> {
  const { checks, compute } = writtenRules(rules);
  const mistakes: string[] = [];
  const computed: ComputedColumn[] = [];
  for (const { name, expression } of compute) {
    // Of the columns that are computed before it, those that are no column of the source can be named.
    const known = computed.filter((column) => !has(schema, column.name));
    const found = await typeOf(session, expression, emptyRow(schema, known));
    if ('mistake' in found) mistakes.push(`compute.${name}: ${found.mistake}`);
    else computed.push({ name, expression, native: found.native });
  }
  for (const { name, expression } of checks) {
    const found = await typeOf(session, expression, emptyRow(schema, computed));
    if ('mistake' in found) {
      // Its column is missing because of a mistake that is told already.
      const follows = compute.some((each) => found.mistake.startsWith(`there is no column "${each.name}"`));
      if (!follows) mistakes.push(`checks.${name}: ${found.mistake}`);
    } else if (found.native !== 'BOOLEAN')
      mistakes.push(`checks.${name}: it is of type ${found.native}, and a check is true or false`);
  }
  return { computed, checks, mistakes };
}

function has({ fields }: Schema, name: string): boolean {
  return fields.some((field) => field.name.toLowerCase() === name.toLowerCase());
}

async function typeOf(
  session: Session,
  expression: string,
  row: string,
): Promise<{ native: string } | { mistake: string }> {
  // What is asked of all rows at once, such as sum(), is refused in a condition and would pass in a list of columns; TRY
  // refuses what is another value each time, and other tables.
  for (const sql of [
    `SELECT 1 AS value FROM ${row} WHERE (${expression}\n) IS NULL`,
    `SELECT TRY((${expression}\n)) AS value FROM ${row}`,
  ]) {
    try {
      const [column] = await session.columns(sql, 'reading an expression');
      if (sql.includes('TRY(')) return { native: column!.type };
    } catch (error) {
      return { mistake: mistakeOf(error) };
    }
  }
  return { mistake: 'it has no value' };
}

const WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /WHERE clause cannot contain (?:aggregates|window functions)/,
    'it is computed for each row, and can hold neither aggregates nor window functions',
  ],
  [/volatile function/, 'it would have another value each time, as random() has'],
  [/scalar subquery|correlated/i, 'it cannot hold a query'],
];

/** The words of DuckDB, which are of names and types only: no row has been looked at. */
function mistakeOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const text = cause instanceof Error ? cause.message : String(error);
  const [, column] = /Referenced column "(.*?)" not found/.exec(text) ?? [];
  if (column !== undefined) {
    const [, near] = /Candidate bindings: "(.*?)"/.exec(text) ?? [];
    return `there is no column "${column}"${near === undefined ? '' : `; did you mean "${near}"?`}`;
  }
  const known = WORDS.find(([pattern]) => pattern.test(text));
  if (known) return known[1];
  const [line = ''] = text.split('\n');
  const said = line.replace(/^[A-Z][A-Za-z ]*Error: /, '');
  return said.charAt(0).toLowerCase() + said.slice(1);
}
