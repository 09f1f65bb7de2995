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
