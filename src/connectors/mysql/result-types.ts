/** Types of a query's columns, which the server tells by numbers (https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html). */
import { TransientError } from '../../core/errors.ts';
import { WIDTHS, type WireFormat } from './row-columns.ts';
import type { ResultColumn } from './rows-out.ts';
import type { NativeType } from '../shared/mysql-types.ts';

const UNSIGNED = 32;
const BINARY_CHARSET = 63;

const NAMES: Readonly<Record<number, string>> = {
  0: 'decimal',
  1: 'tinyint',
  2: 'smallint',
  3: 'int',
  4: 'float',
  5: 'double',
  7: 'timestamp',
  8: 'bigint',
  9: 'mediumint',
  10: 'date',
  11: 'time',
  12: 'datetime',
  13: 'year',
  16: 'bit',
  242: 'vector',
  245: 'json',
  246: 'decimal',
  255: 'geometry',
};

/** Strings and blobs: the character set tells bytes from text. */
function nameOf(column: ResultColumn): string {
  const extended = column.extendedFormat === 'json' ? 'json' : column.extendedTypeName;
  if (extended !== undefined && ['uuid', 'inet4', 'inet6', 'json', 'vector'].includes(extended))
    return extended;
  const name = NAMES[column.columnType];
  if (name !== undefined) return name;
  return column.characterSet === BINARY_CHARSET ? 'longblob' : 'longtext';
}

export function nativeOf(column: ResultColumn): { type: NativeType; native: string } {
  const name = nameOf(column);
  const unsigned = (column.flags & UNSIGNED) !== 0;
  const { decimals: scale, columnLength: length } = column;
  // The length of a decimal counts its point and its sign.
  const digits = length - (scale > 0 ? 1 : 0) - (unsigned ? 0 : 1);
  const precision = precisionOf(name, column, Math.max(digits, scale, 1));
  const type = { name, unsigned, precision, scale, display: length };
  const native = name === 'decimal' ? `decimal(${precision},${scale})` : unsigned ? `${name} unsigned` : name;
  return { type, native };
}

function precisionOf(name: string, { columnLength, decimals }: ResultColumn, digits: number): number {
  if (name === 'decimal') return digits;
  // Above six it is not known.
  if (/^(datetime|timestamp|time)$/.test(name)) return decimals > 6 ? 0 : decimals;
  return columnLength;
}

/** Bytes of a value on the wire by the number of its type; what is missing has a length before it. */
const WIRE_WIDTHS: Readonly<Record<number, number>> = {
  1: 1,
  2: 2,
  3: 4,
  4: 4,
  5: 8,
  7: -1,
  8: 8,
  9: 4,
  10: -1,
  11: -1,
  12: -1,
  13: 2,
};

/** The server answers by the table as it is now: what was planned for another type would be read as nonsense. */
export function expectFormats(
  stream: string,
  formats: readonly WireFormat[],
  columns: readonly ResultColumn[],
): void {
  const other = formats.findIndex(
    (format, i) => columns[i] === undefined || WIDTHS[format] !== (WIRE_WIDTHS[columns[i].columnType] ?? 0),
  );
  if (other < 0 && columns.length === formats.length) return;
  throw new TransientError(
    `reading ${stream}: column "${columns[Math.max(0, other)]?.name}" has another type than when it was planned`,
    { code: 'engine.old_snapshot', remedy: 'run again when nobody changes the table any more' },
  );
}
