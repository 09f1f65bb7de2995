/**
 * SQL by which a table of PostgreSQL and a table of a lake can be compared. Each side turns a row into the same text,
 * which is written here once for each side, and hashes it where the row is.
 *
 * The text of a row is its values in the order of the columns: with a comma between them, NULL as nothing, and what may
 * hold any character with its length in bytes in front, so that no two different rows have the same text. Two sums
 * over 60 bits each of the MD5 of all rows do not depend on the order of the rows, and a row that is there twice counts
 * twice. Together with the number of rows, tables that differ come out equal with a probability of 2^-120.
 */
import { duckName } from '../duckdb/types.ts';

export interface ColumnFact {
  name: string;
  /** pg_type.typname of the base type. */
  type: string;
  /** pg_type.typcategory: `A` is an array. */
  category: string;
}

/** One side of the comparison: a table and how its rows become text. */
export interface Side {
  table: string;
  /** Expression for a row. */
  row: string;
  /** Expression for its key. */
  key: string;
  /** The values of the key, each as text. */
  keyValues: string;
  /** `sum` over hexadecimal digits of the column `hash`. */
  sum: (digits: string) => string;
}

interface Writer {
  /** Bytes of a text, as text. */
  bytes: (text: string) => string;
  name: (name: string) => string;
  /** The value as text, exactly. */
  value: (column: ColumnFact, name: string) => string;
}

export function postgresSide(table: string, columns: readonly ColumnFact[], key: readonly string[]): Side {
  const sum = (digits: string): string => `coalesce(sum(('x' || ${digits})::bit(60)::bigint), 0)::text`;
  return side(table, columns, key, POSTGRES, sum);
}

export function lakeSide(table: string, columns: readonly ColumnFact[], key: readonly string[]): Side {
  const sum = (digits: string): string => `coalesce(sum(('0x' || ${digits})::BIGINT), 0)::VARCHAR`;
  return side(duckName(table), columns, key, LAKE, sum);
}

/** Rows and checksum of a whole table: `rows`, `low`, `high`. */
export function checksumSql({ table, row, sum }: Side): string {
  // Without the offset the server would compute each hash twice.
  return `select ${TOTALS(sum)} from (select md5(${row}) as hash from ${table} offset 0) hashed`;
}

/** The same by groups of rows, 256 of them, that depend on the key only. */
export function bucketSql({ table, row, key, sum }: Side): string {
  return `select bucket, ${TOTALS(sum)}
    from (select ${bucketOf(key)} as bucket, md5(${row}) as hash from ${table} offset 0) hashed group by bucket`;
}

/** Key and hash of the rows of one of the groups. */
export function rowsSql({ table, row, key, keyValues }: Side, bucket: string): string {
  return `select ${keyValues} as key, md5(${row}) as hash from ${table} where ${bucketOf(key)} = '${bucket}'`;
}

const TOTALS = (sum: Side['sum']): string =>
  `count(*)::text as rows, ${sum('left(hash, 15)')} as low, ${sum('right(hash, 15)')} as high`;

function bucketOf(key: string): string {
  return `left(md5(${key}), 2)`;
}

function side(
  table: string,
  columns: readonly ColumnFact[],
  key: readonly string[],
  writer: Writer,
  sum: Side['sum'],
): Side {
  const keys = columns.filter(({ name }) => key.includes(name));
  const text = (all: readonly ColumnFact[]): string =>
    all.map((column) => field(column, writer)).join(` || ',' || `);
  const values = keys.map((column) => writer.value(column, writer.name(column.name)));
  return { table, row: text(columns), key: text(keys), keyValues: values.join(` || ', ' || `), sum };
}

function field(column: ColumnFact, { bytes, name, value }: Writer): string {
  const text = value(column, name(column.name));
  return `coalesce(${WITHOUT_COMMA.has(column.type) ? text : `${bytes(text)} || ':' || ${text}`}, '')`;
}

/** Types whose text never holds a comma and is never empty. */
const WITHOUT_COMMA: ReadonlySet<string> = new Set([
  ...['bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'date', 'timestamp', 'timestamptz', 'uuid'],
]);

const POSTGRES: Writer = {
  bytes: (text) => `octet_length(${text})::text`,
  name: (name) => `"${name.replaceAll('"', '""')}"`,
  value: ({ type, category }, name) => {
    // A lake keeps arrays as JSON.
    if (category === 'A') return `to_json(${name})::text`;
    switch (type) {
      case 'float4':
        return `('x' || encode(float4send(${name}), 'hex'))::bit(32)::text`;
      case 'float8':
        return `('x' || encode(float8send(${name}), 'hex'))::bit(64)::text`;
      case 'timestamp':
      case 'timestamptz':
        return `(extract(epoch from ${name}) * 1000000)::bigint::text`;
      case 'bytea':
        return `encode(${name}, 'hex')`;
      case 'bpchar':
        // A cast to text would cut off the blanks at the end.
        return `case when ${name} is not null then format('%s', ${name}) end`;
      default:
        return `${name}::text`;
    }
  },
};

const LAKE: Writer = {
  bytes: (text) => `strlen(${text})::VARCHAR`,
  name: duckName,
  value: ({ type, category }, name) => {
    if (category === 'A') return name;
    switch (type) {
      case 'float4':
      case 'float8':
        return `${name}::BIT::VARCHAR`;
      case 'timestamp':
      case 'timestamptz':
        return `epoch_us(${name})::VARCHAR`;
      case 'bytea':
        return `lower(hex(${name}))`;
      default:
        return `${name}::VARCHAR`;
    }
  },
};
