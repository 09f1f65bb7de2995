/** Cursor values as SQL. */
import { ConfigError } from '../../core/errors.ts';
import type { LogicalType } from '../../core/types.ts';
import { parseCursor, renderCursor } from '../shared/cursor-value.ts';
import { quoteEscaped } from '../shared/quote.ts';

const ZONED = /^(.+?)\s*([+-])(\d\d)(?::?(\d\d))?$/;

/**
 * A literal of the column's type. MySQL compares a text that is no date as if it were one, with a warning that nobody sees,
 * and whole numbers in text as floats: so values are read here, and refused here.
 */
export function literal(text: string, type: LogicalType): string {
  if (type.kind === 'timestamp' || type.kind === 'date') {
    const { moment, offset } = splitOffset(text);
    let value = parseCursor(moment, type);
    if (type.kind === 'timestamp' && type.zone) value -= BigInt(offset) * 60_000_000n;
    const plain = renderCursor(value, type).replace('+00', '');
    if (plain.endsWith('BC') || plain.endsWith('infinity')) throw notThere(text);
    return type.kind === 'date' ? `DATE'${plain}'` : `TIMESTAMP'${plain}'`;
  }
  if (/^(int\d+|decimal)$/.test(type.kind)) return parseCursor(text, type).toString();
  return quoteEscaped(text);
}

/** Whether a date or time is one: others, such as 2026-02-00, are read as NULL. */
export function hasDate(value: string): string {
  return `MONTH(${value}) > 0 AND DAYOFMONTH(${value}) BETWEEN 1 AND DAYOFMONTH(LAST_DAY(${value}))`;
}

/** What {@link keyText} gives, as a value again. Any will do that stands for the same in every statement. */
export function keyLiteral(text: string, type: LogicalType): string {
  if (type.kind === 'binary') return `X'${text}'`;
  return /^-?\d+(\.\d+)?$/.test(text) && isNumber(type) ? text : quoteEscaped(text);
}

export function keyText(expression: string, type: LogicalType | undefined): string {
  return type?.kind === 'binary' ? `HEX(${expression})` : `CAST(${expression} AS CHAR)`;
}

function isNumber({ kind }: LogicalType): boolean {
  return /^(int|float)\d+$|^decimal$/.test(kind);
}

/** Minutes east of Greenwich, when the text says so. */
function splitOffset(text: string): { moment: string; offset: number } {
  const trimmed = text.trim().replace(/Z$/i, '');
  // A date alone ends in what looks like an offset.
  const match = /\d:\d/.test(trimmed) ? ZONED.exec(trimmed) : undefined;
  if (!match) return { moment: trimmed, offset: 0 };
  const minutes = Number(match[3]) * 60 + Number(match[4] ?? 0);
  return { moment: match[1]!, offset: match[2] === '-' ? -minutes : minutes };
}

function notThere(text: string): ConfigError {
  return new ConfigError(`reading a cursor value: MySQL has no "${text}"`, { code: 'stream.bad_cursor' });
}
