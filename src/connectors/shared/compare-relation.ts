/**
 * A relation of a SQL database as one side of a comparison: the statements, and what their results mean. What differs between
 * systems is a {@link CompareDialect}; where the rows are is a {@link ComparedRelation}.
 */
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
import { DataError } from '../../core/errors.ts';
import type { SliceRange } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { quoteText } from './quote.ts';
import { keyColumns, type Operand, type RowDialect, rowText } from './row-hash.ts';

export interface CompareDialect {
  readonly rows: RowDialect;
  /** Whether the server's own text stands for values of columns that both sides have with the same native type. */
  readonly ownText?: (type: LogicalType) => boolean;
  /** A value as text, for people. */
  readonly text: (expression: string, type?: LogicalType) => string;
  /** The bucket of a hash `k`, a number. */
  bucket(digits: number): string;
  /** Sum over the first 60 bits of the hashes `h`. */
  readonly checksum: string;
  /** Keeps an optimiser from computing an expression again wherever it is used; empty where none does. */
  readonly fence: string;
  /** Goes after FROM: only rows whose bucket is one of these. */
  only(buckets: readonly number[], digits: number): string;
  /** Goes into the brackets of IN: hashes, of which there may be thousands. */
  list(hashes: readonly string[]): string;
  /** Of a hash, to sort by its bytes. */
  readonly order: string;
}

export interface ComparedRelation {
  /** Body of a FROM clause. */
  readonly from: string;
  /** All of them hold for every row that is compared. */
  readonly conditions: readonly string[];
  /** What the canonical text of a column is made of. */
  column(column: ComparedColumn): Operand;
  /** The column itself, as its least value is looked for. */
  plain(column: string): string;
  within(within: Within): string;
  /** Undefined: all rows. */
  waiting(range: SliceRange): string | undefined;
  /** True for these rows, and maybe for others: spares hashing all to find a few. */
  find?(keys: readonly ComparedColumn[], rows: readonly NamedRow[]): string | undefined;
  /** Greater in newer versions of a row, where the relation keeps all. */
  readonly version?: string | undefined;
  readonly without?: ReadonlySet<string>;
}

/** Runs a statement and gives its rows in batches; `many`: they do not fit memory. */
export type AskRows = (
  sql: string,
  how: { many: boolean; signal: AbortSignal },
) => AsyncGenerator<readonly unknown[][]>;

export function compareRelation(
  relation: ComparedRelation,
  dialect: CompareDialect,
  ask: AskRows,
): Comparable {
  return {
    ...(relation.without && { without: relation.without }),
    async buckets(given, signal) {
      const request = inOwnText(given, dialect);
      const { text } = dialect;
      const sql = `SELECT ${dialect.bucket(request.digits)}, ${text('count(*)')}, ${text(dialect.checksum)} FROM ${hashed({ relation, dialect, request })} GROUP BY 1`;
      const found: Bucket[] = [];
      for await (const batch of ask(sql, { many: false, signal }))
        for (const [bucket, rows, checksum] of batch) {
          if (bucket === null) throw rowTooLong();
          found.push({ bucket: Number(bucket), rows: Number(rows), checksum: String(checksum) });
        }
      return found;
    },
    async *rows(given, buckets, signal) {
      const request = inOwnText(given, dialect);
      const names = keyColumns(request).map(({ name, type }) => dialect.text(alias(request, name), type));
      const only = buckets === undefined ? '' : dialect.only(buckets, request.digits);
      const sql = `SELECT k, h, waiting${names.map((_, i) => `, n${i}`).join('')} FROM ${hashed({ relation, dialect, request, texts: names, only })} ORDER BY ${dialect.order}`;
      for await (const batch of ask(sql, { many: true, signal }))
        yield hashedRows(batch, names.length, given);
    },
    async values(given, looked, signal) {
      const request = inOwnText(given, dialect);
      const operand = operandOf(request, relation);
      const canonical = request.columns.map((column) => rowText([column], operand, dialect.rows));
      const shown = request.columns.map(
        ({ name, type }) => `left(${dialect.text(alias(request, name), type)}, ${SHOWN})`,
      );
      const texts = [...canonical, ...shown];
      const only = ` WHERE k IN (${looked.map(({ key }) => quoteText(key)).join(', ')})`;
      const sql = `SELECT k, h${texts.map((_, i) => `, n${i}`).join('')} FROM ${hashed({ relation, dialect, request, texts, only, looked })}`;
      const found: RowValues[] = [];
      for await (const batch of ask(sql, { many: false, signal }))
        for (const row of batch as readonly (string | null)[][])
          found.push({
            key: row[0]!,
            row: row[1]!,
            canonical: row.slice(2, 2 + canonical.length),
            shown: row.slice(2 + canonical.length),
          });
      return found;
    },
    among({ columns }, hashes) {
      const hash = hashSql(columns, (column) => relation.column(column), dialect);
      return { kind: 'condition', sql: `${hash} IN (${dialect.list(hashes)})` };
    },
    async count(range, signal) {
      const conditions = [...relation.conditions, relation.waiting(range)].filter(
        (each) => each !== undefined,
      );
      const sql = `SELECT ${dialect.text('count(*)')} FROM ${relation.from}${whereAll(conditions)}`;
      let rows = 0;
      for await (const batch of ask(sql, { many: false, signal })) rows += Number(batch[0]?.[0]);
      return rows;
    },
    async least(column, signal) {
      const least = dialect.text(`min(${relation.plain(column)})`);
      const sql = `SELECT ${least} FROM ${relation.from}${whereAll(relation.conditions)}`;
      for await (const batch of ask(sql, { many: false, signal }))
        return (batch[0]?.[0] as string | null | undefined) ?? undefined;
      return undefined;
    },
    async counts(column, signal) {
      const text = dialect.text(relation.plain(column));
      // Collations may take two texts for one.
      const sql = `SELECT min(${text}), ${dialect.text('count(*)')} FROM ${relation.from} GROUP BY ${dialect.rows.md5(text)}`;
      const counts = new Map<string | null, number>();
      for await (const batch of ask(sql, { many: false, signal }))
        for (const [value, rows] of batch) counts.set(value as string | null, Number(rows));
      return counts;
    },
  };
}

/** Characters of a value that is shown. */
const SHOWN = 200;

/** Where both sides print a value in the same way, what a canonical text has no place for can be told apart too. */
function inOwnText<R extends Pick<CompareRequest, 'columns'>>(request: R, { ownText }: CompareDialect): R {
  if (!ownText) return request;
  const columns = request.columns.map((column) =>
    column.native !== undefined && ownText(column.type)
      ? { ...column, type: { kind: 'utf8' } as const }
      : column,
  );
  return { ...request, columns };
}

/** The hash of a row that consists of these columns alone: the same as in a comparison of them. */
export function hashSql(
  columns: readonly ComparedColumn[],
  operand: ComparedRelation['column'],
  dialect: CompareDialect,
): string {
  return dialect.rows.md5(rowText(inOwnText({ columns }, dialect).columns, operand, dialect.rows));
}

function alias({ columns }: CompareRequest, name: string): string {
  return `c${columns.findIndex((column) => column.name === name)}`;
}

function operandOf(request: CompareRequest, relation: ComparedRelation): (column: ComparedColumn) => Operand {
  return (column) => ({ sql: alias(request, column.name), nullable: relation.column(column).nullable });
}

interface HashedJob {
  relation: ComparedRelation;
  dialect: CompareDialect;
  request: CompareRequest;
  /** Expressions over `c0`, `c1`, …, which become `n0`, `n1`, …. */
  texts?: readonly string[];
  /** Of keys `k`. */
  only?: string;
  looked?: readonly NamedRow[];
}

/** Subquery with `k`, `h`, `waiting` and the texts of all rows that are compared. Each column is computed once, below a fence. */
function hashed({ relation, dialect, request, texts = [], only = '', looked }: HashedJob): string {
  const { columns, within } = request;
  const operand = operandOf(request, relation);
  const keys = keyColumns(request);
  const md5 = (some: readonly ComparedColumn[]): string =>
    dialect.rows.md5(rowText(some, operand, dialect.rows));
  const key = md5(keys.length === 0 ? columns : keys);
  const row = keys.length === 0 ? 'k' : md5(columns);
  const versions = request.current && keys.length > 0 ? relation.version : undefined;
  const inside = within ? relation.within(within) : undefined;
  const conditions = [
    ...relation.conditions,
    // A newer version may lie outside.
    versions === undefined ? inside : undefined,
    looked && relation.find?.(keys, looked),
  ].filter((condition) => condition !== undefined);
  const waits = request.waiting && (relation.waiting(request.waiting) ?? '1 = 1');
  const list = [
    ...columns.map((column, i) => `${relation.column(column).sql} AS c${i}`),
    `${flag(waits ?? '1 = 0')} AS waiting`,
    ...(versions === undefined ? [] : [`${versions} AS version`, `${flag(inside ?? '1 = 1')} AS inside`]),
  ];
  const { fence } = dialect;
  const values = `(SELECT ${list.join(', ')} FROM ${relation.from}${whereAll(conditions)}${fence}) AS v`;
  const keyed = `(SELECT ${key} AS k, v.* FROM ${values}${fence}) AS r${only}`;
  const named = texts.map((text, i) => `, ${text} AS n${i}`).join('');
  const more = versions === undefined ? '' : ', version, inside';
  const rows = `(SELECT k, ${row} AS h, waiting${more}${named} FROM ${keyed}${fence}) AS s`;
  if (versions === undefined) return rows;
  const numbered = `SELECT s.*, row_number() OVER (PARTITION BY k ORDER BY version DESC) AS nth FROM ${rows}`;
  return `(SELECT * FROM (${numbered}) AS t WHERE nth = 1 AND inside = 1) AS u`;
}

function flag(condition: string): string {
  return `CASE WHEN ${condition} THEN 1 ELSE 0 END`;
}

function whereAll(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

function hashedRows(batch: readonly unknown[][], names: number, { waiting }: CompareRequest): HashedRows {
  const rows = batch.map((row) => row[1] as string | null);
  if (rows.includes(null)) throw rowTooLong();
  return {
    keys: batch.map((row) => row[0] as string),
    rows: rows as string[],
    waiting: waiting && batch.map((row) => Number(row[2]) === 1),
    names: Array.from({ length: names }, (_, i) => batch.map((row) => row[3 + i] as string | null)),
  };
}

/** MySQL gives NULL, with a warning that nobody sees, in place of a text that is longer than a packet. */
function rowTooLong(): DataError {
  return new DataError('comparing rows: the text of a row is longer than the server can make', {
    code: 'verify.row_too_long',
    remedy:
      'raise max_allowed_packet of the server, or leave the largest columns out with `columns: { exclude: […] }`',
  });
}
