/** Rows of a load against those of the table, in SQL of PostgreSQL. */
import { quoteName, quoteText } from '../shared/quote.ts';
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

/** The moment of a load, see `begin` of the dialect. */
export const MOMENT = `pg_catalog.current_setting('sluice.loaded_at', true)::timestamptz`;
/** The same, computed once in a statement. */
export const ONE_MOMENT: string = `(SELECT ${MOMENT})`;

/** A row in the columns of the table after the load. As bytes and as text it tells 1.0 from 1.00 and 0 from -0. */
function rowOf(alias: string, columns: readonly TargetColumn[], there: ReadonlySet<string>): string {
  const values = columns.map(({ name, type }) =>
    there.has(name) ? `${alias}.${quoteName(name)}::${type}` : `NULL::${type}`,
  );
  return `ROW(${values.join(', ')})`;
}

/** *= compares bytes. IS TRUE keeps it from becoming a part of the join, for which it would be computed for all rows. */
function sameRow(a: string, b: string): string {
  return `(${a}::record OPERATOR(pg_catalog.*=) ${b}::record) IS TRUE`;
}

export const windowCondition: SqlDialect['windowCondition'] = ({ name, type }, window) =>
  window.kind === 'value'
    ? `${quoteName(name)} ${window.value === null ? 'IS NULL' : `= ${quoteText(window.value)}`}`
    : `${quoteName(name)} >= ${quoteText(window.from)}::${type} AND ${quoteName(name)} < ${quoteText(window.to)}::${type}`;

function isValid(alias: string): string {
  return `${alias}.${VALID_TO} IS NULL`;
}

function sameKey(a: string, b: string, key: readonly TargetColumn[]): string {
  return key
    .map(({ name, nullable }) => {
      const [left, right] = [`${a}.${quoteName(name)}`, `${b}.${quoteName(name)}`];
      return nullable
        ? `(${left} = ${right} OR (${left} IS NULL AND ${right} IS NULL))`
        : `${left} = ${right}`;
    })
    .join(' AND ');
}

/** The server counts rows when it finds the time. What it takes for a small table it reads as a whole. */
function countRows(table: string, rows: number, key: string): string {
  const wrong = `SELECT c.reltuples NOT BETWEEN ${rows} * 0.7 AND ${rows} * 1.5 FROM pg_catalog.pg_class c WHERE c.oid = ${quoteText(table)}::regclass`;
  return `DO LANGUAGE plpgsql ${quoteText(`BEGIN IF (${wrong}) THEN ANALYZE ${table} (${key}); END IF; END`)}`;
}

/** The newest row of each key. */
function newestOf({ stage, table, key, history }: DistinctJob): string {
  if (history === undefined) return table;
  if (history === 'versions') return `(SELECT * FROM ${table} o WHERE ${isValid('o')})`;
  const list = key.map(({ name }) => quoteName(name)).join(', ');
  return `(SELECT DISTINCT ON (${list}) * FROM ${table} o WHERE EXISTS (SELECT 1 FROM ${stage} s WHERE ${sameKey('s', 'o', key)}) ORDER BY ${list}, ${LOAD_ID} DESC)`;
}

export function dropLoaded(job: DistinctJob): string[] {
  const { stage, table, columns, key, from, staged, there, rows } = job;
  const mine = rowOf('s', columns, staged);
  const theirs = rowOf('t', columns, there);
  const list = key.map(({ name }) => quoteName(name)).join(', ');
  if (key.length > 0) {
    return [
      countRows(table, rows, list),
      `ANALYZE ${stage} (${list})`,
      `DELETE FROM ${stage} s USING ${newestOf(job)} t WHERE ${sameKey('s', 't', key)} AND ${sameRow(mine, theirs)}`,
    ];
  }
  const window = from
    ? ` WHERE (${from.columns.map((column) => `t.${quoteName(column.name)} >= ${quoteText(from.value)}::${column.type}`).join(' OR ')})`
    : '';
  const numbered = (row: string, place: string, more: string): string =>
    `SELECT ${more}h, pg_catalog.row_number() OVER (PARTITION BY h) AS n FROM (SELECT ${more === '' ? '' : 's.ctid AS place, '}pg_catalog.md5(${row}::text) AS h FROM ${place}) x`;
  return [
    `DELETE FROM ${stage} d USING (${numbered(mine, `${stage} s`, 'place, ')}) a JOIN (${numbered(theirs, `${table} t${window}`, '')}) b USING (h, n) WHERE d.ctid = a.place`,
  ];
}

function valueOf({ name, type }: TargetColumn, staged: ReadonlySet<string>): string {
  return staged.has(name) ? `s.${quoteName(name)}` : `NULL::${type}`;
}

/** The stage gets its key, and the server knows how many rows are where. */
function prepare({ stage, table, key, rows }: Pick<MergeJob, 'stage' | 'table' | 'key' | 'rows'>): string[] {
  const keys = key.map(({ name }) => quoteName(name)).join(', ');
  return [
    `CREATE UNIQUE INDEX ON ${stage} (${keys})`,
    `ANALYZE ${stage} (${keys})`,
    countRows(table, rows, keys),
  ];
}

/** The keys that were found are kept, so that the table is looked through once for both. */
export function merge(job: MergeJob): MergeStatements {
  const { stage, table, columns, key, staged, stamps } = job;
  const assign = (column: TargetColumn): Assigned => ({
    column: quoteName(column.name),
    value: valueOf(column, staged),
  });
  const changed = columns.filter((column) => !key.includes(column)).map(assign);
  const set = [...changed, ...stamps].map(({ column, value }) => `${column} = ${value}`);
  const all = [...columns.map(assign), ...stamps];
  const found = key.map(({ name }) => `s.${quoteName(name)}`).join(', ');
  const update = `UPDATE ${table} t SET ${set.join(', ')} FROM ${stage} s WHERE ${sameKey('t', 's', key)} RETURNING ${found}`;
  const insert = (among: string): string =>
    insertSelect(
      table,
      all,
      `${stage} s WHERE NOT EXISTS (SELECT 1 FROM ${among} t WHERE ${sameKey('t', 's', key)})`,
    );
  return {
    prepare: prepare(job),
    add: set.length === 0 ? insert(table) : `WITH found AS (${update}) ${insert('found')}`,
  };
}

export function groups({ groups: named, table, columns, rows }: GroupsJob): ReturnType<SqlDialect['groups']> {
  const list = columns.map(({ name }) => quoteName(name)).join(', ');
  return {
    prepare: [`ANALYZE ${named} (${list})`, countRows(table, rows, list)],
    remove: `DELETE FROM ${table} t USING ${named} g WHERE ${sameKey('t', 'g', columns)}`,
  };
}

export function gone({ table, hash, stage, key, mark }: GoneJob): string {
  const among = `${hash} IN (SELECT g.${key} FROM ${stage} g)`;
  if (!mark) return `DELETE FROM ${table} WHERE ${among}`;
  const name = quoteName(mark.column.name);
  return `UPDATE ${table} SET ${name} = ${quoteText(mark.at)}::${mark.column.type} WHERE ${name} IS NULL AND ${among}`;
}

export function versions(job: VersionJob): VersionStatements {
  const { stage, table, columns, key, staged, compared } = job;
  const all = new Set(columns.map(({ name }) => name));
  const end = `UPDATE ${table} t SET ${VALID_TO} = ${ONE_MOMENT}`;
  const met = `${isValid('t')} AND ${sameKey('t', 's', key)}`;
  const same = sameRow(rowOf('t', compared, all), rowOf('s', compared, staged));
  const list = columns.map(({ name }) => quoteName(name)).join(', ');
  const values = columns.map((column) => valueOf(column, staged)).join(', ');
  return {
    prepare: prepare(job),
    gone: `${end} WHERE ${isValid('t')} AND NOT EXISTS (SELECT 1 FROM ${stage} s WHERE ${sameKey('t', 's', key)})`,
    changed: `${end} FROM ${stage} s WHERE ${met} AND NOT (${same})`,
    replaced: `DELETE FROM ${table} t USING ${stage} s WHERE ${sameKey('t', 's', key)} AND t.${VALID_FROM} = ${ONE_MOMENT} AND t.${VALID_TO} = ${ONE_MOMENT}`,
    insert: `INSERT INTO ${table} (${list}, ${VALID_FROM}) SELECT ${values}, ${ONE_MOMENT} FROM ${stage} s WHERE NOT EXISTS (SELECT 1 FROM ${table} t WHERE ${met})`,
  };
}
