import { ConfigError } from '../../core/errors.ts';
import { type LogicalType, parseType } from '../../core/types.ts';
import { mysqlType, type NativeType } from '../shared/mysql-types.ts';
import { quoteBackticks } from '../shared/quote.ts';
import type { WireFormat } from './row-columns.ts';

/** How a column is selected, what arrives on the wire and what it becomes. */
export interface ColumnMapping {
  type: LogicalType;
  format: WireFormat;
  /** Expression put to the server. */
  select: string;
}

export interface Rule {
  format: WireFormat;
  /** The same for the unsigned variant, where it differs. */
  unsigned?: WireFormat;
  /** `{}` stands for the column; absent: the column itself. */
  cast?: string;
}

const TEXT: Rule = { format: 'text' };
const BINARY: Rule = { format: 'bytes' };
const AS_TEXT: Rule = { format: 'text', cast: 'CAST({} AS CHAR)' };
const AS_WKB: Rule = { format: 'bytes', cast: 'ST_AsWKB({})' };

/** Types with a form of their own; everything else becomes text. TYPES.md is this table for people. */
export const TYPE_RULES: Readonly<Record<string, Rule>> = {
  tinyint: { format: 'int1', unsigned: 'uint1' },
  smallint: { format: 'int2', unsigned: 'uint2' },
  mediumint: { format: 'int4' },
  int: { format: 'int4', unsigned: 'uint4' },
  bigint: { format: 'int8', unsigned: 'uint8' },
  year: { format: 'int2' },
  float: { format: 'float4' },
  double: { format: 'float8' },
  date: { format: 'date' },
  datetime: { format: 'datetime' },
  timestamp: { format: 'datetime' },
  time: AS_TEXT,
  char: TEXT,
  varchar: TEXT,
  tinytext: TEXT,
  text: TEXT,
  mediumtext: TEXT,
  longtext: TEXT,
  enum: TEXT,
  set: TEXT,
  json: TEXT,
  uuid: { format: 'parsed' },
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
  if (native.name === 'tinyint' && native.display === 1 && settings.tinyint1AsBool && !native.unsigned)
    return { type: { kind: 'bool' }, format: 'bool1', select: name };
  const type = mysqlType(native);
  if (native.name === 'decimal')
    return { type, format: type.kind === 'decimal' ? 'decimal' : 'text', select: name };
  if (native.name === 'bit') return { type, format: 'bit', select: name };
  const rule = TYPE_RULES[native.name] ?? AS_TEXT;
  return {
    type,
    format: native.unsigned && rule.unsigned !== undefined ? rule.unsigned : rule.format,
    select: rule.cast ? rule.cast.replaceAll('{}', () => name) : name,
  };
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

const SIZED = /^(?:var)?(?:char|binary)\((\d+)\)/;
const LABELS = /'((?:[^']|'')*)'/g;

/** Most characters or bytes of a column's values, where its type says so. */
export function lengthOf(native: string): number | undefined {
  const sized = SIZED.exec(native)?.[1];
  if (sized !== undefined) return Number(sized);
  if (/^tiny(?:text|blob)/.test(native)) return 255;
  if (!/^(?:enum|set)\(/.test(native)) return undefined;
  const labels = [...native.matchAll(LABELS)].map(([, label = '']) => label.replaceAll("''", "'").length);
  if (native.startsWith('enum')) return Math.max(...labels);
  return labels.reduce((sum, length) => sum + length + 1, -1);
}

/** Types whose greatest value can be followed while decoding. */
export function canBeCursor(type: LogicalType): boolean {
  if (type.kind === 'decimal') return type.scale === 0 && type.precision > 18;
  return ['int16', 'int32', 'int64', 'date', 'timestamp'].includes(type.kind);
}
