/** What a stream reads of a table of DuckDB, or of files: columns, cursor, SQL of its slices. Pure. */
import type { Within } from '../../../core/compare.ts';
import { InternalError } from '../../../core/errors.ts';
import type { Field, Schema } from '../../../core/schema.ts';
import { renamed, type SliceRange, type StreamConfig } from '../../../core/stream.ts';
import { type LogicalType, sameType } from '../../../core/types.ts';
import { duckText, duckType } from '../../../duckdb/types.ts';
import { cursorCondition } from '../cursor-condition.ts';
import { parseCursor, renderCursor } from '../cursor-value.ts';
import { checkColumn, chosenColumns, refuseMistakes } from '../stream-columns.ts';
import { whereBoth } from '../where-clause.ts';

export interface Relation {
  columns: { name: string; source: string; sql: string }[];
  schema: Schema;
  cursor: Cursor | undefined;
  where: string | undefined;
  /** SQL and type of every column, also of those that are not read, by name. */
  known: ReadonlyMap<string, Known>;
}

interface Cursor {
  names: string[];
  expressions: string[];
  type: LogicalType;
  /** Whether a row can be without a cursor value. */
  nullable: boolean;
}

export interface Known {
  name: string;
  sql: string;
  type: LogicalType;
  nullable: boolean;
}

interface RelationInput {
  stream: StreamConfig;
  columns: Known[];
  key: readonly string[];
  /** The system's own names for types. */
  native(column: Known, type: LogicalType): string;
  /** How a column is read for which the stream wants a type; what is wrong with that is added to the mistakes. */
  forced(column: Known, wanted: string, mistakes: string[]): Pick<Known, 'sql' | 'type'>;
  /** Not among the columns, and can be a cursor. */
  more?: Known;
  /** Found before. */
  mistakes: string[];
}

/** Resolves everything or throws one ConfigError with all that is wrong. */
export function resolveRelation(input: RelationInput): Relation {
  const { stream, columns: all, mistakes } = input;
  const chosen = chosenColumns(stream, all, mistakes).map((column) => {
    const wanted = Object.hasOwn(stream.types, column.name) ? stream.types[column.name] : undefined;
    const { sql, type } = wanted === undefined ? column : input.forced(column, wanted, mistakes);
    return { name: renamed(stream, column.name), source: column.name, sql, type, column };
  });
  const fields = chosen.map(({ name, type, column }): Field => ({
    name,
    type,
    nullable: column.nullable,
    native: input.native(column, type),
  }));
  for (const name of stream.key ?? []) checkColumn(name, 'key', all, mistakes);
  for (const [option, name] of [
    ['lookback', stream.lookback?.column],
    ['date', stream.date?.column],
  ] as const)
    if (name !== undefined) checkColumn(name, option, all, mistakes);
  const cursor = resolveCursor(input);
  const names = fields.map(({ name }) => name);
  refuseMistakes(stream, names, mistakes);
  const key = (stream.key ?? input.key).map((name) => renamed(stream, name));
  return {
    columns: chosen,
    schema: { fields, key: key.every((name) => names.includes(name)) ? key : [] },
    cursor,
    where: stream.where,
    known: new Map(all.map((column) => [column.name, column])),
  };
}

/** Types whose greatest value can be followed while rows are read. */
export function canBeCursor(type: LogicalType): boolean {
  return ['int16', 'int32', 'int64', 'date', 'timestamp'].includes(type.kind);
}

function resolveCursor({ stream, columns, more: also, mistakes }: RelationInput): Cursor | undefined {
  const all = also ? [...columns, also] : columns;
  const more = also?.name;
  const names = stream.cursor;
  if (names.length === 0) return undefined;
  const found = names.map((name) => all.find((each) => each.name === name));
  names.forEach((name, i) => {
    if (!found[i]) checkColumn(name, 'cursor', all, mistakes);
    else if (!canBeCursor(found[i].type))
      mistakes.push(
        `cursor: "${name}" is ${duckType(found[i].type)}; a cursor is a whole number, a date or a timestamp${more === undefined ? '' : `, or ${more}`}`,
      );
    else if (found[0] && !sameType(found[0].type, found[i].type))
      mistakes.push(`cursor: "${name}" and "${names[0]}" have different types`);
  });
  if (mistakes.length > 0) return undefined;
  return {
    names,
    expressions: found.map((each) => each!.sql),
    type: found[0]!.type,
    nullable: found.every((each) => each!.nullable),
  };
}

/** Conditions of `where` and of the slice's range, with WHERE; what part of a table or of files a range means is not said here. */
export function whereClause(relation: Relation, range: SliceRange): string {
  return whereBoth(relation.where, rangeCondition(relation, range));
}

export function rangeCondition(relation: Relation, range: SliceRange): string | undefined {
  switch (range.kind) {
    case 'files':
    case 'quarantine':
    case 'all':
    case 'pages':
      return undefined;
    case 'column': {
      const { sql, type } = relation.known.get(range.column)!;
      const parts = [
        range.from === undefined ? undefined : `${sql} >= ${literal(range.from, type)}`,
        range.to === undefined ? undefined : `${sql} < ${literal(range.to, type)}`,
      ].filter((part) => part !== undefined);
      const inside = parts.length === 0 ? undefined : parts.join(' AND ');
      return inside !== undefined && range.nulls === true ? `(${inside} OR ${sql} IS NULL)` : inside;
    }
    case 'condition':
      return range.sql;
    case 'missing':
      return `${relation.known.get(range.column)!.sql} IS NULL`;
    case 'key':
      throw new InternalError('reading: parts of a table are places in it, not ranges of keys', {
        code: 'duckdb.key_range',
      });
    case 'cursor': {
      const { expressions, type } = relation.cursor!;
      return cursorCondition(
        {
          expressions,
          value: (text) => literal(text, type),
          missing: (expression) => `${expression} IS NULL`,
          since: (column, from) =>
            `${relation.known.get(column)!.sql} >= ${literal(from, relation.known.get(column)!.type)}`,
        },
        range,
      );
    }
  }
}

/** Of rows whose value of a column, by its name in the schema, lies in a range. */
export function withinCondition(relation: Relation, { column, from, to, nulls }: Within): string {
  const source = relation.columns.find(({ name }) => name === column)!.source;
  return rangeCondition(relation, { kind: 'column', column: source, from, to, nulls }) ?? 'true';
}

export function nullCondition({ cursor }: Relation): string {
  return cursor!.expressions.map((expression) => `${expression} IS NULL`).join(' AND ');
}

/** A literal of the column's type. Cursor values are checked here; DuckDB would refuse them in the middle of a run. */
function literal(text: string, type: LogicalType): string {
  if (type.kind !== 'timestamp' && type.kind !== 'date')
    return type.kind === 'utf8' ? duckText(text) : parseCursor(text, type).toString();
  // People write moments in zones of theirs, which DuckDB reads.
  const zoned = type.kind === 'timestamp' && type.zone && /[+-]\d\d(:?\d\d)?$/.test(text) && /:/.test(text);
  const plain = zoned && !text.endsWith('+00') ? text : renderCursor(parseCursor(text, type), type);
  // DuckDB says in another place that a year is before Christ.
  const era = plain.endsWith(' BC') ? plain.slice(0, -3).replace(/^(\d+-\d\d-\d\d)/, '$1 (BC)') : plain;
  return `CAST(${duckText(era)} AS ${duckType(type)})`;
}
