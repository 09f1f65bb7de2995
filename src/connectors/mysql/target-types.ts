/** Types of the tables that are written, in the spelling of information_schema without display widths. */
import type { Field, Schema } from '../../core/schema.ts';
import type { LogicalType } from '../../core/types.ts';
import { parseCursor, renderCursor } from '../shared/cursor-value.ts';
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
  { schema, indexed }: { schema: Schema; indexed: boolean },
  mariadb: boolean,
): string {
  const type = columnType(field.type, mariadb);
  return indexed && schema.key.includes(field.name) ? indexedType(type) : type;
}

export function indexedType(type: string): string {
  if (type === 'longtext') return `varchar(${KEY_LENGTH})`;
  return type === 'longblob' ? `varbinary(${KEY_LENGTH})` : type;
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
};
/** Whole numbers that a float holds exactly. */
const IN_FLOAT = ['tinyint', 'smallint', 'mediumint'];

/** Whether a column of type `from` can be changed to `to` and keep every value. */
export function widensType(from: string, to: string): boolean {
  const text = CHARSET.exec(from)?.[1];
  if (text !== undefined) return text === to || widensType(text, to);
  if (ORDER.includes(from) && ORDER.includes(to)) return ORDER.indexOf(from) < ORDER.indexOf(to);
  if (to === 'double') return from === 'float' || from === 'int' || IN_FLOAT.includes(from);
  if (to === 'float') return from === 'tinyint' || from === 'smallint';
  // Digits that a column lacks are cut without a word, so it gets all.
  if (to === 'datetime(6)') return from === 'date' || /^datetime(\([0-5]\))?$/.test(from);
  if (to === 'time(6)') return /^time(\([0-5]\))?$/.test(from);
  if (to === 'longtext') return /^(varchar|char)\(|^(tiny|medium)?text$/.test(from);
  if (to === 'longblob') return /^varbinary\(|^(tiny|medium)?blob$/.test(from);
  const [a, b] = [parse(from), parse(to)];
  if (b.name === 'decimal') return toDecimal(a, b);
  if (b.name === 'varchar') return ['varchar', 'char'].includes(a.name) && a.numbers[0]! <= b.numbers[0]!;
  return b.name === 'varbinary' && a.name === b.name && a.numbers[0]! <= b.numbers[0]!;
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
  if (type === 'datetime(6)')
    return quoteEscaped(renderCursor(parseCursor(value, INSTANT), { kind: 'timestamp', zone: false }));
  const numeric = /^(tinyint|smallint|mediumint|int|bigint|decimal|float|double)/.test(type);
  return numeric && /^-?\d+(\.\d+)?$/.test(value) ? value : quoteEscaped(value);
}
