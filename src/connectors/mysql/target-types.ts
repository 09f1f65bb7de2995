/** Types of the tables that are written, in the spelling of information_schema without display widths. */
import type { Field, Schema } from '../../core/schema.ts';
import { type LogicalType, sameType } from '../../core/types.ts';
import { parseCursor, renderCursor } from '../shared/cursor-value.ts';
import { mysqlType } from '../shared/mysql-types.ts';
import { quoteEscaped } from '../shared/quote.ts';

/** Characters or bytes of a text in a key: three such columns fit into the 3072 bytes of an index. */
const KEY_LENGTH = 255;

/** Digits after the point that DECIMAL has; MariaDB has as many as we do. */
const MYSQL_SCALE = 30;

function columnType(type: LogicalType, mariadb: boolean): string {
  switch (type.kind) {
    case 'bool':
      return 'tinyint(1)';
    case 'int16':
      return 'smallint';
    case 'int32':
      return 'int';
    case 'int64':
      return 'bigint';
    case 'float32':
      return 'float';
    case 'float64':
      return 'double';
    case 'decimal':
      // As text it is still exact.
      return type.scale > MYSQL_SCALE && !mariadb
        ? 'varchar(41)'
        : `decimal(${type.precision},${type.scale})`;
    case 'utf8':
    // The JSON type of MySQL writes numbers and spaces anew; text stays as it is.
    case 'json':
      return 'longtext';
    case 'binary':
      return 'longblob';
    case 'uuid':
      return 'char(36)';
    case 'date':
      return 'date';
    case 'time':
      return 'time(6)';
    case 'timestamp':
      // TIMESTAMP ends in 2038. Instants are in UTC.
      return 'datetime(6)';
  }
}

/** A text without a limit cannot be in an index as a whole. */
export function targetType(
  field: Field,
  place: { schema: Schema; indexed: boolean },
  mariadb: boolean,
): string {
  const native = place.schema.dialect === 'mysql' ? nativeType(field) : undefined;
  const type = native ?? columnType(field.type, mariadb);
  const length = lengthsOf(place).get(field.name);
  if (length !== undefined) return `${type === 'longtext' ? 'varchar' : 'varbinary'}(${length})`;
  return place.indexed && place.schema.key.includes(field.name) ? indexedType(type) : type;
}

const WHOLE = /^(tinyint|smallint|mediumint|int|bigint)(?:\((\d+)\))?( unsigned)?/;

/** Whole numbers and times of MySQL and MariaDB keep their types, unless `types` has made others of them. */
function nativeType({ native = '', type }: Field): string | undefined {
  if (/^datetime(?:\(\d\))?$/.test(native))
    return type.kind === 'timestamp' && !type.zone ? native : undefined;
  const [, name, width, unsigned] = WHOLE.exec(native) ?? [];
  if (name === undefined) return undefined;
  const plain = { name, unsigned: unsigned !== undefined, precision: 0, scale: 0, display: undefined };
  if (!sameType(mysqlType(plain), type)) return undefined;
  return unsigned === undefined && name === 'tinyint' && width === '1'
    ? 'tinyint(1)'
    : name + (unsigned ?? '');
}

/** Bytes of a row that a server takes, with some for columns of ours; those of long texts lie elsewhere. */
const ROW_BYTES = 65_000;
export const INDEX_BYTES = 3072;
/** Most bytes of a character, of a column without a length, and of what leads to a long text. */
const [CHARACTER, PLAIN, LINK] = [4, 36, 12];

/**
 * Lengths of texts and bytes that fit a row, the shortest first. A key that would be too long for an index keeps the lengths
 * up to {@link KEY_LENGTH}.
 */
function lengthsOf({ schema, indexed }: { schema: Schema; indexed: boolean }): Map<string, number> {
  const inKey = ({ name }: Field): boolean => indexed && schema.key.includes(name);
  const unit = ({ type }: Field): number => (type.kind === 'binary' ? 1 : CHARACTER);
  const isLong = ({ type }: Field): boolean => ['utf8', 'json', 'binary'].includes(type.kind);
  const bytes = (field: Field): number =>
    isLong(field) ? unit(field) * (field.length ?? KEY_LENGTH) : PLAIN;
  const whole = schema.fields.filter(inKey).reduce((sum, field) => sum + bytes(field), 0) <= INDEX_BYTES;
  const fits = (field: Field): boolean => !inKey(field) || whole || field.length! <= KEY_LENGTH;
  const sized = schema.fields.filter((field) => field.length !== undefined && isLong(field) && fits(field));
  const others = schema.fields.filter((field) => !sized.includes(field));
  let left = others.reduce(
    (room, field) => room - (isLong(field) && !inKey(field) ? LINK : bytes(field)),
    ROW_BYTES,
  );
  const lengths = new Map<string, number>();
  for (const field of sized.toSorted((a, b) => Number(inKey(b)) - Number(inKey(a)) || bytes(a) - bytes(b))) {
    const taken = bytes(field) + 2;
    if (taken <= left) lengths.set(field.name, field.length!);
    left -= taken <= left ? taken : LINK;
  }
  return lengths;
}

export function indexedType(type: string): string {
  if (type === 'longtext') return `varchar(${KEY_LENGTH})`;
  return type === 'longblob' ? `varbinary(${KEY_LENGTH})` : type;
}

/** Whether an index has to do with the first characters or bytes. */
export function isLonger(type: string, most: number): boolean {
  const length = /^var(?:char|binary)\((\d+)\)/.exec(type)?.[1];
  return length === undefined ? /^(?:long|medium|tiny)?(?:text|blob)/.test(type) : Number(length) > most;
}

/** Bytes of a column in an index. */
export function indexBytes(type: string): number {
  const [, unit, length = '0'] = /^(?:var)?(char|binary)\((\d+)\)/.exec(type) ?? [];
  return unit === undefined ? PLAIN : Number(length) * (unit === 'char' ? CHARACTER : 1);
}

const COLLATED = /^(longtext|mediumtext|text|tinytext|varchar\(|char\()/;

/**
 * The type as DDL has it. Text is compared by its characters, trailing spaces included. MySQL before 8.0.17 has no such
 * collation: there two keys that differ in trailing spaces count as the same, and are refused.
 */
export function ddlType(type: string, server: { mariadb: boolean; version: string }): string {
  if (type === 'char(36)') return `${type} CHARACTER SET ascii COLLATE ascii_bin`;
  if (!COLLATED.test(type)) return type;
  const mysql = atLeast(server.version, [8, 0, 17]) ? 'utf8mb4_0900_bin' : 'utf8mb4_bin';
  return `${type} CHARACTER SET utf8mb4 COLLATE ${server.mariadb ? 'utf8mb4_nopad_bin' : mysql}`;
}

export function atLeast(version: string, least: readonly number[]): boolean {
  const found = version.split('.').map((part) => parseInt(part, 10));
  const i = least.findIndex((number, n) => number !== found[n]);
  return i < 0 || found[i]! > least[i]!;
}

/** Goes behind the type of a text that does not hold every character. */
const CHARSET = /^(.*) character set \w+$/;

/** The type of a column that is there, `charset` that of its text. */
export function foundType(type: string, charset: unknown): string {
  const name = withoutWidth(type.toLowerCase());
  const narrow = typeof charset === 'string' && charset !== 'utf8mb4' && name !== 'char(36)';
  return narrow && COLLATED.test(name) ? `${name} character set ${charset}` : name;
}

/** `bigint(20)` → `bigint`: older servers and MariaDB show a width that means nothing. */
function withoutWidth(type: string): string {
  return type === 'tinyint(1)' ? type : type.replace(/^((?:tiny|small|medium|big)?int)\(\d+\)/, '$1');
}

const ORDER = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'];
const DIGITS: Readonly<Record<string, number>> = {
  tinyint: 3,
  smallint: 5,
  mediumint: 7,
  int: 10,
  bigint: 19,
  'tinyint unsigned': 3,
  'smallint unsigned': 5,
  'mediumint unsigned': 8,
  'int unsigned': 10,
  'bigint unsigned': 20,
};
const UNSIGNED = ' unsigned';

/** The place in {@link ORDER} of a whole number's type; -1: it is none. */
function rank(type: string): number {
  return ORDER.indexOf(type.replace(UNSIGNED, ''));
}

/** The type of whole numbers that holds those of both; undefined: one of them does, or they are no whole numbers. */
export function joinTypes(a: string, b: string): string | undefined {
  if (rank(a) < 0 || rank(b) < 0 || a.endsWith(UNSIGNED) === b.endsWith(UNSIGNED)) return undefined;
  const [signed, unsigned] = a.endsWith(UNSIGNED) ? [b, a] : [a, b];
  if (rank(signed) > rank(unsigned)) return undefined;
  return ORDER[rank(unsigned) + 1] ?? 'decimal(20,0)';
}

/** Whether a column of type `from` can be changed to `to` and keep every value. */
export function widensType(from: string, to: string): boolean {
  const text = CHARSET.exec(from)?.[1];
  if (text !== undefined) return text === to || widensType(text, to);
  if (rank(from) >= 0 && rank(to) >= 0)
    return rank(from) < rank(to) && (from.endsWith(UNSIGNED) || !to.endsWith(UNSIGNED));
  if (to === 'double') return from === 'float' || (rank(from) >= 0 && rank(from) <= ORDER.indexOf('int'));
  if (to === 'float') return from === 'tinyint' || from === 'smallint';
  // Digits that a column lacks are cut without a word, so it gets all.
  if (to === 'datetime(6)' && from === 'date') return true;
  if (from.startsWith('datetime') && to.startsWith('datetime')) return fraction(from) < fraction(to);
  if (to === 'time(6)') return /^time(\([0-5]\))?$/.test(from);
  if (to === 'longtext') return /^(varchar|char)\(|^(tiny|medium)?text$/.test(from);
  if (to === 'longblob') return /^varbinary\(|^(tiny|medium)?blob$/.test(from);
  const [a, b] = [parse(from), parse(to)];
  if (b.name === 'decimal') return toDecimal(a, b);
  if (b.name === 'varchar') return ['varchar', 'char'].includes(a.name) && a.numbers[0]! <= b.numbers[0]!;
  return b.name === 'varbinary' && a.name === b.name && a.numbers[0]! <= b.numbers[0]!;
}

function fraction(type: string): number {
  return parse(type).numbers[0] ?? 0;
}

interface Parsed {
  name: string;
  numbers: number[];
}

function toDecimal(a: Parsed, b: Parsed): boolean {
  const [precision = 10, scale = 0] = b.numbers;
  const whole = DIGITS[a.name];
  if (whole !== undefined) return precision - scale >= whole;
  if (a.name !== 'decimal') return false;
  const [was = 10, wasScale = 0] = a.numbers;
  return precision - scale >= was - wasScale && scale >= wasScale;
}

function parse(type: string): Parsed {
  const match = /^(\w+)\(([\d,]+)\)$/.exec(type);
  return match ? { name: match[1]!, numbers: match[2]!.split(',').map(Number) } : { name: type, numbers: [] };
}

const INSTANT: LogicalType = { kind: 'timestamp', zone: true };

/** A cursor's text as a value of the column's type. */
export function literal(value: string, type: string): string {
  if (type.startsWith('datetime'))
    return quoteEscaped(renderCursor(parseCursor(value, INSTANT), { kind: 'timestamp', zone: false }));
  const numeric = /^(tinyint|smallint|mediumint|int|bigint|decimal|float|double)/.test(type);
  return numeric && /^-?\d+(\.\d+)?$/.test(value) ? value : quoteEscaped(value);
}
