/** What a stream reads of a table of the lake. Pure. */
import { schemaFromJson } from '../../core/schema.ts';
import type { StreamConfig } from '../../core/stream.ts';
import { parseType, sameType, widen } from '../../core/types.ts';
import { duckName, duckType } from '../../duckdb/types.ts';
import { type Known, type Relation, resolveRelation } from '../shared/duckdb/relation.ts';
import { columnsOf, LOAD_ID, LOADED_AT, OPERATION } from './records-sql.ts';
import { currentSchema, type FoldedState } from './records.ts';

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
export function resolveTable(stream: StreamConfig, state: FoldedState, history: boolean): Relation {
  const mistakes: string[] = [];
  if (stream.sql !== undefined) mistakes.push('sql: a lake is read by tables, not by queries');
  return resolveRelation({
    stream,
    ...tableColumns(state, history),
    native: (_, type) => duckType(type),
    forced,
    more: LOADED,
    mistakes,
  });
}

/** Types that hold every value of the column may be asked for, and text. */
function forced(column: Known, wanted: string, mistakes: string[]): Pick<Known, 'sql' | 'type'> {
  const { name, sql, type } = column;
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

const LOADED: Known = {
  name: LOADED_AT,
  sql: LOADED_AT,
  type: { kind: 'timestamp', zone: true },
  nullable: false,
};
