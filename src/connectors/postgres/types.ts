import type { LogicalType } from '../../core/types.ts';
import { parseType, renderType } from '../../core/types.ts';
import { ConfigError } from '../../core/errors.ts';
import { logicalType, numericType, POSTGRES_TYPES } from '../shared/postgres-types.ts';
import { quoteName } from '../shared/quote.ts';
import { columnType } from './target-types.ts';
import type { WireFormat } from './copy-columns.ts';

/** A column's type as the catalog tells it, domains resolved. */
export interface NativeType {
  /** pg_type.typname of the base type. */
  name: string;
  /** Schema of that type. */
  schema: string;
  /** pg_type.typtype: b base, e enum, c composite, r range, m multirange. */
  sort: string;
  /** pg_type.typcategory: A array. */
  category: string;
  modifier: number;
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
  /** `{}` stands for the column; absent: the column itself. */
  cast?: string;
}

const AS_TEXT: Rule = { type: 'utf8', format: 'text', cast: '{}::text' };
const AS_JSON: Rule = { type: 'json', format: 'text', cast: 'pg_catalog.to_json({})' };
const AS_UNCHECKED_JSON: Rule = { type: 'json', format: 'text', cast: '{}::text' };
const TEXT: Rule = { type: 'utf8', format: 'text' };

const FORMATS: Readonly<Record<string, Omit<Rule, 'type'>>> = {
  bool: { format: 'bool' },
  int2: { format: 'int2' },
  int4: { format: 'int4' },
  int8: { format: 'int8' },
  oid: { format: 'oid' },
  float4: { format: 'float4' },
  float8: { format: 'float8' },
  text: { format: 'text' },
  varchar: { format: 'text' },
  bpchar: { format: 'text' },
  name: { format: 'text' },
  json: { format: 'text' },
  jsonb: { format: 'jsonb' },
  bytea: { format: 'bytea' },
  uuid: { format: 'uuid' },
  date: { format: 'date' },
  time: { format: 'time' },
  timestamp: { format: 'timestamp' },
  timestamptz: { format: 'timestamp' },
  // The cast to text adds "/32" to hosts; the output function, which format() calls, does not.
  inet: { format: 'text', cast: `CASE WHEN {} IS NOT NULL THEN pg_catalog.format('%s', {}) END` },
};

/** Types of pg_catalog with a form of their own; everything else becomes text. TYPES.md is this table for people. */
export const TYPE_RULES: Readonly<Record<string, Rule>> = Object.fromEntries(
  Object.entries(POSTGRES_TYPES).map(([name, type]) => [name, { type, ...FORMATS[name]! }]),
);

/** money is int64 of the locale's smallest unit: up to 19 digits before the point where there is no smaller unit, up to four after it. */
const MONEY: LogicalType = { kind: 'decimal', precision: 23, scale: 4 };

/** Maps a column by its catalog type. `checked` says that the server vouches for UTF-8. */
export function mapColumn(column: string, native: NativeType, checked: boolean): ColumnMapping {
  const name = quoteName(column);
  if (native.schema === 'pg_catalog' && native.name === 'numeric') return mapNumeric(name, native.modifier);
  if (native.schema === 'pg_catalog' && native.name === 'money') {
    return { type: MONEY, format: 'numeric', select: `${name}::numeric(23,4)` };
  }
  // jsonb has a wire format of its own, which nobody has checked either.
  const rule =
    !checked && native.schema === 'pg_catalog' && native.name === 'jsonb'
      ? AS_UNCHECKED_JSON
      : ruleOf(native);
  const type = logicalType(rule.type);
  const format = rule.format === 'text' && !checked ? 'unchecked-text' : rule.format;
  return { type, format, select: rule.cast ? rule.cast.replaceAll('{}', () => name) : name };
}

function ruleOf(native: NativeType): Rule {
  if (native.sort === 'e') return TEXT;
  if (native.sort === 'c') return AS_JSON;
  // int2vector and oidvector count as arrays, but have a text form of their own.
  if (native.category === 'A' && (native.schema !== 'pg_catalog' || !/^(int2|oid)vector$/.test(native.name)))
    return AS_JSON;
  if (native.schema !== 'pg_catalog') return AS_TEXT;
  return TYPE_RULES[native.name] ?? AS_TEXT;
}

/** Without precision, or with too many digits, it is exact text. */
function mapNumeric(name: string, modifier: number): ColumnMapping {
  const asText: ColumnMapping = { type: { kind: 'utf8' }, format: 'text', select: `${name}::text` };
  if (modifier < 4) return asText;
  const declared = ((modifier - 4) >> 16) & 0xffff;
  // Eleven bits, signed since PostgreSQL 15.
  const scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
  const type = numericType(declared, scale);
  return type ? { type, format: 'numeric', select: name } : asText;
}

/**
 * Types whose binary form is the same in every server and needs nothing but the type's name: rows go from server to server as
 * they are. money depends on the locale, ids of rows, functions or tables mean nothing elsewhere, and no server takes the
 * binary form of an empty tsquery.
 */
const KEPT: ReadonlySet<string> = new Set(
  `bool int2 int4 int8 float4 float8 numeric text varchar bpchar json jsonb bytea uuid date time timetz timestamp timestamptz
   interval inet cidr macaddr macaddr8 bit varbit point line lseg box path polygon circle tsvector
   int4range int8range numrange daterange tsrange tstzrange
   int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange`.split(/\s+/),
);

/** How a column goes to another PostgreSQL: as it is where both have the type, else as for everybody else. */
export function mapKept(
  column: string,
  type: { native: NativeType; base: string },
): ColumnMapping & { target: string } {
  const mapped = mapColumn(column, type.native, true);
  const { name, schema, category } = type.native;
  const element = category === 'A' ? name.replace(/^_/, '') : name;
  // Its binary form has half the bytes of the column that it goes to.
  if (mapped.format === 'oid')
    return { ...mapped, format: 'int8', select: `${mapped.select}::int8`, target: columnType(mapped.type) };
  return schema === 'pg_catalog' && KEPT.has(element)
    ? { ...mapped, select: quoteName(column), target: type.base }
    : { ...mapped, target: columnType(mapped.type) };
}

const FORCED: Readonly<Record<string, { cast: string; format: WireFormat }>> = {
  bool: { cast: 'boolean', format: 'bool' },
  int16: { cast: 'smallint', format: 'int2' },
  int32: { cast: 'integer', format: 'int4' },
  int64: { cast: 'bigint', format: 'int8' },
  float32: { cast: 'real', format: 'float4' },
  float64: { cast: 'double precision', format: 'float8' },
  utf8: { cast: 'text', format: 'text' },
  json: { cast: 'json', format: 'text' },
  uuid: { cast: 'uuid', format: 'uuid' },
  date: { cast: 'date', format: 'date' },
  time: { cast: 'time', format: 'time' },
  timestamp: { cast: 'timestamp', format: 'timestamp' },
  timestamptz: { cast: 'timestamptz', format: 'timestamp' },
};

/** Maps a column to the type that the user pinned in `types`. The server converts, so a value that does not fit is its error. */
export function mapForced(
  column: string,
  native: NativeType,
  wanted: string,
  checked: boolean,
): ColumnMapping {
  const name = quoteName(column);
  const type = parseType(wanted === 'text' ? 'utf8' : wanted);
  if (!type) {
    throw new ConfigError(`types.${column}: "${wanted}" is not a type`, {
      code: 'config.invalid_type',
      remedy: `use one of text, binary, decimal(p,s) with p up to 38, ${Object.keys(FORCED).join(', ')}`,
    });
  }
  if (type.kind === 'decimal') {
    return { type, format: 'numeric', select: `${name}::numeric(${type.precision},${type.scale})` };
  }
  // The wire form of text is its bytes, whatever their encoding.
  if (type.kind === 'binary') {
    const bytes = native.name === 'bytea' || TYPE_RULES[native.name]?.format === 'text';
    return { type, format: 'bytea', select: bytes ? name : `${name}::text` };
  }
  const forced = FORCED[renderType(type)]!;
  return {
    type,
    format: forced.format === 'text' && !checked ? 'unchecked-text' : forced.format,
    select: `${name}::${forced.cast}`,
  };
}

/** Types whose greatest value can be followed while decoding. */
export function canBeCursor(type: LogicalType): boolean {
  return ['int16', 'int32', 'int64', 'date', 'timestamp'].includes(type.kind);
}

/** Bytes of a name, and of the label of an enumeration. */
const NAME_LENGTH = 63;

/** Most characters of a column's values, where its type says so. */
export function lengthOf({ name, schema, sort, modifier }: NativeType): number | undefined {
  if (sort === 'e') return NAME_LENGTH;
  if (schema !== 'pg_catalog') return undefined;
  if (name === 'name') return NAME_LENGTH;
  return (name === 'varchar' || name === 'bpchar') && modifier > 4 ? modifier - 4 : undefined;
}
