/** What the types of a dump become. */
import type { LogicalType } from '../../core/types.ts';
import { MYSQL_TYPES, mysqlType } from '../shared/mysql-types.ts';
import { logicalType, numericType, POSTGRES_TYPES } from '../shared/postgres-types.ts';
import type { FieldForm } from '../shared/text/records.ts';
import type { DumpColumn } from './create-table.ts';
import type { DumpIndex } from './dump-index.ts';

export interface ColumnType {
  type: LogicalType;
  form: FieldForm | undefined;
  /** For a column of the same system, where rows fit it as they come. */
  native: string | undefined;
}

export function columnType(column: DumpColumn, index: DumpIndex): ColumnType {
  return index.syntax === 'mysql' ? mysqlColumn(column, index) : postgresColumn(column.type, index);
}

/** Names in pg_type of types that have others in SQL. */
const POSTGRES_NAMES: Readonly<Record<string, string>> = {
  smallint: 'int2',
  smallserial: 'int2',
  serial2: 'int2',
  integer: 'int4',
  int: 'int4',
  serial: 'int4',
  serial4: 'int4',
  bigint: 'int8',
  bigserial: 'int8',
  serial8: 'int8',
  real: 'float4',
  'double precision': 'float8',
  float: 'float8',
  boolean: 'bool',
  'character varying': 'varchar',
  character: 'bpchar',
  char: 'bpchar',
  decimal: 'numeric',
  dec: 'numeric',
};

/** The other way round, for types whose values are sent in the form of their logical type. */
const SPELLED: Readonly<Record<string, string>> = {
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  float4: 'real',
  float8: 'double precision',
  bool: 'boolean',
  varchar: 'character varying',
  bpchar: 'character',
  text: 'text',
  json: 'json',
  bytea: 'bytea',
  uuid: 'uuid',
  date: 'date',
  numeric: 'numeric',
};
const TIMES: Readonly<Record<string, readonly [name: string, zone: string]>> = {
  time: ['time', 'without time zone'],
  timestamp: ['timestamp', 'without time zone'],
  timestamptz: ['timestamp', 'with time zone'],
};

const POSTGRES_TYPE =
  /^(?:pg_catalog\.)?([a-z_][a-z0-9_]*(?: (?:varying|precision))?)\s*(?:\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\))?(?:\s+(with|without) time zone)?$/;

function postgresColumn(written: string, index: DumpIndex): ColumnType {
  const text: ColumnType = { type: { kind: 'utf8' }, form: undefined, native: undefined };
  const plain = written.toLowerCase().replace(/"/g, '').replace(/\s+/g, ' ');
  const match = POSTGRES_TYPE.exec(plain);
  if (!match) {
    const domain = domainOf(plain, index);
    return domain === undefined ? text : postgresColumn(domain, index);
  }
  const [, sql, first, second, zone] = match;
  const named = Object.hasOwn(POSTGRES_NAMES, sql!) ? POSTGRES_NAMES[sql!]! : sql!;
  const name = zone === 'with' ? `${named}tz` : named;
  if (name === 'numeric') {
    const type = first === undefined ? undefined : numericType(Number(first), Number(second ?? 0));
    return type ? { ...text, type, native: `numeric(${first},${second ?? 0})` } : text;
  }
  if (!Object.hasOwn(POSTGRES_TYPES, name)) {
    const domain = domainOf(plain, index);
    return domain === undefined ? text : postgresColumn(domain, index);
  }
  const size = first === undefined ? (name === 'bpchar' ? '(1)' : '') : `(${first})`;
  const time = TIMES[name];
  const spelled = time
    ? `${time[0]}${size} ${time[1]}`
    : name in SPELLED
      ? `${SPELLED[name]}${size}`
      : undefined;
  return {
    type: logicalType(POSTGRES_TYPES[name]!),
    form: name === 'bytea' ? 'hex' : formOf(logicalType(POSTGRES_TYPES[name]!), 'written'),
    native: sql === 'float' ? 'double precision' : spelled,
  };
}

function domainOf(type: string, { domains }: DumpIndex): string | undefined {
  const name = type.split('.').at(-1)!;
  return Object.hasOwn(domains, name) && domains[name]!.toLowerCase() !== type ? domains[name] : undefined;
}

function formOf({ kind }: LogicalType, moments: FieldForm): FieldForm | undefined {
  return kind === 'date' || kind === 'timestamp' ? moments : undefined;
}

const MYSQL_NAMES: Readonly<Record<string, string>> = {
  integer: 'int',
  int1: 'tinyint',
  int2: 'smallint',
  int3: 'mediumint',
  int4: 'int',
  int8: 'bigint',
  bool: 'tinyint',
  boolean: 'tinyint',
  dec: 'decimal',
  numeric: 'decimal',
  fixed: 'decimal',
  real: 'double',
  nchar: 'char',
  nvarchar: 'varchar',
  character: 'char',
  national: 'varchar',
};

const GEOMETRIES = /^(?:multi)?(?:point|linestring|polygon)$|^geom/;
const MYSQL_TYPE = /^(\w+)\s*(?:\(([^)]*)\))?/;

function mysqlColumn(column: DumpColumn, index: DumpIndex): ColumnType {
  const written = column.type.toLowerCase();
  const [, sql = '', inner = ''] = MYSQL_TYPE.exec(written) ?? [];
  const name = Object.hasOwn(MYSQL_NAMES, sql) ? MYSQL_NAMES[sql]! : sql;
  const [first, second] = inner.split(',').map(Number);
  const bits = name === 'bit';
  const native = { native: undefined };
  const found = {
    name: column.json ? 'json' : name === 'float' && first! > 24 && second === undefined ? 'double' : name,
    unsigned: /\bunsigned\b|\bzerofill\b/.test(written),
    precision: first || (name === 'decimal' ? 10 : bits ? 1 : 0),
    scale: second ?? 0,
    display: first,
  };
  const known = Object.hasOwn(MYSQL_TYPES, found.name) || bits || name === 'decimal';
  const type: LogicalType = known ? mysqlType(found) : { kind: 'utf8' };
  if (type.kind === 'timestamp' && type.zone)
    // Without a zone nobody knows which moments these are.
    return isUtc(index.zone)
      ? { type, form: 'utc', ...native }
      : { type: { kind: 'timestamp', zone: false }, form: 'mysql', ...native };
  return {
    type,
    form: bits ? 'bits' : GEOMETRIES.test(name) ? 'geometry' : formOf(type, 'mysql'),
    ...native,
  };
}

export function isUtc(zone: string | undefined): boolean {
  return zone === '+00:00' || zone?.toUpperCase() === 'UTC';
}
