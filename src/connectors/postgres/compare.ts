/** A relation of PostgreSQL as one side of a comparison: SQL that hashes rows where they are. */
import type pg from 'pg';
import type { Comparable, ComparedColumn, NamedRow, Within } from '../../core/compare.ts';
import { type CompareDialect, compareRelation } from '../shared/compare-relation.ts';
import { quoteName, quoteText } from '../shared/quote.ts';
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

export function comparePostgres({ relation, utf8, skipNulls, connected }: PostgresComparison): Comparable {
  const { cursor } = relation;
  const conditions = [
    relation.where === undefined ? undefined : `(${relation.where})`,
    skipNulls && cursor ? `NOT (${cursor.expressions.map((e) => `${e} IS NULL`).join(' AND ')})` : undefined,
  ].filter((condition) => condition !== undefined);
  const plain = (column: string): string => quoteName(sourceName(relation, column));
  return compareRelation(
    {
      from: relation.from,
      conditions,
      column: ({ name }) => {
        const { mapping, column } = relation.columns.find((each) => each.name === name)!;
        const { nullable } = relation.schema.fields.find((field) => field.name === name)!;
        return { sql: comparedSql(mapping, column.type.name), nullable };
      },
      plain,
      within: (within) => withinCondition(plain(within.column), within),
      waiting: (range) => rangeCondition(relation, range),
      find: (keys, rows) => namedCondition(relation, keys, rows),
    },
    compareDialect(utf8),
    (sql, { many, signal }) => connected(signal, (client) => rowsOf(client, sql, many)),
  );
}

/** `utf8`: text is kept as UTF-8, or as bytes without an encoding. */
export function compareDialect(utf8: boolean): CompareDialect {
  // A longer text is cut off, and an integer is found faster than a text.
  const bucket = (digits: number): string => `('x' || k)::bit(${4 * digits})::int4`;
  return {
    rows: postgresDialect(utf8),
    // NaN, and moments that 64 bits since 1970 cannot hold.
    ownText: ({ kind }) => kind === 'decimal' || kind === 'timestamp',
    text: (expression) => `(${expression})::text`,
    bucket,
    checksum: `sum(('x' || h)::bit(60)::int8)`,
    // The planner moves nothing over it. A bare 0 is no constant when it decides whether workers may share the scan.
    fence: ` OFFSET '0'`,
    // A join, since servers before 14 look through a list one by one.
    only: (buckets, digits) =>
      ` JOIN unnest(${quoteText(`{${buckets.join(',')}}`)}::int4[]) AS wanted(bucket) ON wanted.bucket = ${bucket(digits)}`,
    // Servers before 14 look through any other list one by one.
    list: (hashes) => `SELECT unnest(${quoteText(`{${hashes.join(',')}}`)}::text[])`,
    order: 'k COLLATE "C"',
  };
}

/** In a transaction. */
export async function* rowsOf(
  client: pg.Client,
  sql: string,
  many: boolean,
): AsyncGenerator<readonly unknown[][]> {
  await client.query(WORK_MEM);
  if (!many) {
    yield (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows;
    return;
  }
  await client.query(`DECLARE sluice_rows NO SCROLL CURSOR FOR ${sql}`);
  while (true) {
    const { rows } = await client.query<unknown[]>({
      text: `FETCH ${FETCHED} FROM sluice_rows`,
      rowMode: 'array',
    });
    if (rows.length === 0) return;
    yield rows;
  }
}

function sourceName(relation: Relation, column: string): string {
  return relation.columns.find(({ name }) => name === column)?.source ?? column;
}

export function withinCondition(name: string, { from, to, nulls }: Omit<Within, 'column'>): string {
  const parts = [
    from === undefined ? undefined : `${name} >= ${quoteText(from)}`,
    to === undefined ? undefined : `${name} < ${quoteText(to)}`,
  ].filter((part) => part !== undefined);
  const inside = parts.length === 0 ? 'true' : parts.join(' AND ');
  return nulls === true ? `(${inside} OR ${name} IS NULL)` : inside;
}

/** Types whose values are found again by their text, which an index can do. */
const FOUND_BY_TEXT: ReadonlySet<string> = new Set(
  'int16 int32 int64 decimal utf8 uuid date timestamp'.split(' '),
);

/** Undefined where rows cannot be found by the text of their keys. */
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
