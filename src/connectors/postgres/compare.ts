/** A relation of PostgreSQL as one side of a comparison: SQL that hashes rows where they are. */
import type pg from 'pg';
import type {
  Bucket,
  Comparable,
  ComparedColumn,
  CompareRequest,
  HashedRows,
  NamedRow,
  RowValues,
  Within,
} from '../../core/compare.ts';
import { quoteName, quoteText } from '../shared/quote.ts';
import { keyColumns, type Operand, type RowDialect, rowText } from '../shared/row-hash.ts';
import { comparedSql, postgresDialect } from './canonical.ts';
import { type Relation, rangeCondition } from './relation.ts';

/** Rows that are fetched at a time. */
const FETCHED = 10_000;
/** Most buckets fit into it, so that they need not be spilled. */
const WORK_MEM = "SET LOCAL work_mem = '64MB'";

export interface PostgresComparison {
  relation: Relation;
  /** Whether text is kept as UTF-8. */
  utf8: boolean;
  /** Leaves out rows whose cursor is NULL. */
  skipNulls: boolean;
  /** Does something with a connection of its own that sees the moment, and translates errors. */
  connected: <T>(signal: AbortSignal, work: (client: pg.Client) => AsyncGenerator<T>) => AsyncGenerator<T>;
}

export function comparePostgres(comparison: PostgresComparison): Comparable {
  const { connected } = comparison;
  const dialect = postgresDialect(comparison.utf8);
  const sql = (request: CompareRequest): CompareSql => compareSql(request, comparison, dialect);
  return {
    async buckets(request, signal) {
      return all(connected(signal, (client) => readBuckets(client, sql(request))));
    },
    rows: (request, buckets, signal) =>
      connected(signal, (client) => readRows(client, sql(request), keyColumns(request).length, buckets)),
    async values(request, rows, signal) {
      return all(
        connected(signal, (client) => {
          const looked = compareSql(request, comparison, dialect, rows);
          return readValues(client, looked, request.columns.length, rows);
        }),
      );
    },
    async least(column, signal) {
      const { from, where } = sql(NOTHING);
      const name = quoteName(sourceName(comparison.relation, column));
      const least = `SELECT min(${name})::text AS least FROM ${from}${where}`;
      const [found] = await all(
        connected(signal, async function* (client) {
          yield* (await client.query<{ least: string | null }>(least)).rows;
        }),
      );
      return found?.least ?? undefined;
    },
  };
}

const NOTHING: CompareRequest = {
  columns: [],
  key: [],
  digits: 1,
  current: false,
  within: undefined,
  waiting: undefined,
};

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Parts of the statements. Each column is computed once, below an OFFSET 0, which keeps the planner from moving it up. */
interface CompareSql {
  from: string;
  where: string;
  /** Hash of the key and of the row, over `c0`, `c1`, …; */
  key: string;
  row: string;
  /** Subquery with the columns, and `waiting`. */
  values: string;
  names: string[];
  canonical: string[];
  shown: string[];
  digits: number;
}

function compareSql(
  request: CompareRequest,
  { relation, skipNulls }: PostgresComparison,
  dialect: RowDialect,
  only?: readonly NamedRow[],
): CompareSql {
  const index = new Map(request.columns.map(({ name }, i) => [name, `c${i}`]));
  const operand = ({ name }: { name: string }): Operand => ({
    sql: index.get(name)!,
    nullable: relation.schema.fields.find((field) => field.name === name)!.nullable,
  });
  const fields = request.columns.map(({ name }) => {
    const { mapping, column } = relation.columns.find((each) => each.name === name)!;
    return `${comparedSql(mapping, column.type.name)} AS ${index.get(name)!}`;
  });
  const { cursor } = relation;
  const keys = keyColumns(request);
  const conditions = [
    relation.where === undefined ? undefined : `(${relation.where})`,
    skipNulls && cursor ? `NOT (${cursor.expressions.map((e) => `${e} IS NULL`).join(' AND ')})` : undefined,
    request.within && withinCondition(relation, request.within),
    only && namedCondition(relation, keys, only),
  ].filter((condition) => condition !== undefined);
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const waiting = request.waiting ? (rangeCondition(relation, request.waiting) ?? 'true') : 'false';
  const row = dialect.md5(rowText(request.columns, operand, dialect));
  const list = [...fields, `coalesce((${waiting}), false) AS waiting`];
  return {
    from: relation.from,
    where,
    row,
    key: keys.length === 0 ? row : dialect.md5(rowText(keys, operand, dialect)),
    values: `(SELECT ${list.join(', ')} FROM ${relation.from}${where} OFFSET 0) AS v`,
    names: keys.map((column) => `${operand(column).sql}::text`),
    canonical: request.columns.map((column) => rowText([column], operand, dialect)),
    shown: request.columns.map((column) => `left(${operand(column).sql}::text, ${SHOWN})`),
    digits: request.digits,
  };
}

/** Characters of a value that is shown. */
const SHOWN = 200;

function sourceName(relation: Relation, column: string): string {
  return relation.columns.find(({ name }) => name === column)?.source ?? column;
}

function withinCondition(relation: Relation, { column, from, to }: Within): string {
  const name = quoteName(sourceName(relation, column));
  const parts = [
    from === undefined ? undefined : `${name} >= ${quoteText(from)}`,
    to === undefined ? undefined : `${name} < ${quoteText(to)}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? 'true' : parts.join(' AND ');
}

/** A longer text is cut off, and an integer is found faster than a text. */
function bucketSql(digits: number): string {
  return `('x' || k)::bit(${4 * digits})::int4`;
}

/** Types whose values are found again by their text, which an index can do. */
const FOUND_BY_TEXT: ReadonlySet<string> = new Set(
  'int16 int32 int64 decimal utf8 uuid date timestamp'.split(' '),
);

/** Spares hashing the keys of all rows to find a few; undefined where they cannot be found otherwise. */
function namedCondition(
  relation: Relation,
  keys: readonly ComparedColumn[],
  rows: readonly NamedRow[],
): string | undefined {
  const columns = keys.map(({ name }) => relation.columns.find((each) => each.name === name)!);
  const plain = columns.every(
    ({ mapping, source }) => mapping.select === quoteName(source) && FOUND_BY_TEXT.has(mapping.type.kind),
  );
  if (columns.length === 0 || !plain) return undefined;
  const row = ({ names }: NamedRow): string =>
    columns
      .map(({ mapping }, i) => {
        const text = names[i];
        return text === null || text === undefined
          ? `${mapping.select} IS NULL`
          : `${mapping.select} = ${quoteText(text)}`;
      })
      .join(' AND ');
  return `(${rows.map((each) => `(${row(each)})`).join(' OR ')})`;
}

async function* readBuckets(client: pg.Client, sql: CompareSql): AsyncGenerator<Bucket> {
  const hashes = `(SELECT ${sql.key} AS k, ${sql.row} AS h FROM ${sql.values} OFFSET 0) AS r`;
  await client.query(WORK_MEM);
  const { rows } = await client.query<[number, string, string]>({
    text: `SELECT ${bucketSql(sql.digits)}, count(*)::text, sum(('x' || h)::bit(60)::int8)::text FROM ${hashes} GROUP BY 1`,
    rowMode: 'array',
  });
  for (const [bucket, count, checksum] of rows) yield { bucket, rows: Number(count), checksum };
}

async function* readRows(
  client: pg.Client,
  sql: CompareSql,
  keys: number,
  buckets: readonly number[] | undefined,
): AsyncGenerator<HashedRows> {
  const names = sql.names.map((name, i) => `, ${name} AS n${i}`).join('');
  // A join, since servers before 14 look through a list one by one.
  const only =
    buckets === undefined
      ? ''
      : ` JOIN unnest(${quoteText(`{${buckets.join(',')}}`)}::int4[]) AS wanted(bucket) ON wanted.bucket = ${bucketSql(sql.digits)}`;
  const hashed = `(SELECT ${sql.key} AS k, * FROM ${sql.values} OFFSET 0) AS r${only}`;
  await client.query(WORK_MEM);
  await client.query(
    `DECLARE sluice_rows NO SCROLL CURSOR FOR SELECT k, ${sql.row}, waiting::int4${names} FROM ${hashed} ORDER BY k COLLATE "C"`,
  );
  while (true) {
    const { rows } = await client.query<(string | null)[]>({
      text: `FETCH ${FETCHED} FROM sluice_rows`,
      rowMode: 'array',
    });
    if (rows.length === 0) return;
    yield {
      keys: rows.map((row) => row[0]!),
      rows: rows.map((row) => row[1]!),
      waiting: rows.map((row) => Number(row[2]) === 1),
      names: Array.from({ length: keys }, (_, i) => rows.map((row) => row[3 + i]!)),
    };
  }
}

async function* readValues(
  client: pg.Client,
  sql: CompareSql,
  columns: number,
  looked: readonly NamedRow[],
): AsyncGenerator<RowValues> {
  const { rows } = await client.query<(string | null)[]>({
    text: `SELECT k, ${sql.row}, ${[...sql.canonical, ...sql.shown].join(', ')} FROM (SELECT ${sql.key} AS k, * FROM ${sql.values} OFFSET 0) AS r WHERE k = ANY($1::text[])`,
    values: [looked.map(({ key }) => key)],
    rowMode: 'array',
  });
  for (const [key, row, ...rest] of rows)
    yield { key: key!, row: row!, canonical: rest.slice(0, columns), shown: rest.slice(columns) };
}
