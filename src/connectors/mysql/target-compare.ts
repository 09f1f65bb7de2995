/** Rows of a load against those of the table, in SQL of MySQL and MariaDB. A temporary table may be named once in a statement only. */
import type { History } from '../../core/destination.ts';
import { quoteBackticks } from '../shared/quote.ts';
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
import { literal } from './target-types.ts';

const DOOMED = '`sluice_doomed`';
export const IS_VALID: string = `t.${quoteBackticks(VALID_TO)} IS NULL`;

/** What can be compared in the place of a value: it tells 0 from -0, keeps all digits, and is NULL for NULL. */
function valueText({ name, type }: TargetColumn, alias: string): string {
  const value = `${alias}.${quoteBackticks(name)}`;
  // Without the factor a FLOAT shows six digits.
  if (type === 'float' || type === 'double') return `CONCAT(${value} * 1e0)`;
  if (type.startsWith('decimal')) return `CONCAT(CAST(${value} AS ${type}))`;
  if (type.startsWith('datetime')) return `CONCAT(CAST(${value} AS DATETIME(6)))`;
  // Whatever the collation. A cast would be NULL for what is longer than the server lets a function return.
  if (/text$|blob$|char\(|binary\(/.test(type)) return `MD5(${value})`;
  return value;
}

/** NULL where the table lacks the column. */
function textOf(column: TargetColumn, alias: string, there: ReadonlySet<string>): string {
  return there.has(column.name) ? valueText(column, alias) : 'NULL';
}

/** Values are hashed one by one: together they could be longer than what the server lets a function return. */
function rowHash(alias: string, columns: readonly TargetColumn[], there: ReadonlySet<string>): string {
  const parts = columns.map((column) => `COALESCE(MD5(${textOf(column, alias, there)}), '-')`);
  return `MD5(CONCAT(${parts.join(', ')}))`;
}

/** Some collations do not see trailing blanks, which lengths tell. */
export function sameKey(a: string, b: string, key: readonly TargetColumn[]): string {
  return key
    .flatMap(({ name, type, nullable }) => {
      const [left, right] = [`${a}.${quoteBackticks(name)}`, `${b}.${quoteBackticks(name)}`];
      const same = `${left} ${nullable ? '<=>' : '='} ${right}`;
      return /^(varchar|longtext)/.test(type) ? [same, `LENGTH(${left}) <=> LENGTH(${right})`] : [same];
    })
    .join(' AND ');
}

export function dropLoaded(job: DistinctJob): string[] {
  return job.key.length > 0 ? dropKeyed(job) : dropKeyless(job);
}

/** Compared with the newest row of its key only, which the index of the table finds: the load is the smaller of the two. */
function dropKeyed({ stage, table, columns, key, history, staged, there }: DistinctJob): string[] {
  const id = quoteBackticks(LOAD_ID);
  const newest: Readonly<Record<History, string>> = {
    loads: `t.${id} <=> (SELECT MAX(o.${id}) FROM ${table} o WHERE ${sameKey('o', 't', key)})`,
    versions: IS_VALID,
  };
  const conditions = [
    sameKey('s', 't', key),
    ...sameValues({ columns, key, staged, there }),
    ...(history ? [newest[history]] : []),
  ];
  return [`DELETE s FROM ${stage} s STRAIGHT_JOIN ${table} t WHERE ${conditions.join(' AND ')}`];
}

/** Whether row `s` of the stage and row `t` of the table, which have the same key, are the same. */
function sameValues({
  columns,
  key,
  staged,
  there,
}: Pick<DistinctJob, 'columns' | 'key' | 'staged' | 'there'>): string[] {
  const others = columns.filter((column) => !key.includes(column));
  return others.map((column) => `${textOf(column, 's', staged)} <=> ${textOf(column, 't', there)}`);
}

/** Each row there takes one equal row away. */
function dropKeyless({ stage, table, columns, from, staged, there }: DistinctJob): string[] {
  const window = from
    ? ` WHERE (${from.columns.map((column) => `t.${quoteBackticks(column.name)} >= ${literal(from.value, column.type)}`).join(' OR ')})`
    : '';
  const numbered = (more: string, text: string, place: string): string =>
    `SELECT ${more}h, ROW_NUMBER() OVER (PARTITION BY h) AS n FROM (SELECT ${more}${text} AS h FROM ${place}) x`;
  return [
    `CREATE TEMPORARY TABLE ${DOOMED} (PRIMARY KEY (_sluice_row)) SELECT a._sluice_row FROM (${numbered('_sluice_row, ', rowHash('s', columns, staged), `${stage} s`)}) a
       JOIN (${numbered('', rowHash('t', columns, there), `${table} t${window}`)}) b ON a.h = b.h AND a.n = b.n`,
    `DELETE s FROM ${stage} s JOIN ${DOOMED} d ON s._sluice_row = d._sluice_row`,
    `DROP TEMPORARY TABLE ${DOOMED}`,
  ];
}

export function valueOf({ name }: TargetColumn, staged: ReadonlySet<string>): string {
  return staged.has(name) ? `s.${quoteBackticks(name)}` : 'NULL';
}

/** The stage has its key since it was made. */
export function merge({ stage, table, columns, key, staged, stamps }: MergeJob): MergeStatements {
  const assign = (column: TargetColumn): Assigned => ({
    column: quoteBackticks(column.name),
    value: valueOf(column, staged),
  });
  const changed = columns.filter((column) => !key.includes(column)).map(assign);
  const set = [...changed, ...stamps].map(({ column, value }) => `t.${column} = ${value}`);
  const all = [...columns.map(assign), ...stamps];
  const met = sameKey('t', 's', key);
  return {
    prepare:
      set.length === 0
        ? []
        : [`UPDATE ${stage} s STRAIGHT_JOIN ${table} t SET ${set.join(', ')} WHERE ${met}`],
    add: insertSelect(table, all, `${stage} s WHERE NOT EXISTS (SELECT 1 FROM ${table} t WHERE ${met})`),
  };
}

/** The index of the table finds the rows of each. */
export function groups({ groups: named, table, columns }: GroupsJob): ReturnType<SqlDialect['groups']> {
  const met = sameKey('t', 'g', columns);
  return { prepare: [], remove: `DELETE t FROM ${named} g STRAIGHT_JOIN ${table} t WHERE ${met}` };
}

/** Each row of the table is looked for among those of the stage, which have an index. */
export function gone({ table, hash, stage, key, mark }: GoneJob): string {
  const met = `${table} t STRAIGHT_JOIN ${stage} g ON g.${key} = ${hash}`;
  if (!mark) return `DELETE t FROM ${met}`;
  const name = `t.${quoteBackticks(mark.column.name)}`;
  return `UPDATE ${met} SET ${name} = ${literal(mark.at, mark.column.type)} WHERE ${name} IS NULL`;
}

/** The stage has its key since it was made. `@sluice_loaded_at` is the moment of the load. */
export function versions({ stage, table, columns, key, staged, compared }: VersionJob): VersionStatements {
  const there = new Set(columns.map(({ name }) => name));
  const end = `t.${quoteBackticks(VALID_TO)} = @sluice_loaded_at`;
  const met = `${IS_VALID} AND ${sameKey('t', 's', key)}`;
  const same = sameValues({ columns: compared, key, staged, there });
  const list = columns.map(({ name }) => quoteBackticks(name)).join(', ');
  const values = columns.map((column) => valueOf(column, staged)).join(', ');
  return {
    prepare: [],
    gone: `UPDATE ${table} t SET ${end} WHERE ${IS_VALID} AND NOT EXISTS (SELECT 1 FROM ${stage} s WHERE ${sameKey('t', 's', key)})`,
    changed: `UPDATE ${stage} s STRAIGHT_JOIN ${table} t SET ${end} WHERE ${met} AND NOT (${['1 = 1', ...same].join(' AND ')})`,
    replaced: `DELETE t FROM ${stage} s STRAIGHT_JOIN ${table} t WHERE ${sameKey('t', 's', key)} AND t.${quoteBackticks(VALID_FROM)} = @sluice_loaded_at AND ${end}`,
    insert: `INSERT INTO ${table} (${list}, ${quoteBackticks(VALID_FROM)}) SELECT ${values}, @sluice_loaded_at FROM ${stage} s
       WHERE NOT EXISTS (SELECT 1 FROM ${table} t WHERE ${met})`,
  };
}
