/** Random types of PostgreSQL with their values. */
import fc from 'fast-check';
import type { Cell } from './cells.ts';
import * as values from './values.ts';

const { oneOf, integer, decimalText, days, clock, zone, endless } = values;

export interface RandomType {
  /** As in CREATE TABLE. */
  sql: string;
  value: fc.Arbitrary<string>;
  /** The server's own text of what arrives, where that is not what it prints for the column. */
  text?: (column: string) => string;
  /** What a text of the server becomes. */
  rule?: (server: string) => Cell;
}

/** Types that the random ones below refer to. */
export const USER_TYPES = `
  CREATE DOMAIN exact AS numeric(20,5);
  CREATE DOMAIN exacter AS exact CHECK (VALUE IS NOT NULL OR VALUE IS NULL);
  CREATE TYPE colour AS ENUM ('red', '', 'sky blue', 'a very long colour indeed');
  CREATE DOMAIN tint AS colour;
  CREATE TYPE "Odd pair" AS (n int, "label, ""odd""" text, at timestamptz);
  CREATE TYPE nested AS (p "Odd pair", list int[]);`;

const colour = oneOf('red', '', 'sky blue', 'a very long colour indeed');
const date = days.map(([day, era]) => `${day}${era}`);
const moment = fc.tuple(days, clock).map(([[day, era], time]) => `${day} ${time}${era}`);
const instant = fc
  .tuple(days, clock, zone)
  .map(([[day, era], time, offset]) => `${day} ${time}${offset}${era}`);
const often = (value: fc.Arbitrary<string>, seldom: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 9, arbitrary: value }, seldom);

const numeric: fc.Arbitrary<RandomType> = fc
  .oneof(
    fc
      .tuple(fc.constantFrom(1, 4, 5, 8, 9, 10, 12, 17, 18, 19, 20, 28, 37, 38, 39), fc.nat(40))
      .map(([p, s]): [number, number] => [p, s % (p + 1)]),
    fc.tuple(fc.integer({ min: 1, max: 45 }), fc.integer({ min: -6, max: 45 })),
  )
  .map(([p, s]) => ({
    sql: `numeric(${p},${s})`,
    value: fc.oneof({ weight: 30, arbitrary: decimalText(p, s) }, { weight: 1, arbitrary: oneOf('NaN') }),
    // What 38 digits do not hold stays text, NaN and all.
    rule: (text: string) => (text === 'NaN' && (s < 0 ? p - s : Math.max(p, s)) <= 38 ? null : text),
  }));

/** Types with a length or a precision. */
const measured: fc.Arbitrary<RandomType> = fc.integer({ min: 1, max: 30 }).chain((n) => {
  const short = values.plainText.map((text) => Array.from(text).slice(0, n).join(''));
  const places = n % 7;
  return fc.constantFrom<RandomType>(
    { sql: `char(${n})`, value: short },
    { sql: `varchar(${n})`, value: short },
    { sql: `bit(${n})`, value: fc.string({ unit: oneOf('0', '1'), minLength: n, maxLength: n }) },
    { sql: `time(${places})`, value: clock },
    { sql: `timestamp(${places})`, value: often(moment, endless) },
    { sql: `timestamptz(${places})`, value: often(instant, endless) },
  );
});

const floats = (kind: 'real' | 'double precision'): RandomType => {
  const [any, least, most] =
    kind === 'real'
      ? [fc.float(), '1e-45', '3.4028235e38']
      : [fc.double(), '5e-324', '1.7976931348623157e308'];
  const text = any.map((value) => (Object.is(value, -0) ? '-0' : String(value)));
  const extremes = oneOf('-0', '-0', '0', 'NaN', 'Infinity', '-Infinity', least, `-${least}`, most);
  return { sql: kind, value: fc.oneof({ weight: 3, arbitrary: text }, extremes) };
};

const range = (sql: string, bounds: fc.Arbitrary<[string, string]>): RandomType => ({
  sql,
  value: fc.oneof(
    { weight: 6, arbitrary: bounds.map(([from, to]) => `[${from},${to})`) },
    { weight: 1, arbitrary: bounds.map(([from]) => `(,${from}]`) },
    { weight: 1, arbitrary: oneOf('empty', '(,)') },
  ),
});
const ordered = (bits: number): fc.Arbitrary<[string, string]> =>
  fc
    .tuple(integer(bits), integer(bits))
    .map(([a, b]): [string, string] => (BigInt(a) <= BigInt(b) ? [a, b] : [b, a]));

const simple: RandomType[] = [
  { sql: 'boolean', value: oneOf('t', 'f') },
  { sql: 'smallint', value: integer(16) },
  { sql: 'integer', value: integer(32) },
  { sql: 'bigint', value: integer(64) },
  { sql: 'oid', value: fc.oneof(fc.nat().map(String), oneOf('0', '2147483648', '4294967295')) },
  floats('real'),
  floats('double precision'),
  {
    sql: 'numeric',
    value: fc
      .tuple(decimalText(50, 20), fc.integer({ min: -300, max: 300 }))
      .map(([digits, e]) => `${digits}e${e}`),
  },
  { sql: 'exact', value: decimalText(20, 5) },
  { sql: 'exacter', value: decimalText(20, 5) },
  { sql: 'money', value: decimalText(18, 2), rule: (text) => `${text.replaceAll(/[$,]/g, '')}00` },
  { sql: 'text', value: values.plainText },
  { sql: 'varchar', value: values.plainText },
  { sql: 'colour', value: colour },
  { sql: 'tint', value: colour },
  { sql: 'bytea', value: values.bytes },
  { sql: 'uuid', value: fc.uuid() },
  { sql: 'json', value: fc.json() },
  { sql: 'jsonb', value: fc.json().map((text) => text.replaceAll('\\u0000', '')) },
  { sql: 'date', value: often(date, endless) },
  { sql: 'time', value: often(clock, oneOf('24:00:00')) },
  { sql: 'timetz', value: fc.tuple(clock, zone).map(([time, offset]) => `${time}${offset}`) },
  { sql: 'timestamp', value: often(moment, endless) },
  { sql: 'timestamptz', value: often(instant, endless) },
  {
    sql: 'interval',
    value: fc
      .tuple(integer(24), integer(24), integer(50))
      .map(([months, daysOf, micros]) => `${months} mons ${daysOf} days ${micros} microseconds`),
  },
  {
    sql: 'inet',
    value: fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => !text.includes('.')),
      fc.tuple(fc.ipV4(), fc.nat(32)).map(([ip, mask]) => `${ip}/${mask}`),
    ),
  },
  {
    sql: 'macaddr',
    value: fc.bigInt({ min: 0n, max: 2n ** 48n - 1n }).map((n) => n.toString(16).padStart(12, '0')),
  },
  { sql: 'varbit', value: fc.string({ unit: oneOf('0', '1'), maxLength: 70 }) },
  { sql: 'point', value: fc.tuple(fc.integer(), fc.double({ noNaN: true })).map(([x, y]) => `(${x},${y})`) },
  range('int4range', ordered(31)),
  range('int8range', ordered(63)),
  range('numrange', ordered(90)),
  range(
    'tstzrange',
    instant.map((at): [string, string] => [`"${at}"`, 'infinity']),
  ),
  { sql: 'int8multirange', value: ordered(60).map(([a, b]) => `{[${a},${b}),(,-2000000000000000000)}`) },
];

const asJson = (column: string): string => `to_json(${column})::text`;
const quoted = (text: string | null): string =>
  text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`;

/** An array of a type, of one or two dimensions. */
function arrayOf({ sql, value }: RandomType): RandomType {
  const item = fc.option(value, { freq: 5, nil: null }).map(quoted);
  const flat = fc.array(item, { maxLength: 5 }).map((items) => `{${items.join(',')}}`);
  const grid = fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.array(item, { minLength: 3, maxLength: 3 }))
    .map(([n, items]) => `{${Array.from({ length: n }, () => `{${items.join(',')}}`).join(',')}}`);
  return { sql: `${sql}[]`, value: fc.oneof(flat, grid), text: asJson };
}

const pairText = fc
  .tuple(fc.option(integer(32)), fc.option(values.plainText), fc.option(instant))
  .map((fields) => `(${fields.map((field) => (field === null ? '' : quoted(field))).join(',')})`);
const composites: RandomType[] = [
  { sql: '"Odd pair"', value: pairText, text: asJson },
  {
    sql: 'nested',
    value: fc
      .tuple(pairText, fc.array(integer(32)))
      .map(([pair, list]) => `(${quoted(pair)},${quoted(`{${list.join(',')}}`)})`),
    text: asJson,
  },
  arrayOf({ sql: '"Odd pair"', value: pairText }),
];

/** How such a value looks in JSON is for the server to say: it has no element that JSON cannot hold. */
const elements = simple.filter(({ sql }) => sql !== 'json');

export const randomType: fc.Arbitrary<RandomType> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...simple) },
  { weight: 3, arbitrary: numeric },
  { weight: 2, arbitrary: measured },
  { weight: 2, arbitrary: fc.constantFrom(...elements).map(arrayOf) },
  { weight: 1, arbitrary: fc.constantFrom(...composites) },
);
