/** Types of the tables that are written, in the spelling of format_type. */
import type { Field } from '../../core/schema.ts';
import type { LogicalType } from '../../core/types.ts';

export function columnType(type: LogicalType): string {
  switch (type.kind) {
    case 'bool':
      return 'boolean';
    case 'int16':
      return 'smallint';
    case 'int32':
      return 'integer';
    case 'int64':
      return 'bigint';
    case 'float32':
      return 'real';
    case 'float64':
      return 'double precision';
    case 'decimal':
      return `numeric(${type.precision},${type.scale})`;
    case 'utf8':
      return 'text';
    case 'json':
      return 'json';
    case 'binary':
      return 'bytea';
    case 'uuid':
      return 'uuid';
    case 'date':
      return 'date';
    case 'time':
      return 'time without time zone';
    case 'timestamp':
      return `timestamp with${type.zone ? '' : 'out'} time zone`;
  }
}

/** Rows that come from PostgreSQL as they are keep their types. */
export function targetType(field: Field, dialect: string | undefined): string {
  return dialect === 'postgres' && field.native !== undefined ? field.native : columnType(field.type);
}

const ORDER = ['smallint', 'integer', 'bigint'];
const FLOATS = ['real', 'double precision'];

interface Parsed {
  name: string;
  numbers: number[];
}

/** Whether a column of type `from` can be changed to `to` and keep every value. */
export function widensType(from: string, to: string): boolean {
  const [a, b] = [parse(from), parse(to)];
  if (to === 'text') return ['character varying', 'character', 'json', 'uuid'].includes(a.name);
  for (const order of [ORDER, FLOATS])
    if (order.includes(from) && order.includes(to)) return order.indexOf(from) < order.indexOf(to);
  if (b.name === 'double precision') return ['smallint', 'integer'].includes(from);
  if (b.name === 'real') return from === 'smallint';
  if (b.name === 'timestamp without time zone') return from === 'date';
  if (b.name === 'numeric') return toNumeric(a, b);
  if (a.name !== b.name) return false;
  // Without a length it is any length.
  if (b.numbers.length === 0) return a.numbers.length > 0;
  return a.numbers.length > 0 && a.numbers[0]! <= b.numbers[0]!;
}

const TEXTS: ReadonlySet<string> = new Set(['text', 'character varying', 'character']);
const MOMENTS = ['timestamp without time zone', 'timestamp with time zone'];

/** Whether the server keeps every `wanted` in a column of type `found`, or says that it does not: it rounds and cuts some. */
export function keepsType(found: string, wanted: string): boolean {
  const [a, b] = [parse(wanted), parse(found)];
  const [from, to] = [scaleOf(a), scaleOf(b)];
  if (from !== undefined && to !== undefined) {
    const float = FLOATS.includes(found);
    return float ? found === wanted || widensType(wanted, found) : from <= to;
  }
  if (b.name === 'date' || b.name === 'time without time zone') return !MOMENTS.includes(a.name);
  return !(TEXTS.has(a.name) && (b.name === 'name' || b.name === '"char"'));
}

/** Most digits behind the point; infinite where nothing limits them. */
function scaleOf({ name, numbers }: Parsed): number | undefined {
  if (ORDER.includes(name)) return 0;
  if (FLOATS.includes(name)) return Infinity;
  return name === 'numeric' ? (numbers.length === 0 ? Infinity : (numbers[1] ?? 0)) : undefined;
}

/** Types of which none has the binary form of another one; others read text, or say what they cannot read. */
const FORMS: ReadonlySet<string> = new Set([
  ...ORDER,
  ...FLOATS,
  'boolean',
  'numeric',
  'uuid',
  'date',
  'time without time zone',
  'time with time zone',
  'interval',
  'jsonb',
  'money',
]);

/** Whether a value that is sent as `wanted` is not taken for another one in a column of type `found`. */
export function sameForm(found: string, wanted: string): boolean {
  const [a, b] = [parse(wanted).name, parse(found).name];
  const form = (name: string): string | undefined =>
    MOMENTS.includes(name) ? 'timestamp' : FORMS.has(name) ? name : undefined;
  return form(a) === form(b);
}

const DIGITS: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 };

function toNumeric(a: Parsed, b: Parsed): boolean {
  const whole =
    DIGITS[a.name] ??
    (a.name === 'numeric' && a.numbers.length > 0 ? a.numbers[0]! - (a.numbers[1] ?? 0) : undefined);
  if (whole === undefined) return false;
  if (b.numbers.length === 0) return true;
  const [precision, scale = 0] = b.numbers;
  return precision! - scale >= whole && scale >= (DIGITS[a.name] === undefined ? (a.numbers[1] ?? 0) : 0);
}

function parse(type: string): Parsed {
  const match = /^(.*?)\((\d+)(?:,(-?\d+))?\)(.*)$/.exec(type);
  if (!match) return { name: type, numbers: [] };
  const [, head, first, second, tail] = match;
  return {
    name: `${head}${tail}`,
    numbers: second === undefined ? [Number(first)] : [Number(first), Number(second)],
  };
}
