import { ConfigError } from '../../core/errors.ts';
import { type LogicalType, parseType } from '../../core/types.ts';
import { quoteBackticks } from '../shared/quote.ts';
import type { WireFormat } from './row-columns.ts';

/** A column's type as information_schema or the server's answer to a query tells it. */
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

/** How a column is selected, what arrives on the wire and what it becomes. */
export interface ColumnMapping {
  type: LogicalType;
  format: WireFormat;
  /** Expression put to the server. */
  select: string;
}

export interface Rule {
  type: LogicalType['kind'] | 'timestamptz';
  format: WireFormat;
  /** The same for the unsigned variant. */
  unsigned?: { type: LogicalType['kind']; format: WireFormat };
  /** `{}` stands for the column; absent: the column itself. */
  cast?: string;
}

const TEXT: Rule = { type: 'utf8', format: 'text' };
const BINARY: Rule = { type: 'binary', format: 'bytes' };
const AS_TEXT: Rule = { type: 'utf8', format: 'text', cast: 'CAST({} AS CHAR)' };
const AS_WKB: Rule = { type: 'binary', format: 'bytes', cast: 'ST_AsWKB({})' };

/** 20 digits hold every bigint unsigned and every bit(64). */
const BIGINT_UNSIGNED: LogicalType = { kind: 'decimal', precision: 20, scale: 0 };

/** Types with a form of their own; everything else becomes text. TYPES.md is this table for people. */
export const TYPE_RULES: Readonly<Record<string, Rule>> = {
  tinyint: { type: 'int16', format: 'int1', unsigned: { type: 'int16', format: 'uint1' } },
  smallint: { type: 'int16', format: 'int2', unsigned: { type: 'int32', format: 'uint2' } },
  mediumint: { type: 'int32', format: 'int4', unsigned: { type: 'int32', format: 'int4' } },
  int: { type: 'int32', format: 'int4', unsigned: { type: 'int64', format: 'uint4' } },
  bigint: { type: 'int64', format: 'int8', unsigned: { type: 'decimal', format: 'uint8' } },
  year: { type: 'int16', format: 'int2' },
  float: { type: 'float32', format: 'float4' },
  double: { type: 'float64', format: 'float8' },
  date: { type: 'date', format: 'date' },
  datetime: { type: 'timestamp', format: 'datetime' },
  timestamp: { type: 'timestamptz', format: 'datetime' },
  // From -838:59:59 to 838:59:59: a span, not a time of day.
  time: AS_TEXT,
  char: TEXT,
  varchar: TEXT,
  tinytext: TEXT,
  text: TEXT,
  mediumtext: TEXT,
  longtext: TEXT,
  enum: TEXT,
  set: TEXT,
  json: { type: 'json', format: 'text' },
  uuid: { type: 'uuid', format: 'parsed' },
  inet4: AS_TEXT,
  inet6: AS_TEXT,
  binary: BINARY,
  varbinary: BINARY,
  tinyblob: BINARY,
  blob: BINARY,
  mediumblob: BINARY,
  longblob: BINARY,
  vector: BINARY,
  geometry: AS_WKB,
  point: AS_WKB,
  linestring: AS_WKB,
  polygon: AS_WKB,
  multipoint: AS_WKB,
  multilinestring: AS_WKB,
  multipolygon: AS_WKB,
  geomcollection: AS_WKB,
  geometrycollection: AS_WKB,
};

/** Settings of the connection that decide about types. */
export interface TypeSettings {
  tinyint1AsBool: boolean;
}

/** Maps a column by its catalog type. */
export function mapColumn(column: string, native: NativeType, settings: TypeSettings): ColumnMapping {
  const name = quoteBackticks(column);
  if (native.name === 'decimal') return mapDecimal(name, native);
  if (native.name === 'bit') return mapBit(name, native);
  if (native.name === 'tinyint' && native.display === 1 && settings.tinyint1AsBool && !native.unsigned)
    return { type: { kind: 'bool' }, format: 'bool1', select: name };
  const rule = TYPE_RULES[native.name] ?? AS_TEXT;
  const { type, format } = native.unsigned && rule.unsigned ? rule.unsigned : rule;
  return {
    type: logical(type),
    format,
    select: rule.cast ? rule.cast.replaceAll('{}', () => name) : name,
  };
}

function logical(type: Rule['type']): LogicalType {
  if (type === 'timestamptz') return { kind: 'timestamp', zone: true };
  if (type === 'timestamp') return { kind: 'timestamp', zone: false };
  if (type === 'decimal') return BIGINT_UNSIGNED;
  return { kind: type };
}

/** A decimal while 38 digits hold it; MySQL's go to 65, and the larger ones are exact text. */
function mapDecimal(name: string, { precision, scale }: NativeType): ColumnMapping {
  if (precision > 38 || precision < 1) return { type: { kind: 'utf8' }, format: 'text', select: name };
  return { type: { kind: 'decimal', precision, scale }, format: 'decimal', select: name };
}

function mapBit(select: string, { precision }: NativeType): ColumnMapping {
  const type: LogicalType =
    precision === 1 ? { kind: 'bool' } : precision < 64 ? { kind: 'int64' } : BIGINT_UNSIGNED;
  return { type, format: 'bit', select };
}

/** What `types` of a stream can force, besides decimal(p,s). */
const FORCED = [
  'text',
  'binary',
  'bool',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'json',
  'uuid',
  'date',
  'time',
  'timestamp',
  'timestamptz',
];

const BYTES: ReadonlySet<string> = new Set(
  Object.entries(TYPE_RULES)
    .filter(([, rule]) => rule.format === 'bytes' && rule.cast === undefined)
    .map(([name]) => name),
);

/**
 * Maps a column to the type that the user pinned in `types`. CAST of the server changes what does not fit without an
 * error, so all but text is sent as text and read here: what does not fit becomes NULL and is counted.
 */
export function mapForced(column: string, native: NativeType, wanted: string): ColumnMapping {
  const name = quoteBackticks(column);
  const type = parseType(wanted === 'text' ? 'utf8' : wanted);
  if (!type) {
    throw new ConfigError(`types.${column}: "${wanted}" is not a type`, {
      code: 'config.invalid_type',
      remedy: `use one of decimal(p,s) with p up to 38, ${FORCED.join(', ')}`,
    });
  }
  if (type.kind === 'binary') return { type, format: 'bytes', select: `CAST(${name} AS BINARY)` };
  const bytes = BYTES.has(native.name);
  if (type.kind === 'bool' && native.name === 'bit') return { type, format: 'bit', select: name };
  if (type.kind === 'bool' && native.name === 'tinyint' && !native.unsigned)
    return { type, format: 'bool1', select: name };
  if (type.kind === 'uuid' && bytes) return { type, format: 'parsed', select: `HEX(${name})` };
  if (type.kind === 'utf8' || type.kind === 'json')
    return {
      type,
      format: bytes ? 'unchecked-text' : 'text',
      select: bytes ? name : `CAST(${name} AS CHAR)`,
    };
  return { type, format: 'parsed', select: bytes ? name : `CAST(${name} AS CHAR)` };
}

/** Types whose greatest value can be followed while decoding. */
export function canBeCursor(type: LogicalType): boolean {
  if (type.kind === 'decimal') return type.scale === 0 && type.precision > 18;
  return ['int16', 'int32', 'int64', 'date', 'timestamp'].includes(type.kind);
}
