/** What types of PostgreSQL become, whether a server sends them or a dump has them. */
import type { LogicalType } from '../../core/types.ts';

/** Types of pg_catalog with an equal; everything else becomes text. */
export const POSTGRES_TYPES: Readonly<Record<string, LogicalType['kind'] | 'timestamptz'>> = {
  bool: 'bool',
  int2: 'int16',
  int4: 'int32',
  int8: 'int64',
  oid: 'int64',
  float4: 'float32',
  float8: 'float64',
  text: 'utf8',
  varchar: 'utf8',
  bpchar: 'utf8',
  name: 'utf8',
  json: 'json',
  jsonb: 'json',
  bytea: 'binary',
  uuid: 'uuid',
  date: 'date',
  time: 'time',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  inet: 'utf8',
};

/** The logical type that a name of {@link POSTGRES_TYPES} stands for. */
export function logicalType(name: LogicalType['kind'] | 'timestamptz'): LogicalType {
  if (name === 'timestamptz') return { kind: 'timestamp', zone: true };
  return name === 'timestamp' ? { kind: 'timestamp', zone: false } : ({ kind: name } as LogicalType);
}

/** numeric(p,s) is a decimal while 38 digits hold it; undefined: larger, or without precision, so that only text is exact. */
export function numericType(declared: number, scale: number): LogicalType | undefined {
  const precision = scale < 0 ? declared - scale : Math.max(declared, scale);
  return precision > 38 ? undefined : { kind: 'decimal', precision, scale: Math.max(scale, 0) };
}
