/**
 * The tables that are measured, as SQL that makes them on the server from the number of the row alone: the same rows on
 * every machine, in any order of making.
 */

export type ColumnKind =
  | 'int'
  | 'decimal'
  | 'double'
  | 'text'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'bool';

export interface ColumnShape {
  name: string;
  /** Type in PostgreSQL. */
  type: string;
  kind: ColumnKind;
  /** Value in row `i`. */
  value: string;
}

export interface TableShape {
  name: string;
  columns: ColumnShape[];
  /** Statements after the rows are in: keys and indexes. */
  after: string[];
}

/** A number from 0 to 2^31-1 that looks random; `salt` makes another one. */
export function hash(salt: number): string {
  return `(hashint4(i + ${salt * 7919}) & 2147483647)`;
}

export function oneOf(values: readonly string[], salt: number): string {
  return `(array['${values.join("','")}'])[1 + ${hash(salt)} % ${values.length}]`;
}

export function column(name: string, type: string, kind: ColumnKind, value: string): ColumnShape {
  return { name, type, kind, value };
}

/** Columns, types and widths of TPC-H's lineitem; its rules between tables and columns are left out. */
export const LINEITEM: TableShape = {
  name: 'lineitem',
  columns: [
    column('l_orderkey', 'bigint', 'int', 'i / 4 + 1'),
    column('l_partkey', 'integer', 'int', `${hash(1)} % 200000 + 1`),
    column('l_suppkey', 'integer', 'int', `${hash(2)} % 10000 + 1`),
    column('l_linenumber', 'integer', 'int', 'i % 4 + 1'),
    column('l_quantity', 'numeric(15,2)', 'decimal', `${hash(3)} % 50 + 1`),
    column('l_extendedprice', 'numeric(15,2)', 'decimal', `(${hash(4)} % 10404950 + 90000) / 100.0`),
    column('l_discount', 'numeric(15,2)', 'decimal', `${hash(5)} % 11 / 100.0`),
    column('l_tax', 'numeric(15,2)', 'decimal', `${hash(6)} % 9 / 100.0`),
    column('l_returnflag', 'char(1)', 'text', oneOf(['A', 'N', 'R'], 7)),
    column('l_linestatus', 'char(1)', 'text', oneOf(['O', 'F'], 8)),
    column('l_shipdate', 'date', 'date', `date '1992-01-01' + ${hash(9)} % 2526`),
    column('l_commitdate', 'date', 'date', `date '1992-01-01' + ${hash(10)} % 2526`),
    column('l_receiptdate', 'date', 'date', `date '1992-01-01' + ${hash(11)} % 2526`),
    column(
      'l_shipinstruct',
      'char(25)',
      'text',
      oneOf(['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'], 12),
    ),
    column(
      'l_shipmode',
      'char(10)',
      'text',
      oneOf(['AIR', 'MAIL', 'SHIP', 'TRUCK', 'RAIL', 'FOB', 'REG AIR'], 13),
    ),
    column(
      'l_comment',
      'varchar(44)',
      'text',
      `substr(md5(i::text) || md5((i + 1)::text), 1, 10 + ${hash(14)} % 34)`,
    ),
  ],
  after: [],
};

export const NARROW: TableShape = {
  name: 'narrow',
  columns: [
    column('id', 'bigint', 'int', 'i'),
    column('account', 'integer', 'int', `${hash(1)} % 100000`),
    column('kind', 'smallint', 'int', `${hash(2)} % 12`),
    column('amount', 'numeric(12,2)', 'decimal', `${hash(3)} % 1000000 / 100.0`),
    column('rate', 'double precision', 'double', `${hash(4)} / 1000003.0`),
    column('day', 'date', 'date', `date '2020-01-01' + ${hash(5)} % 2000`),
    column(
      'happened_at',
      'timestamptz',
      'timestamptz',
      `timestamptz '2020-01-01 00:00:00+00' + ${hash(6)} * interval '0.083017 s'`,
    ),
    column('label', 'varchar(20)', 'text', `'label ' || ${hash(7)} % 5000`),
  ],
  after: [],
};

/** One repeat of the wide table; `k` makes every column differ. */
const WIDE_KINDS: readonly ((name: string, k: number) => ColumnShape)[] = [
  (name, k) => column(name, 'integer', 'int', hash(k)),
  (name, k) => column(name, 'bigint', 'int', `${hash(k)}::bigint * 4099 + i`),
  (name, k) => column(name, 'numeric(12,2)', 'decimal', `${hash(k)} % 1000000000 / 100.0`),
  (name, k) => column(name, 'text', 'text', `'k' || ${hash(k)} % 1000`),
  (name, k) => column(name, 'integer', 'int', `${hash(k)} % 1000`),
  (name, k) => column(name, 'double precision', 'double', `${hash(k)} / 7.0`),
  (name, k) => column(name, 'date', 'date', `date '2000-01-01' + ${hash(k)} % 9000`),
  (name, k) => column(name, 'numeric(18,4)', 'decimal', `${hash(k)}::bigint * 10007 / 10000.0`),
  (name, k) => column(name, 'boolean', 'bool', `${hash(k)} % 3 = 0`),
  (name, k) =>
    column(name, 'timestamp', 'timestamp', `timestamp '2010-01-01' + ${hash(k)} * interval '0.219001 s'`),
  (name, k) =>
    column(
      name,
      'text',
      'text',
      `substr(md5((i + ${k})::text) || md5((i - ${k})::text), 1, 16 + ${hash(k)} % 40)`,
    ),
  (name, k) => column(name, 'bigint', 'int', `${hash(k)} % 1000000`),
];

/** 184 columns of all common types; in every third column one value of eight is NULL. */
export const WIDE: TableShape = {
  name: 'wide',
  columns: Array.from({ length: 184 }, (_, k) => {
    const made = WIDE_KINDS[k % WIDE_KINDS.length]!(`c${String(k).padStart(3, '0')}`, k);
    return k % 3 === 2
      ? { ...made, value: `CASE WHEN ${hash(k + 1000)} % 8 > 0 THEN ${made.value} END` }
      : made;
  }),
  after: [],
};

/** The same with a day of 2025 in each row. */
export const WIDE_YEAR: TableShape = {
  name: 'wide_year',
  columns: [column('day', 'date', 'date', `date '2025-01-01' + i % 365`), ...WIDE.columns],
  after: ['CREATE INDEX ON wide_year (day)'],
};

/** A table that changes: key, an indexed updated_at over the last three years, and some of everything. */
export const EVENTS: TableShape = {
  name: 'events',
  columns: [
    column('id', 'bigint', 'int', 'i'),
    column('customer_id', 'integer', 'int', `${hash(1)} % 500000`),
    column('status', 'text', 'text', oneOf(['new', 'paid', 'packed', 'sent', 'returned'], 2)),
    column('amount', 'numeric(12,2)', 'decimal', `${hash(3)} % 1000000 / 100.0`),
    column('quantity', 'integer', 'int', `${hash(4)} % 20 + 1`),
    column('note', 'varchar(40)', 'text', `substr(md5(i::text), 1, 8 + ${hash(5)} % 24)`),
    column(
      'created_at',
      'timestamptz',
      'timestamptz',
      `timestamptz '2023-01-01 00:00:00+00' + i * interval '18 s'`,
    ),
    column(
      'updated_at',
      'timestamptz',
      'timestamptz',
      `timestamptz '2023-01-01 00:00:00+00' + i * interval '18 s' + ${hash(6)} % 86400 * interval '1 s'`,
    ),
  ],
  after: ['ALTER TABLE events ADD PRIMARY KEY (id)', 'CREATE INDEX ON events (updated_at)'],
};
