/** The eight tables of TPC-H at scale 1: columns, widths, keys and the usual indexes; values by rules of our own. */
import { column, type ColumnShape, hash, LINEITEM, oneOf, type TableShape } from './tables.ts';

/** Of `from` to `to` letters. */
const text = (name: string, type: string, [from, to]: [number, number], salt: number): ColumnShape =>
  column(
    name,
    type,
    'text',
    `substr(md5(i::text) || md5((i + ${salt})::text) || md5((i - ${salt})::text), 1, ${from} + ${hash(salt)} % ${to - from})`,
  );
const money = (name: string, salt: number): ColumnShape =>
  column(name, 'numeric(15,2)', 'decimal', `${hash(salt)} % 10000000 / 100.0`);
const reference = (name: string, rows: number, salt: number): ColumnShape =>
  column(name, 'integer', 'int', `${hash(salt)} % ${rows} + 1`);
const key = (name: string): ColumnShape => column(name, 'integer', 'int', 'i');

/** Rows at scale 1, by table. */
export const TPCH: readonly { rows: number; shape: TableShape }[] = [
  {
    rows: 5,
    shape: {
      name: 'region',
      columns: [
        key('r_regionkey'),
        column('r_name', 'char(25)', 'text', `'REGION ' || i`),
        text('r_comment', 'varchar(152)', [20, 90], 1),
      ],
      after: ['ALTER TABLE region ADD PRIMARY KEY (r_regionkey)'],
    },
  },
  {
    rows: 25,
    shape: {
      name: 'nation',
      columns: [
        key('n_nationkey'),
        column('n_name', 'char(25)', 'text', `'NATION ' || i`),
        reference('n_regionkey', 5, 2),
        text('n_comment', 'varchar(152)', [20, 90], 3),
      ],
      after: ['ALTER TABLE nation ADD PRIMARY KEY (n_nationkey)'],
    },
  },
  {
    rows: 10_000,
    shape: {
      name: 'supplier',
      columns: [
        key('s_suppkey'),
        column('s_name', 'char(25)', 'text', `'Supplier#' || lpad(i::text, 9, '0')`),
        text('s_address', 'varchar(40)', [10, 38], 4),
        reference('s_nationkey', 25, 5),
        column('s_phone', 'char(15)', 'text', `'27-918-335-' || ${hash(6)} % 9000`),
        money('s_acctbal', 7),
        text('s_comment', 'varchar(101)', [25, 95], 8),
      ],
      after: [
        'ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey)',
        'CREATE INDEX supplier_nation ON supplier (s_nationkey)',
      ],
    },
  },
  {
    rows: 150_000,
    shape: {
      name: 'customer',
      columns: [
        key('c_custkey'),
        column('c_name', 'varchar(25)', 'text', `'Customer#' || lpad(i::text, 9, '0')`),
        text('c_address', 'varchar(40)', [10, 38], 9),
        reference('c_nationkey', 25, 10),
        column('c_phone', 'char(15)', 'text', `'27-918-335-' || ${hash(11)} % 9000`),
        money('c_acctbal', 12),
        column(
          'c_mktsegment',
          'char(10)',
          'text',
          oneOf(['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD'], 13),
        ),
        text('c_comment', 'varchar(117)', [29, 95], 14),
      ],
      after: [
        'ALTER TABLE customer ADD PRIMARY KEY (c_custkey)',
        'CREATE INDEX customer_nation ON customer (c_nationkey)',
      ],
    },
  },
  {
    rows: 200_000,
    shape: {
      name: 'part',
      columns: [
        key('p_partkey'),
        text('p_name', 'varchar(55)', [20, 50], 15),
        column('p_mfgr', 'char(25)', 'text', `'Manufacturer#' || ${hash(16)} % 5`),
        column('p_brand', 'char(10)', 'text', `'Brand#' || ${hash(17)} % 55`),
        text('p_type', 'varchar(25)', [12, 25], 18),
        column('p_size', 'integer', 'int', `${hash(19)} % 50 + 1`),
        column(
          'p_container',
          'char(10)',
          'text',
          oneOf(['SM CASE', 'LG BOX', 'MED BAG', 'JUMBO PKG', 'WRAP CAN'], 20),
        ),
        money('p_retailprice', 21),
        text('p_comment', 'varchar(23)', [5, 22], 22),
      ],
      after: ['ALTER TABLE part ADD PRIMARY KEY (p_partkey)'],
    },
  },
  {
    rows: 800_000,
    shape: {
      name: 'partsupp',
      columns: [
        column('ps_partkey', 'integer', 'int', '(i + 3) / 4'),
        column('ps_suppkey', 'integer', 'int', '((i + 3) / 4 * 4 + i % 4 * 2501) % 10000 + 1'),
        column('ps_availqty', 'integer', 'int', `${hash(24)} % 9999 + 1`),
        money('ps_supplycost', 25),
        text('ps_comment', 'varchar(199)', [49, 95], 26),
      ],
      after: [
        'ALTER TABLE partsupp ADD PRIMARY KEY (ps_partkey, ps_suppkey)',
        'CREATE INDEX partsupp_supplier ON partsupp (ps_suppkey)',
      ],
    },
  },
  {
    rows: 1_500_000,
    shape: {
      name: 'orders',
      columns: [
        column('o_orderkey', 'bigint', 'int', 'i'),
        reference('o_custkey', 150_000, 27),
        column('o_orderstatus', 'char(1)', 'text', oneOf(['F', 'O', 'P'], 28)),
        money('o_totalprice', 29),
        column('o_orderdate', 'date', 'date', `date '1992-01-01' + ${hash(30)} % 2406`),
        column(
          'o_orderpriority',
          'char(15)',
          'text',
          oneOf(['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'], 31),
        ),
        column('o_clerk', 'char(15)', 'text', `'Clerk#' || lpad((${hash(32)} % 1000)::text, 9, '0')`),
        column('o_shippriority', 'integer', 'int', '0'),
        text('o_comment', 'varchar(79)', [19, 78], 33),
      ],
      after: [
        'ALTER TABLE orders ADD PRIMARY KEY (o_orderkey)',
        'CREATE INDEX orders_customer ON orders (o_custkey)',
        'CREATE INDEX orders_date ON orders (o_orderdate)',
      ],
    },
  },
  {
    rows: 6_000_000,
    shape: {
      ...LINEITEM,
      after: [
        'ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber)',
        'CREATE INDEX lineitem_shipped ON lineitem (l_shipdate)',
        'CREATE INDEX lineitem_part ON lineitem (l_partkey, l_suppkey)',
      ],
    },
  },
];
