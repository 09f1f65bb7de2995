/**
 * SQL by which a table of PostgreSQL and a table of a lake can be compared. Each side turns a row into the same text,
 * which is written here once for each side, and hashes it where the row is.
 *
 * The text of a row is its values in the order of the columns: with a comma between them, NULL as nothing, and what may
 * hold any character with its length in bytes in front, so that no two different rows have the same text. The sum over
 * 60 bits of the MD5 of each row does not depend on the order of the rows, and a row that is there twice counts twice.
 * Tables that differ come out equal with a probability of 2^-60.
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
  /** Expression for the key as people read it: `order_id 9, line_no 1`. */
  label: string;
  /** Sum of the hashes of all rows, as text. */
  sum: string;
}

interface Writer {
  /** Bytes of a text, as text. */
  bytes: (text: string) => string;
  name: (name: string) => string;
  /** Sum over the first 60 bits of the hash of each text, as text. */
  sum: (text: string) => string;
  /** The value as text, exactly. */
  value: (column: ColumnFact, name: string) => string;
}

export function postgresSide(table: string, columns: readonly ColumnFact[], key: readonly string[]): Side {
  return side(table, columns, key, POSTGRES);
}

export function lakeSide(table: string, columns: readonly ColumnFact[], key: readonly string[]): Side {
  return side(duckName(table), columns, key, LAKE);
}

/** Number of rows and their checksum. */
export function checksumSql({ table, sum }: Side): string {
  return `select count(*)::text, ${sum} from ${table}`;
}

/** The same by groups of rows, 256 of them, that depend on the key only. */
export function bucketSql({ table, key, sum }: Side): string {
  return `select ${bucketOf(key)} as bucket, count(*)::text, ${sum} from ${table} group by bucket`;
}

/** Key (for people) and hash of the rows of one of the groups. */
export function rowsSql({ table, row, key, label }: Side, bucket: string): string {
  return `select ${label} as key, md5(${row}) as hash from ${table} where ${bucketOf(key)} = '${bucket}'`;
}

function bucketOf(key: string): string {
  return `left(md5(${key}), 2)`;
}

function side(table: string, columns: readonly ColumnFact[], key: readonly string[], writer: Writer): Side {
  const keys = columns.filter(({ name }) => key.includes(name));
  const text = (all: readonly ColumnFact[]): string =>
    all.map((column) => field(column, writer)).join(` || ',' || `);
  const labels = keys.map((column) => {
    const name = `'${column.name.replaceAll("'", "''")} '`;
    return `${name} || ${writer.value(column, writer.name(column.name))}`;
  });
  const row = text(columns);
  return { table, row, key: text(keys), label: labels.join(` || ', ' || `), sum: writer.sum(row) };
}

function field(column: ColumnFact, { bytes, name, value }: Writer): string {
  const text = value(column, name(column.name));
  return `coalesce(${WITHOUT_COMMA.has(column.type) ? text : `${bytes(text)} || ':' || ${text}`}, '')`;
}

/** Types whose text never holds a comma and is never empty. */
const WITHOUT_COMMA: ReadonlySet<string> = new Set(
  'bool int2 int4 int8 float4 float8 numeric date timestamp timestamptz uuid'.split(' '),
);

const POSTGRES: Writer = {
  bytes: (text) => `octet_length(${text})::text`,
  name: (name) => `"${name.replaceAll('"', '""')}"`,
  sum: (text) => `coalesce(sum(('x' || left(md5(${text}), 15))::bit(60)::bigint), 0)::text`,
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
  sum: (text) => `coalesce(sum(('0x' || left(md5(${text}), 15))::BIGINT), 0)::VARCHAR`,
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
