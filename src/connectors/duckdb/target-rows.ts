/** Rows of a load against those of the table, in SQL of DuckDB. */
import { duckName, duckText } from '../../duckdb/types.ts';
import { type Assigned, insertSelect } from '../shared/sql/insert-select.ts';
import {
  type DistinctJob,
  type GoneJob,
  type GroupsJob,
  LOAD_ID,
  type MergeJob,
  type MergeStatements,
  type SqlDialect,
  type TargetColumn,
  VALID_FROM,
  VALID_TO,
  type VersionJob,
  type VersionStatements,
} from '../shared/sql/system.ts';
import { SHARED_KEY } from './errors.ts';

/** Variables of the connection: the load that is under way. */
export const LOAD_NUMBER = `getvariable('sluice_load_id')`;
export const MOMENT = `getvariable('sluice_loaded_at')`;

const FLOATS: ReadonlySet<string> = new Set(['FLOAT', 'DOUBLE']);

function valueOf(alias: string, { name, type }: TargetColumn, there: ReadonlySet<string>): string {
  return there.has(name) ? `CAST(${alias}.${duckName(name)} AS ${type})` : `CAST(NULL AS ${type})`;
}

/** Values are the same, with NULLs; 0 and -0 are not. */
function sameValue(a: string, b: string, type: string): string {
  const same = `${a} IS NOT DISTINCT FROM ${b}`;
  return FLOATS.has(type)
    ? `(${same} AND (${a} IS NULL OR ${a} <> 0 OR signbit(${a}) = signbit(${b})))`
    : same;
}

function sameRow(
  columns: readonly TargetColumn[],
  mine: (column: TargetColumn) => string,
  theirs: (column: TargetColumn) => string,
): string {
  return (
    columns.map((column) => sameValue(mine(column), theirs(column), column.type)).join(' AND ') || 'true'
  );
}

export function sameKey(a: string, b: string, key: readonly TargetColumn[]): string {
  return key
    .map(({ name, nullable }) => {
      const [left, right] = [`${a}.${duckName(name)}`, `${b}.${duckName(name)}`];
      return nullable ? `${left} IS NOT DISTINCT FROM ${right}` : `${left} = ${right}`;
    })
    .join(' AND ');
}

/**
 * A query that fails where rows share a key. One with a NULL is none. `added` is the condition of rows that may share theirs with any;
 * what is kept in memory is as large as their keys, and not as those of all.
 */
export function refuseSharedKeys(table: string, key: readonly TargetColumn[], added?: string): string {
  const list = key.map(({ name }) => duckName(name)).join(', ');
  const nullable = key.filter((column) => column.nullable);
  const whole = nullable.map(({ name }) => `${duckName(name)} IS NOT NULL`).join(' AND ') || 'true';
  const mine = `(SELECT ${list} FROM ${table} WHERE ${added} AND ${whole})`;
  const shared =
    added === undefined
      ? `SELECT 1 FROM ${table} WHERE ${whole} GROUP BY ${list} HAVING count(*) > 1 LIMIT 1`
      : `SELECT 1 WHERE (SELECT count(*) FROM ${table} JOIN ${mine} USING (${list})) > (SELECT count(*) FROM ${mine})`;
  return `SELECT error(${duckText(SHARED_KEY)}) FROM (${shared})`;
}

/** The newest row of each key. */
function newestOf({ stage, table, key, history }: DistinctJob): string {
  if (history === undefined) return table;
  if (history === 'versions') return `(SELECT * FROM ${table} WHERE ${VALID_TO} IS NULL)`;
  const list = key.map(({ name }) => `o.${duckName(name)}`).join(', ');
  return `(SELECT o.* FROM ${table} o SEMI JOIN ${stage} s ON ${sameKey('s', 'o', key)} QUALIFY row_number() OVER (PARTITION BY ${list} ORDER BY o.${LOAD_ID} DESC) = 1)`;
}

export function dropLoaded(job: DistinctJob): string[] {
  const { stage, table, columns, key, from, staged, there } = job;
  const mine = (column: TargetColumn): string => valueOf('s', column, staged);
  const theirs = (column: TargetColumn): string => valueOf('t', column, there);
  if (key.length > 0)
    return [
      `DELETE FROM ${stage} s USING ${newestOf(job)} t WHERE ${sameKey('s', 't', key)} AND ${sameRow(columns, mine, theirs)}`,
    ];
  const window = from
    ? ` WHERE (${from.columns.map((column) => `t.${duckName(column.name)} >= ${literal(from.value, column.type)}`).join(' OR ')})`
    : '';
  // A row as often as it is there. Texts tell 0 from -0, and their lengths where one ends.
  const text = (x: string): string =>
    `coalesce(strlen(CAST(${x} AS VARCHAR)) || ':' || CAST(${x} AS VARCHAR), '-')`;
  const hash = (value: (column: TargetColumn) => string): string =>
    `md5(${columns.map((column) => text(value(column))).join(' || ')})`;
  const numbered = (row: string, place: string, more: string): string =>
    `SELECT ${more}h, row_number() OVER (PARTITION BY h) AS n FROM (SELECT ${more === '' ? '' : 's.rowid AS place, '}${row} AS h FROM ${place})`;
  return [
    `DELETE FROM ${stage} WHERE rowid IN (SELECT a.place FROM (${numbered(hash(mine), `${stage} s`, 'place, ')}) a JOIN (${numbered(hash(theirs), `${table} t${window}`, '')}) b USING (h, n))`,
  ];
}

/**
 * Where DuckDB changes rows, it keeps the old ones in memory until the commit; rows that are deleted cost it a number each. And a
 * statement that adds rows to a table has no memory left for a large join beside it.
 */
export function merge({ stage, table, columns, key, staged, stamps, others }: MergeJob): MergeStatements {
  const assign = (column: TargetColumn): Assigned => ({
    column: duckName(column.name),
    value: valueOf('s', column, staged),
  });
  const changed = columns.filter((column) => !key.includes(column)).map(assign);
  const set = [...changed, ...stamps].map(({ column, value }) => `${column} = ${value}`);
  const met = sameKey('t', 's', key);
  const refused = refuseSharedKeys(stage, key);
  const add = insertSelect(table, [...columns.map(assign), ...stamps], `${stage} s`);
  if (!others)
    return { prepare: [refused], remove: `DELETE FROM ${table} AS t USING ${stage} s WHERE ${met}`, add };
  const update = `UPDATE ${table} AS t SET ${set.join(', ')} FROM ${stage} s WHERE ${met}`;
  return {
    prepare: set.length === 0 ? [refused] : [refused, update],
    add: `${add} ANTI JOIN ${table} t ON ${met}`,
  };
}

export function groups({
  groups: named,
  stage,
  table,
  columns,
  key,
}: GroupsJob): ReturnType<SqlDialect['groups']> {
  return {
    prepare: [refuseSharedKeys(stage, key)],
    remove: `DELETE FROM ${table} AS t USING ${named} g WHERE ${sameKey('t', 'g', columns)}`,
  };
}

export function gone({ table, hash, stage, key, mark }: GoneJob): string {
  const among = `${hash} IN (SELECT g.${key} FROM ${stage} g)`;
  if (!mark) return `DELETE FROM ${table} WHERE ${among}`;
  const name = duckName(mark.column.name);
  return `UPDATE ${table} SET ${name} = ${literal(mark.at, mark.column.type)} WHERE ${name} IS NULL AND ${among}`;
}

export function versions(job: VersionJob): VersionStatements {
  const { stage, table, columns, key, staged, compared } = job;
  const all = new Set(columns.map(({ name }) => name));
  const end = `UPDATE ${table} AS t SET ${VALID_TO} = ${MOMENT}`;
  const met = `t.${VALID_TO} IS NULL AND ${sameKey('t', 's', key)}`;
  const same = sameRow(
    compared,
    (column) => valueOf('t', column, all),
    (column) => valueOf('s', column, staged),
  );
  const list = columns.map(({ name }) => duckName(name)).join(', ');
  const values = columns.map((column) => valueOf('s', column, staged)).join(', ');
  return {
    prepare: [refuseSharedKeys(stage, key)],
    gone: `${end} WHERE t.${VALID_TO} IS NULL AND NOT EXISTS (SELECT 1 FROM ${stage} s WHERE ${sameKey('t', 's', key)})`,
    changed: `${end} FROM ${stage} s WHERE ${met} AND NOT (${same})`,
    replaced: `DELETE FROM ${table} AS t USING ${stage} s WHERE ${sameKey('t', 's', key)} AND t.${VALID_FROM} = ${MOMENT} AND t.${VALID_TO} = ${MOMENT}`,
    // What has a valid version now is as it was. The last one counts.
    insert: `DELETE FROM ${stage} s USING ${table} t WHERE ${met}; INSERT INTO ${table} (${list}, ${VALID_FROM}) SELECT ${values}, ${MOMENT} FROM ${stage} s`,
  };
}

/** A cursor's text says years before Christ in another place than DuckDB. */
export function literal(text: string, type: string): string {
  const era = text.replace(/^(\d+-\d\d-\d\d)(.*) BC$/, '$1 (BC)$2');
  return `CAST(${duckText(era)} AS ${type})`;
}
