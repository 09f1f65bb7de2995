/** What a stream reads, resolved against the catalog: relation or query, columns, cursor, SQL of its slices. Pure. */
import type { Field, Schema } from '../../core/schema.ts';
import { renamed, type SliceRange, type StreamConfig } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { cursorCondition } from '../shared/cursor-condition.ts';
import { keyCondition } from '../shared/key-sample.ts';
import { quoteName, quoteText } from '../shared/quote.ts';
import {
  checkColumn,
  checkNamed,
  chosenColumns,
  isUnique,
  refuseMistakes,
} from '../shared/stream-columns.ts';
import { whereBoth } from '../shared/where-clause.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import type { WireFormat } from './copy-columns.ts';
import { columnType } from './target-types.ts';
import { canBeCursor, type ColumnMapping, lengthOf, mapColumn, mapForced, mapKept } from './types.ts';

/** Destination column that keeps the 64-bit xmin of streams with `cursor: xmin`. */
const XMIN_COLUMN = '_sluice_xmin';

export interface Relation {
  /** Body of a FROM clause. */
  from: string;
  columns: { name: string; mapping: ColumnMapping; source: string; column: CatalogColumn }[];
  schema: Schema;
  cursor: Cursor | undefined;
  where: string | undefined;
  /** Names of columns whose type is pinned by `types`. */
  forced: ReadonlySet<string>;
  /** The catalog says that no two rows have the same key. */
  unique: boolean;
  /** SQL of the transaction that wrote a row, in 64 bits; only for tables. */
  xmin: string;
}

export interface Cursor {
  /** Names as configured. */
  names: string[];
  /** SQL expressions, one per name. */
  expressions: string[];
  type: LogicalType;
  /** SQL type that literals are cast to. */
  cast: string;
  /** Indexes of the cursor columns in the schema. */
  fields: number[];
  /** The system column xmin. */
  system: boolean;
}

export interface RelationInput {
  stream: StreamConfig;
  /** Columns of the table or of the query; key and name of the table. */
  table: Pick<CatalogTable, 'columns' | 'key'> & { from: string };
  /** Texts are as long as their columns say, and no longer. */
  sized: boolean;
  /** Whether the server vouches for valid UTF-8. */
  checked: boolean;
  /** First transaction id that was not yet given out, for xmin. */
  nextXid: string;
  /** Rows go to another PostgreSQL as they are. */
  direct: boolean;
}

/** Resolves everything or throws one ConfigError with all that is wrong. */
export function resolveRelation(input: RelationInput): Relation {
  const { stream, table } = input;
  const mistakes: string[] = [];
  const columns = chosenColumns(stream, table.columns, mistakes).map((column) => ({
    name: renamed(stream, column.name),
    source: column.name,
    mapping: mapping(column, input),
    column,
  }));
  const fields: Field[] = columns.map(({ name, column, mapping: m }) => ({
    name,
    type: m.type,
    nullable: column.nullable,
    native: m.target ?? column.native,
    ...(input.sized && !Object.hasOwn(stream.types, column.name) && { length: lengthOf(column.type) }),
  }));
  const key = (stream.key ?? table.key).map((name) => renamed(stream, name));
  for (const name of stream.key ?? []) checkColumn(name, 'key', table.columns, mistakes);
  const cursor = resolveCursor(input, columns, fields, mistakes);
  checkNamed(stream, table.columns, mistakes);
  const names = fields.map((field) => field.name);
  refuseMistakes(stream, names, mistakes, XMIN_COLUMN);
  const known = key.every((name) => names.includes(name));
  return {
    from: table.from,
    columns,
    schema: { fields, key: known ? key : [], ...(input.direct && { dialect: 'postgres' }) },
    cursor,
    where: stream.where,
    forced: new Set(
      columns.filter(({ source }) => Object.hasOwn(stream.types, source)).map(({ name }) => name),
    ),
    unique: known && isUnique(stream, table.key),
    xmin: xminSql(input.nextXid),
  };
}

/** `target` is the type of the destination's column, for rows that go as they are. */
function mapping(
  column: CatalogColumn,
  { stream, checked, direct }: RelationInput,
): ColumnMapping & { target?: string | undefined } {
  const { name, type, base } = column;
  const forced = Object.hasOwn(stream.types, name) ? stream.types[name] : undefined;
  if (forced !== undefined) {
    const mapped = mapForced(name, type, forced, checked);
    return { ...mapped, target: direct ? columnType(mapped.type) : undefined };
  }
  return direct ? mapKept(name, { native: type, base }) : mapColumn(name, type, checked);
}

type Resolved = { name: string; source: string; mapping: ColumnMapping; column: CatalogColumn }[];

function resolveCursor(
  input: RelationInput,
  columns: Resolved,
  fields: Field[],
  mistakes: string[],
): Cursor | undefined {
  const names = input.stream.cursor;
  if (names.length === 0) return undefined;
  if (names.length === 1 && names[0] === 'xmin' && !input.table.columns.some((c) => c.name === 'xmin')) {
    return xminCursor(input, columns, fields);
  }
  const found = names.map((name) => columns.findIndex((column) => column.source === name));
  names.forEach((name, i) => {
    if (found[i]! < 0) checkColumn(name, 'cursor', input.table.columns, mistakes);
    if (found[i]! < 0 && mistakes.length === 0)
      mistakes.push(`cursor: "${name}" is not among the columns that are read`);
  });
  if (mistakes.length > 0) return undefined;
  const first = columns[found[0]!]!;
  for (const index of found) {
    const { mapping: m, source, column } = columns[index]!;
    if (!canBeCursor(m.type)) {
      mistakes.push(
        `cursor: "${source}" is of type ${column.native}; a cursor is a whole number, a date or a timestamp (xmin works for every table)`,
      );
    } else if (column.native !== first.column.native) {
      mistakes.push(
        `cursor: "${source}" (${column.native}) and "${first.source}" (${first.column.native}) have different types`,
      );
    }
  }
  return {
    names,
    expressions: names.map(quoteName),
    type: first.mapping.type,
    cast: first.column.native,
    fields: found,
    system: false,
  };
}

/** xmin has 32 bits; the upper ones follow from the next id to be given out, since no row is newer than that. */
export function xminSql(nextXid: string, alias?: string): string {
  const xmin = alias === undefined ? 'xmin' : `${alias}.xmin`;
  return `(${nextXid}::int8 - ((${nextXid}::int8 - ${xmin}::text::int8) & 4294967295))`;
}

/** It becomes a column of the stream, so that what was loaded can be recognised. */
function xminCursor(input: RelationInput, columns: Resolved, fields: Field[]): Cursor {
  const expression = xminSql(input.nextXid);
  const type: LogicalType = { kind: 'int64' };
  columns.push({
    name: XMIN_COLUMN,
    source: XMIN_COLUMN,
    mapping: { type, format: 'int8', select: expression },
    column: {
      name: XMIN_COLUMN,
      native: 'xid8',
      base: 'bigint',
      type: { name: 'int8', schema: 'pg_catalog', sort: 'b', category: 'N', modifier: -1 },
      nullable: false,
      generated: false,
      identity: false,
      readable: true,
    },
  });
  fields.push({ name: XMIN_COLUMN, type, nullable: false, native: input.direct ? 'bigint' : 'xid8' });
  return {
    names: ['xmin'],
    expressions: [expression],
    type,
    cast: 'int8',
    fields: [columns.length - 1],
    system: true,
  };
}

/** The SELECT of the greatest cursor value of a slice, as text. */
export function highSql(relation: Relation, cursor: Cursor, range: SliceRange): string {
  // The end of an index answers for a column, not for an expression.
  const [first, ...others] = cursor.expressions;
  const greatest = others.length === 0 ? first : `greatest(${cursor.expressions.join(', ')})`;
  return `SELECT max(${greatest})::text AS high FROM ${relation.from}${whereClause(relation, range)}`;
}

/** The SELECT that reads a slice. */
export function sliceSql(relation: Relation, range: SliceRange): string {
  const list = relation.columns.map(({ mapping: m }) => m.select).join(', ');
  return `SELECT ${list} FROM ${relation.from}${whereClause(relation, range)}`;
}

export function whereClause(relation: Relation, range: SliceRange): string {
  return whereBoth(relation.where, rangeCondition(relation, range));
}

export function rangeCondition(relation: Relation, range: SliceRange): string | undefined {
  switch (range.kind) {
    // Tables have none: a plan never holds them.
    case 'files':
    case 'quarantine':
    case 'all':
      return undefined;
    case 'pages':
      return allOf([
        `ctid >= '(${range.from},0)'::tid`,
        range.to === undefined ? undefined : `ctid < '(${range.to},0)'::tid`,
        sinceXid(relation, range.since),
      ]);
    case 'key': {
      const columns = range.columns.map(quoteName);
      const row = (values: readonly string[]): string =>
        values.length > 1 ? `(${values.join(', ')})` : values[0]!;
      const compare = (operator: string, values: readonly string[]): string =>
        `${row(columns)} ${operator} ${row(values.map(quoteText))}`;
      return allOf([keyCondition({ columns, compare }, range), sinceXid(relation, range.since)]);
    }
    case 'column': {
      const name = quoteName(range.column);
      const parts = [
        range.from && `${name} >= ${quoteText(range.from)}`,
        range.to && `${name} < ${quoteText(range.to)}`,
      ];
      const inside = parts.filter(Boolean).join(' AND ') || undefined;
      return inside && range.nulls ? `(${inside} OR ${name} IS NULL)` : inside;
    }
    case 'condition':
      return range.sql;
    case 'missing':
      return `${quoteName(range.column)} IS NULL`;
    case 'cursor':
      return allOf([cursorOf(relation, range), sinceXid(relation, range.writtenFrom)]);
  }
}

function cursorOf(relation: Relation, range: Extract<SliceRange, { kind: 'cursor' }>): string | undefined {
  return cursorCondition(
    {
      expressions: relation.cursor!.expressions,
      value: (text) => `${quoteText(text)}::${relation.cursor!.cast}`,
      missing: (expression) => `${expression} IS NULL`,
      since: (column, from) => `${quoteName(column)} >= ${quoteText(from)}`,
    },
    range,
  );
}

function sinceXid({ xmin }: Relation, since: string | undefined): string | undefined {
  return since === undefined ? undefined : `${xmin} >= ${quoteText(since)}::int8`;
}

function allOf(conditions: readonly (string | undefined)[]): string | undefined {
  return conditions.filter((condition) => condition !== undefined).join(' AND ') || undefined;
}

export function wireFormats(relation: Relation): WireFormat[] {
  return relation.columns.map(({ mapping: m }) => m.format);
}
