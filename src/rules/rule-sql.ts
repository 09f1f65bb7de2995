/** The rules of a stream as SQL of DuckDB. In: the columns, and what DuckDB says of the expressions. Out: one query for each batch. Pure. */
import type { Field, Schema } from '../core/schema.ts';
import type { RowRules } from '../core/stream.ts';
import type { LogicalType } from '../core/types.ts';
import { mapExpression } from '../connectors/shared/duckdb/column-types.ts';
import { distinctNames, duckName, duckType, sourceColumn } from '../duckdb/types.ts';

/** An expression, and the name that DuckDB has for its type. */
export interface ComputedColumn {
  readonly name: string;
  readonly expression: string;
  readonly native: string;
}

/** Rules whose expressions DuckDB has understood; plain data. */
export interface ReadyRules {
  readonly computed: readonly ComputedColumn[];
  readonly checks: readonly { readonly name: string; readonly expression: string }[];
}

/** Why a row goes aside. */
export interface Verdict {
  readonly column: string | undefined;
  readonly code: string;
  readonly reason: string;
}

/** On lines of its own, so that a comment at its end ends there. */
function inside(expression: string): string {
  return `(${expression}\n)`;
}

function typed({ expression, native }: ComputedColumn): { sql: string; type: LogicalType } {
  return mapExpression(inside(expression), native);
}

/** A row of nothing but NULL, with these columns: enough to find out what an expression over them is. */
export function emptyRow({ fields }: Schema, computed: readonly ComputedColumn[] = []): string {
  const names = distinctNames(fields.map(({ name }) => name));
  const columns = fields.map(({ type }, i) => `CAST(NULL AS ${duckType(type)}) AS ${duckName(names[i]!)}`);
  const added = computed.map((column) => ({ name: column.name, type: typed(column).type }));
  const kept = columns.filter((_, i) => !added.some(({ name }) => sameName(name, names[i]!)));
  const made = added.map(({ name, type }) => `CAST(NULL AS ${duckType(type)}) AS ${duckName(name)}`);
  return `(SELECT ${[...kept, ...made].join(', ')})`;
}

/** DuckDB tells names apart without their capitals. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Fields of the rows that leave: those that came, some with other values, and new ones behind them. */
export function ruledFields(fields: readonly Field[], computed: readonly ComputedColumn[]): Field[] {
  const made = (column: ComputedColumn, name: string): Field => ({
    name,
    type: typed(column).type,
    nullable: true,
  });
  const replaced = fields.map((field) => {
    const column = computed.find(({ name }) => sameName(name, field.name));
    return column ? made(column, field.name) : field;
  });
  const added = computed.filter(({ name }) => !fields.some((field) => sameName(field.name, name)));
  return [...replaced, ...added.map((column) => made(column, column.name))];
}

/** For each field of {@link ruledFields}: the column of the source, or the number of the computed one. */
export function placesOf(
  fields: readonly Field[],
  computed: readonly ComputedColumn[],
): { computed: boolean; index: number }[] {
  return ruledFields(fields, computed).map(({ name }, place) => {
    const index = computed.findIndex((column) => sameName(column.name, name));
    return index < 0 ? { computed: false, index: place } : { computed: true, index };
  });
}

/** Types of the columns of {@link rulesQuery}. */
export function queryTypes({ computed }: ReadyRules): LogicalType[] {
  return [{ kind: 'int16' }, ...computed.map((column) => typed(column).type)];
}

/**
 * A number for each row and the values of the computed columns. The number is 0, or says by {@link verdictOf} why the row goes aside.
 * What cannot be computed for a row is an error of that row alone: TRY makes NULL of it, and of nothing else what is around a value.
 */
export function rulesQuery(table: string, { fields }: Schema, { computed, checks }: ReadyRules): string {
  const names = distinctNames(fields.map(({ name }) => name));
  const given = names.map((name, i) => `${sourceColumn(i)} AS ${duckName(name)}`);
  const tried = computed.map((_, i) => duckName(`_sluice_tried_${i}`));
  const errors = tried.map((value, i) => `CASE WHEN ${value} IS NULL THEN ${1 + i} END`);
  const first = 1 + computed.length;
  const broken = checks.map(
    ({ expression }, i) =>
      `CASE TRY(coalesce(${inside(expression)}, true)) WHEN true THEN NULL WHEN false THEN ${first + 2 * i} ELSE ${first + 2 * i + 1} END`,
  );
  const verdict = `CAST(coalesce(${[...errors, ...broken, '0'].join(', ')}) AS SMALLINT)`;
  const values = tried.map((value) => `struct_extract(${value}, 'value')`);
  return `SELECT ${[verdict, ...values].join(', ')} FROM ${withComputed(`(SELECT ${given.join(', ')} FROM ${table})`, names, computed)}`;
}

/** One query within the other, or what a column is made of would be computed again for each that names it. */
function withComputed(rows: string, names: readonly string[], computed: readonly ComputedColumn[]): string {
  let made = rows;
  const replaced: string[] = [];
  const instead: string[] = [];
  for (const [i, column] of computed.entries()) {
    const tried = duckName(`_sluice_tried_${i}`);
    const value = `struct_extract(${tried}, 'value') AS ${duckName(column.name)}`;
    made = `(SELECT *, TRY({'value': ${typed(column).sql}}) AS ${tried} FROM ${made})`;
    const source = names.find((name) => sameName(name, column.name));
    if (source === undefined) made = `(SELECT *, ${value} FROM ${made})`;
    else {
      replaced.push(duckName(source));
      instead.push(value);
    }
  }
  // Expressions of other columns mean what the source has, checks what the table gets.
  return replaced.length === 0
    ? made
    : `(SELECT * EXCLUDE (${replaced.join(', ')}), ${instead.join(', ')} FROM ${made})`;
}

/** What a number of {@link rulesQuery} says. */
export function verdictOf(number: number, { computed, checks }: ReadyRules): Verdict {
  const column = computed[number - 1]?.name;
  if (column !== undefined) return { column, code: 'row.compute', reason: `${column} cannot be computed` };
  const place = number - 1 - computed.length;
  const { name } = checks[place >> 1]!;
  const reason = place % 2 === 0 ? `check ${name} is not met` : `check ${name} cannot be computed`;
  return { column: undefined, code: 'row.check', reason };
}

/** Rules as they are written, in their order. */
export function writtenRules({ checks, compute }: RowRules): {
  checks: { name: string; expression: string }[];
  compute: { name: string; expression: string }[];
} {
  const list = (rules: Readonly<Record<string, string>>): { name: string; expression: string }[] =>
    Object.entries(rules).map(([name, expression]) => ({ name, expression }));
  return { checks: list(checks), compute: list(compute) };
}
