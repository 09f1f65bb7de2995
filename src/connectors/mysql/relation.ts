/** What a stream reads, resolved against the catalog: table or query, columns, cursor, SQL of its slices. Pure. */
import type { Field, Schema } from '../../core/schema.ts';
import { renamed, type SliceRange, type StreamConfig } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { cursorCondition } from '../shared/cursor-condition.ts';
import { keyCondition, type KeySql } from '../shared/key-sample.ts';
import { quoteBackticks } from '../shared/quote.ts';
import {
  checkColumn,
  checkNamed,
  chosenColumns,
  isUnique,
  refuseMistakes,
} from '../shared/stream-columns.ts';
import { whereBoth } from '../shared/where-clause.ts';
import type { CatalogColumn } from './catalog.ts';
import { hasDate, keyLiteral, literal } from './cursor-sql.ts';
import type { WireFormat } from './row-columns.ts';
import {
  canBeCursor,
  type ColumnMapping,
  lengthOf,
  mapColumn,
  mapForced,
  type TypeSettings,
} from './types.ts';

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
  /** Type of every column of the table, also of those that are not read. */
  types: Record<string, LogicalType>;
}

interface Cursor {
  /** Names as configured. */
  names: string[];
  type: LogicalType;
  /** Indexes of the cursor columns in the schema. */
  fields: number[];
  /** Digits after the second that the columns keep, of the one that keeps fewest. */
  fraction: number;
  /** Whether a row can be without a cursor value. */
  nullable: boolean;
}

export interface RelationInput {
  stream: StreamConfig;
  /** Columns of the table or of the query; key and name of the table. */
  table: { from: string; columns: CatalogColumn[]; key: string[] };
  /** Values are in a table whose columns have these very types. */
  stored: boolean;
  settings: TypeSettings;
}

/** Resolves everything or throws one ConfigError with all that is wrong. */
export function resolveRelation({ stream, table, stored, settings }: RelationInput): Relation {
  const mistakes: string[] = [];
  const columns = chosenColumns(stream, table.columns, mistakes).map((column) => ({
    name: renamed(stream, column.name),
    source: column.name,
    mapping: mapping(column, stream, settings),
    column,
  }));
  const fields: Field[] = columns.map(({ name, column, mapping: m }) => ({
    name,
    type: m.type,
    nullable: column.nullable || mayBecomeNull(m),
    native: column.native,
    ...(stored && !Object.hasOwn(stream.types, column.name) && { length: lengthOf(column.native) }),
  }));
  const key = (stream.key ?? table.key).map((name) => renamed(stream, name));
  for (const name of stream.key ?? []) checkColumn(name, 'key', table.columns, mistakes);
  const cursor = resolveCursor(stream, table.columns, columns, mistakes);
  checkNamed(stream, table.columns, mistakes);
  const names = fields.map((field) => field.name);
  refuseMistakes(stream, names, mistakes);
  const known = key.every((name) => names.includes(name));
  return {
    from: table.from,
    columns,
    schema: { fields, key: known ? key : [], ...(stored && { dialect: 'mysql' }) },
    cursor,
    where: stream.where,
    forced: new Set(
      columns.filter(({ source }) => Object.hasOwn(stream.types, source)).map(({ name }) => name),
    ),
    unique: known && isUnique(stream, table.key),
    types: Object.fromEntries(
      table.columns.map((column) => [column.name, mapColumn(column.name, column.type, settings).type]),
    ),
  };
}

/** Zero dates stand in NOT NULL columns too; so does what does not fit a type that the user pinned. */
function mayBecomeNull(mapped: ColumnMapping): boolean {
  return mapped.format === 'date' || mapped.format === 'datetime' || mapped.format === 'parsed';
}

function mapping(column: CatalogColumn, stream: StreamConfig, settings: TypeSettings): ColumnMapping {
  const forced = Object.hasOwn(stream.types, column.name) ? stream.types[column.name] : undefined;
  return forced === undefined
    ? mapColumn(column.name, column.type, settings)
    : mapForced(column.name, column.type, forced);
}

type Resolved = { source: string; mapping: ColumnMapping; column: CatalogColumn }[];

function resolveCursor(
  stream: StreamConfig,
  all: CatalogColumn[],
  columns: Resolved,
  mistakes: string[],
): Cursor | undefined {
  const names = stream.cursor;
  if (names.length === 0) return undefined;
  const found = names.map((name) => columns.findIndex((column) => column.source === name));
  names.forEach((name, i) => {
    if (found[i]! >= 0) return;
    const before = mistakes.length;
    checkColumn(name, 'cursor', all, mistakes);
    if (mistakes.length === before) mistakes.push(`cursor: "${name}" is not among the columns that are read`);
  });
  if (mistakes.length > 0) return undefined;
  const first = columns[found[0]!]!;
  for (const index of found) {
    const { mapping: m, source, column } = columns[index]!;
    if (!canBeCursor(m.type) || m.format === 'parsed') {
      mistakes.push(
        `cursor: "${source}" is of type ${column.native}; a cursor is a whole number, a date, a datetime or a timestamp`,
      );
    } else if (
      column.type.name !== first.column.type.name ||
      column.type.unsigned !== first.column.type.unsigned
    ) {
      mistakes.push(
        `cursor: "${source}" (${column.native}) and "${first.source}" (${first.column.native}) have different types`,
      );
    }
  }
  return {
    names,
    type: first.mapping.type,
    fields: found,
    fraction: Math.min(6, ...found.map((index) => columns[index]!.column.type.precision)),
    nullable: found.every(
      (index) => columns[index]!.column.nullable || mayBecomeNull(columns[index]!.mapping),
    ),
  };
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
    // There are no pages and no files: a plan never holds them.
    case 'files':
    case 'quarantine':
    case 'all':
    case 'pages':
      return undefined;
    case 'key':
      return [
        keyCondition(keySql(relation, range.columns), range),
        range.since === undefined ? undefined : cursorOf(relation, { kind: 'cursor', from: range.since }),
      ]
        .filter(Boolean)
        .join(' AND ');
    case 'column': {
      const name = quoteBackticks(range.column);
      const value = (text: string): string => literal(text, relation.types[range.column]!);
      const parts = [
        range.from && `${name} >= ${value(range.from)}`,
        range.to && `${name} < ${value(range.to)}`,
        isDated(relation, range.column) && !range.nulls ? hasDate(name) : undefined,
      ];
      const inside = parts.filter(Boolean).join(' AND ') || undefined;
      return inside && range.nulls ? `(${inside} OR ${noValue(relation, range.column)})` : inside;
    }
    case 'condition':
      return range.sql;
    case 'missing':
      return noValue(relation, range.column);
    case 'cursor':
      return cursorOf(relation, range);
  }
}

/** Comparisons of rows are spelled out: the optimizer finds no range of an index by `(a, b) >= (1, 2)`. */
function keySql(relation: Relation, names: string[]): KeySql {
  const columns = names.map(quoteBackticks);
  const compare: KeySql['compare'] = (operator, texts) => {
    const values = texts.map((text, i) => keyLiteral(text, relation.types[names[i]!]!));
    const strict = operator === '<' ? '<' : '>';
    const last = columns.length - 1;
    const steps = columns.map((column, i) =>
      [
        ...columns.slice(0, i).map((before, j) => `${before} = ${values[j]}`),
        `${column} ${i === last ? operator : strict} ${values[i]}`,
      ].join(' AND '),
    );
    return steps.length === 1 ? steps[0]! : `(${steps.map((step) => `(${step})`).join(' OR ')})`;
  };
  return { columns, compare };
}

function cursorOf(relation: Relation, range: Extract<SliceRange, { kind: 'cursor' }>): string | undefined {
  const { names, type } = relation.cursor!;
  return cursorCondition(
    {
      expressions: names.map(quoteBackticks),
      value: (text) => literal(text, type),
      missing: (expression) => missing(expression, type),
      since: (column, from) => `${quoteBackticks(column)} >= ${literal(from, relation.types[column]!)}`,
    },
    range,
  );
}

/** Its values are read as dates, and become NULL where they are none. */
function isDated({ columns }: Relation, column: string): boolean {
  const format = columns.find(({ source }) => source === column)?.mapping.format;
  return format === 'date' || format === 'datetime';
}

export function noValue(relation: Relation, column: string): string {
  const name = quoteBackticks(column);
  return isDated(relation, column) ? `(${hasDate(name)}) IS NOT TRUE` : `${name} IS NULL`;
}

/** The date 0000-00-00 is no value either. */
function missing(expression: string, type: LogicalType): string {
  const time = type.kind === 'timestamp' || type.kind === 'date';
  return time ? `(${expression} IS NULL OR ${expression} = 0)` : `${expression} IS NULL`;
}

/** Rows without a cursor value. */
export function nullCondition({ cursor }: Relation): string {
  return cursor!.names.map((name) => missing(quoteBackticks(name), cursor!.type)).join(' AND ');
}

export function wireFormats(relation: Relation): WireFormat[] {
  return relation.columns.map(({ mapping: m }) => m.format);
}
