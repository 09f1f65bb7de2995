/** What a stream reads of a table of the lake: columns, cursor, SQL of its slices. Pure. */
import { InternalError } from '../../core/errors.ts';
import { schemaFromJson, type Field, type Schema } from '../../core/schema.ts';
import { renamed, type SliceRange, type StreamConfig } from '../../core/stream.ts';
import { type LogicalType, parseType, sameType, widen } from '../../core/types.ts';
import { duckName, duckText, duckType } from '../../duckdb/types.ts';
import { cursorCondition } from '../shared/cursor-condition.ts';
import { parseCursor, renderCursor } from '../shared/cursor-value.ts';
import { checkColumn, chosenColumns, refuseMistakes } from '../shared/stream-columns.ts';
import { columnsOf, LOAD_ID, LOADED_AT, OPERATION } from './records-sql.ts';
import { currentSchema, type FoldedState } from './records.ts';

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

interface Known {
  name: string;
  sql: string;
  type: LogicalType;
  nullable: boolean;
}

/** Columns that a stream of all versions has after those of the table, by their names in the files. */
const VERSION_COLUMNS: readonly [string, string][] = [
  [LOADED_AT, 'loaded_at'],
  [LOAD_ID, 'load_id'],
  [OPERATION, 'operation'],
];

/** Columns that can be read, with the key. */
export function tableColumns(
  state: FoldedState,
  history: boolean,
): { columns: Known[]; key: readonly string[] } {
  const json = currentSchema(state)!;
  const files = columnsOf(json);
  const known = ({ field, name, type, nullable }: (typeof files)[number]): Known => ({
    name: field,
    sql: duckName(name),
    type: parseType(type)!,
    nullable,
  });
  const columns = files.filter(({ meta }) => !meta).map(known);
  const { key } = schemaFromJson(json);
  if (!history) return { columns, key };
  const taken = new Set(columns.map(({ name }) => name));
  const names = new Map<string, string>();
  for (const [field, wanted] of VERSION_COLUMNS) {
    let name = wanted;
    for (let i = 2; taken.has(name); i++) name = `${wanted}_${i}`;
    names.set(field, name);
    columns.push({ ...known(files.find(({ meta, field: each }) => meta && each === field)!), name });
  }
  return { columns, key: key.length === 0 ? [] : [...key, names.get(LOAD_ID)!] };
}

/** Resolves everything or throws one ConfigError with all that is wrong. */
export function resolveRelation(stream: StreamConfig, state: FoldedState, history: boolean): Relation {
  const mistakes: string[] = [];
  const { columns: all, key: ownKey } = tableColumns(state, history);
  if (stream.sql !== undefined) mistakes.push('sql: a lake is read by tables, not by queries');
  const chosen = chosenColumns(stream, all, mistakes).map((column) => ({
    name: renamed(stream, column.name),
    source: column.name,
    nullable: column.nullable,
    ...mapped(column, stream, mistakes),
  }));
  const fields = chosen.map(({ name, type, nullable }): Field => ({
    name,
    type,
    nullable,
    native: duckType(type),
  }));
  for (const name of stream.key ?? []) checkColumn(name, 'key', all, mistakes);
  for (const [option, name] of [
    ['lookback', stream.lookback?.column],
    ['date', stream.date?.column],
  ] as const)
    if (name !== undefined) checkColumn(name, option, all, mistakes);
  const cursor = resolveCursor(stream, all, mistakes);
  const names = fields.map(({ name }) => name);
  refuseMistakes(stream, names, mistakes);
  const key = (stream.key ?? ownKey).map((name) => renamed(stream, name));
  return {
    columns: chosen,
    schema: { fields, key: key.every((name) => names.includes(name)) ? key : [] },
    cursor,
    where: stream.where,
    known: new Map(all.map((column) => [column.name, column])),
  };
}

/** Types that hold every value of the column may be asked for, and text. */
function mapped(column: Known, stream: StreamConfig, mistakes: string[]): Pick<Known, 'sql' | 'type'> {
  const { name, sql, type } = column;
  const wanted = Object.hasOwn(stream.types, name) ? stream.types[name]! : undefined;
  if (wanted === undefined) return { sql, type };
  const to = parseType(wanted === 'text' ? 'utf8' : wanted);
  const wider = to && widen(type, to);
  if (to?.kind === 'binary' && type.kind === 'utf8') return { sql: `encode(${sql})`, type: to };
  if (!to || (to.kind !== 'utf8' && !(wider && sameType(wider, to))))
    mistakes.push(
      `types: "${name}" is ${duckType(type)} in the lake and can be read as text or as a wider type, not as "${wanted}"`,
    );
  else if (!sameType(to, type))
    return {
      sql: type.kind === 'binary' ? `lower(hex(${sql}))` : `CAST(${sql} AS ${duckType(to)})`,
      type: to,
    };
  return { sql, type };
}

/** Types whose greatest value can be followed while rows are read. */
export function canBeCursor(type: LogicalType): boolean {
  return ['int16', 'int32', 'int64', 'date', 'timestamp'].includes(type.kind);
}

const LOADED: Known = {
  name: LOADED_AT,
  sql: LOADED_AT,
  type: { kind: 'timestamp', zone: true },
  nullable: false,
};

function resolveCursor(stream: StreamConfig, all: Known[], mistakes: string[]): Cursor | undefined {
  const names = stream.cursor;
  if (names.length === 0) return undefined;
  const found = names.map((name) => (name === LOADED_AT ? LOADED : all.find((each) => each.name === name)));
  names.forEach((name, i) => {
    if (!found[i]) checkColumn(name, 'cursor', [...all, LOADED], mistakes);
    else if (!canBeCursor(found[i].type))
      mistakes.push(
        `cursor: "${name}" is ${duckType(found[i].type)}; a cursor is a whole number, a date or a timestamp, or ${LOADED_AT}`,
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

/** Conditions of `where` and of the slice's range, with WHERE; what part of the files a range means is not said here. */
export function whereClause(relation: Relation, range: SliceRange): string {
  const conditions = [
    relation.where === undefined ? undefined : `(${relation.where})`,
    rangeCondition(relation, range),
  ].filter((condition) => condition !== undefined);
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

export function rangeCondition(relation: Relation, range: SliceRange): string | undefined {
  switch (range.kind) {
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
    case 'missing':
      return `${relation.known.get(range.column)!.sql} IS NULL`;
    case 'key':
      throw new InternalError('reading a lake: its parts are files, not ranges of keys', {
        code: 'lake.key_range',
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

export function nullCondition({ cursor }: Relation): string {
  return cursor!.expressions.map((expression) => `${expression} IS NULL`).join(' AND ');
}

/** A literal of the column's type. Cursor values are checked here; DuckDB would refuse them in the middle of a run. */
export function literal(text: string, type: LogicalType): string {
  if (type.kind !== 'timestamp' && type.kind !== 'date')
    return type.kind === 'utf8' ? duckText(text) : parseCursor(text, type).toString();
  // People write moments in zones of theirs, which DuckDB reads.
  const zoned = type.kind === 'timestamp' && type.zone && /[+-]\d\d(:?\d\d)?$/.test(text) && /:/.test(text);
  const plain = zoned && !text.endsWith('+00') ? text : renderCursor(parseCursor(text, type), type);
  // DuckDB says in another place that a year is before Christ.
  const era = plain.endsWith(' BC') ? plain.slice(0, -3).replace(/^(\d+-\d\d-\d\d)/, '$1 (BC)') : plain;
  return `CAST(${duckText(era)} AS ${duckType(type)})`;
}
