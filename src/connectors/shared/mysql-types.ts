/** What types of MySQL and MariaDB become, whether a server sends them or a dump has them. */
import type { LogicalType } from '../../core/types.ts';

type Kind = LogicalType['kind'] | 'timestamptz';

/** By name, and for the unsigned variant where that is another one; everything else becomes text. */
export const MYSQL_TYPES: Readonly<Record<string, readonly [signed: Kind, unsigned?: Kind]>> = {
  tinyint: ['int16'],
  smallint: ['int16', 'int32'],
  mediumint: ['int32'],
  int: ['int32', 'int64'],
  bigint: ['int64', 'decimal'],
  year: ['int16'],
  float: ['float32'],
  double: ['float64'],
  date: ['date'],
  datetime: ['timestamp'],
  timestamp: ['timestamptz'],
  // From -838:59:59 to 838:59:59: a span, not a time of day.
  time: ['utf8'],
  char: ['utf8'],
  varchar: ['utf8'],
  tinytext: ['utf8'],
  text: ['utf8'],
  mediumtext: ['utf8'],
  longtext: ['utf8'],
  enum: ['utf8'],
  set: ['utf8'],
  json: ['json'],
  uuid: ['uuid'],
  inet4: ['utf8'],
  inet6: ['utf8'],
  binary: ['binary'],
  varbinary: ['binary'],
  tinyblob: ['binary'],
  blob: ['binary'],
  mediumblob: ['binary'],
  longblob: ['binary'],
  vector: ['binary'],
  geometry: ['binary'],
  point: ['binary'],
  linestring: ['binary'],
  polygon: ['binary'],
  multipoint: ['binary'],
  multilinestring: ['binary'],
  multipolygon: ['binary'],
  geomcollection: ['binary'],
  geometrycollection: ['binary'],
};

/** 20 digits hold every bigint unsigned and every bit(64). */
const BIGINT_UNSIGNED: LogicalType = { kind: 'decimal', precision: 20, scale: 0 };

/** A column's type as information_schema, the server's answer to a query, or DDL tells it. */
export interface NativeType {
  /** DATA_TYPE: `int`, `varchar`, `bit`. */
  name: string;
  unsigned: boolean;
  /** Digits of a decimal, bits of a bit, digits after the second of a time. */
  precision: number;
  scale: number;
  /** What is in the brackets of tinyint(1). */
  display: number | undefined;
}

export function mysqlType({ name, unsigned, precision, scale }: NativeType): LogicalType {
  // MySQL's decimals go to 65 digits, and the larger ones are exact text.
  if (name === 'decimal')
    return precision > 38 || precision < 1 ? { kind: 'utf8' } : { kind: 'decimal', precision, scale };
  if (name === 'bit')
    return precision === 1 ? { kind: 'bool' } : precision < 64 ? { kind: 'int64' } : BIGINT_UNSIGNED;
  const [signed, other]: readonly [Kind, Kind?] = Object.hasOwn(MYSQL_TYPES, name)
    ? MYSQL_TYPES[name]!
    : ['utf8'];
  const kind = unsigned && other !== undefined ? other : signed;
  if (kind === 'decimal') return BIGINT_UNSIGNED;
  if (kind === 'timestamptz') return { kind: 'timestamp', zone: true };
  return kind === 'timestamp' ? { kind, zone: false } : { kind };
}
