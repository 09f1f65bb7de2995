/** Which texts parsed-column.ts takes for no value of a type that is pinned by `types`, as conditions in SQL. */
import type { LogicalType } from '../../core/types.ts';
import { quoteEscaped } from '../shared/quote.ts';
import { UNKNOWN } from '../shared/value-checks.ts';

type Checked = string | typeof UNKNOWN;

const YEAR_TO_DAY = '[0-9]{4}-[0-9]{2}-[0-9]{2}';
const CLOCK = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]';
const FRACTION = '[.][0-9]{1,6}';

/** `text`: an expression of text without blanks around it. */
export function isNoValue(text: string, type: LogicalType): Checked {
  const none = (pattern: string): string => `NOT (${text} REGEXP ${quoteEscaped(`^(${pattern})$`)})`;
  switch (type.kind) {
    case 'bool':
      return none('0|1|true|false');
    case 'int16':
      return integer(text, none, 16);
    case 'int32':
      return integer(text, none, 32);
    case 'int64':
      return integer(text, none, 64);
    case 'decimal':
      return `(${noDecimal(text, none, type)})`;
    // How far a double reaches is not seen in its text.
    case 'float32':
    case 'float64':
      return UNKNOWN;
    case 'uuid':
      return `NOT (REPLACE(${text}, '-', '') REGEXP '^[0-9a-fA-F]{32}$')`;
    case 'date':
      return `(${none(`${YEAR_TO_DAY}([ T]00:00:00([.]0+)?)?`)} OR ${noDay(text)})`;
    case 'timestamp':
      return `(${none(`${YEAR_TO_DAY}([ T]${CLOCK}(${FRACTION}0*)?)?`)} OR ${noDay(text)})`;
    case 'time':
      return none(`0?${CLOCK}(${FRACTION})?|0?24:00:00([.]0{1,6})?`);
    case 'utf8':
    case 'json':
    case 'binary':
      return UNKNOWN;
  }
}

function noDecimal(
  text: string,
  none: (pattern: string) => string,
  { precision, scale }: { precision: number; scale: number },
): string {
  const fraction = `([.][0-9]{0,${scale}}0*)?`;
  return `${none(`[+-]?0*[0-9]{0,${precision - scale}}${fraction}`)} OR NOT (${text} REGEXP '[0-9]')`;
}

function integer(text: string, none: (pattern: string) => string, bits: number): string {
  const most = 2n ** BigInt(bits - 1);
  const number = `CAST(${text} AS DECIMAL(30,0))`;
  const digits = noDecimal(text, none, { precision: most.toString().length, scale: 0 });
  return `(${digits} OR ${number} > ${most - 1n} OR ${number} < ${-most})`;
}

/** 30 February, and days and months that are zero. */
function noDay(text: string): string {
  const day = `CAST(LEFT(${text}, 10) AS DATE)`;
  return `COALESCE(MONTH(${day}) * DAYOFMONTH(${day}), 0) = 0`;
}
