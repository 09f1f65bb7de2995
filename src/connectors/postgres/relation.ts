/** What a stream reads, resolved against the catalog: relation or query, columns, cursor, SQL of its slices. Pure. */
import { ConfigError } from '../../core/errors.ts';
import type { Field, Schema } from '../../core/schema.ts';
import { renamed, type SliceRange, type StreamConfig } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { quoteName, quoteText } from '../shared/quote.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import type { WireFormat } from './copy-columns.ts';
import { columnType } from './target-types.ts';
import { canBeCursor, type ColumnMapping, mapColumn, mapForced, mapKept } from './types.ts';

/** Destination column that keeps the 64-bit xmin of streams with `cursor: xmin`. */
const XMIN_COLUMN = '_sluice_xmin';

export interface Relation {
  /** Body of a FROM clause. */
  from: string;
  columns: { name: string; mapping: ColumnMapping; source: string }[];
  schema: Schema;
  cursor: Cursor | undefined;
  where: string | undefined;
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
  }));
  const key = (stream.key ?? table.key).map((name) => renamed(stream, name));
  for (const name of stream.key ?? []) checkColumn(name, 'key', table.columns, mistakes);
  const cursor = resolveCursor(input, columns, fields, mistakes);
  for (const [option, name] of [
    ['lookback', stream.lookback?.column],
    ['date', stream.date?.column],
  ] as const) {
    if (name !== undefined) checkColumn(name, option, table.columns, mistakes);
  }
  const names = fields.map((field) => field.name);
  const double = names.find((name, i) => names.indexOf(name) !== i);
  if (double !== undefined) mistakes.push(`two columns would be called "${double}"`);
  if (fields.length === 0) mistakes.push('no column is left to read');
  for (const name of names) {
    if (/^_sluice_/i.test(name) && name !== XMIN_COLUMN)
      mistakes.push(
        `a column is called "${name}", and names with _sluice_ are ours; give it another one with \`rename\``,
      );
  }
  if (mistakes.length > 0) {
    throw new ConfigError(`planning ${stream.name}: ${mistakes.join('; ')}`, {
      code: 'stream.invalid',
      remedy: 'correct the stream in the project, or leave it out by `false` in place of its options',
      details: { mistakes },
    });
  }
  const known = key.every((name) => names.includes(name));
  return {
    from: table.from,
    columns,
    schema: { fields, key: known ? key : [], ...(input.direct && { dialect: 'postgres' }) },
    cursor,
    where: stream.where,
    xmin: xminSql(input.nextXid),
  };
}

function chosenColumns(stream: StreamConfig, all: CatalogColumn[], mistakes: string[]): CatalogColumn[] {
  const { include, exclude } = stream.columns ?? {};
  for (const name of include ?? []) checkColumn(name, 'columns', all, mistakes);
  for (const name of exclude ?? []) checkColumn(name, 'columns.exclude', all, mistakes);
  for (const name of Object.keys(stream.rename)) checkColumn(name, 'rename', all, mistakes);
  for (const name of Object.keys(stream.types)) checkColumn(name, 'types', all, mistakes);
  return all.filter((c) => (!include || include.includes(c.name)) && !exclude?.includes(c.name));
}

function checkColumn(name: string, option: string, all: CatalogColumn[], mistakes: string[]): void {
  if (all.some((column) => column.name === name)) return;
  mistakes.push(
    `${option}: there is no column "${name}" (there are ${all
      .map((column) => `"${column.name}"`)
      .slice(0, 20)
      .join(', ')})`,
  );
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
function xminSql(nextXid: string): string {
  return `(${nextXid}::int8 - ((${nextXid}::int8 - xmin::text::int8) & 4294967295))`;
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
  return `SELECT max(greatest(${cursor.expressions.join(', ')}))::text AS high FROM ${relation.from}${whereClause(relation, range)}`;
}

/** The SELECT that reads a slice. */
export function sliceSql(relation: Relation, range: SliceRange): string {
  const list = relation.columns.map(({ mapping: m }) => m.select).join(', ');
  return `SELECT ${list} FROM ${relation.from}${whereClause(relation, range)}`;
}

export function whereClause(relation: Relation, range: SliceRange): string {
  const conditions = [
    relation.where === undefined ? undefined : `(${relation.where})`,
    rangeCondition(relation, range),
  ].filter((c) => c !== undefined);
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

function rangeCondition(relation: Relation, range: SliceRange): string | undefined {
  switch (range.kind) {
    case 'all':
      return undefined;
    case 'pages':
      return [
        `ctid >= '(${range.from},0)'::tid`,
        ...(range.to === undefined ? [] : [`ctid < '(${range.to},0)'::tid`]),
        ...(range.since === undefined ? [] : [`${relation.xmin} >= ${quoteText(range.since)}::int8`]),
      ].join(' AND ');
    case 'column': {
      const name = quoteName(range.column);
      const parts = [
        range.from && `${name} >= ${quoteText(range.from)}`,
        range.to && `${name} < ${quoteText(range.to)}`,
      ];
      return parts.filter(Boolean).join(' AND ') || undefined;
    }
    case 'cursor':
      return cursorCondition(relation.cursor!, range);
  }
}

type CursorRange = Extract<SliceRange, { kind: 'cursor' }>;

/** The cursor of a row is the greatest of its columns, NULLs ignored. */
function cursorCondition(cursor: Cursor, range: CursorRange): string | undefined {
  const value = (text: string): string => `${quoteText(text)}::${cursor.cast}`;
  const some = (operator: string, text: string): string =>
    `(${cursor.expressions.map((e) => `${e} ${operator} ${value(text)}`).join(' OR ')})`;
  const allNull = `(${cursor.expressions.map((e) => `${e} IS NULL`).join(' AND ')})`;
  const upper: string[] = [];
  if (range.upTo !== undefined) upper.push(`${some('>', range.upTo)} IS NOT TRUE`);
  if (range.to !== undefined) upper.push(`${some('>=', range.to)} IS NOT TRUE`);
  const lower: string[] = [];
  if (range.above !== undefined) lower.push(some('>', range.above));
  else if (range.from !== undefined) lower.push(some('>=', range.from));
  // Without a lower bound every row with a cursor value qualifies.
  if (lower.length === 0) {
    if (!range.nulls) upper.push(`NOT ${allNull}`);
    return upper.join(' AND ') || undefined;
  }
  if (range.nulls) lower.push(allNull);
  if (range.since) lower.push(`${quoteName(range.since.column)} >= ${quoteText(range.since.from)}`);
  return [...upper, lower.length > 1 ? `(${lower.join(' OR ')})` : lower[0]!].join(' AND ');
}

export function wireFormats(relation: Relation): WireFormat[] {
  return relation.columns.map(({ mapping: m }) => m.format);
}
