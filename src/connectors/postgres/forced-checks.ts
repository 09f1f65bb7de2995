/** What the server's own casts do to values of a column whose type is pinned by `types`: refuse them, round them, cut them. */
import type { Fate, Problem } from '../../core/diagnose.ts';
import type { LogicalType } from '../../core/types.ts';
import { renderType } from '../../core/types.ts';
import { quoteText } from '../shared/quote.ts';
import { UNKNOWN, type ValueCheck } from '../shared/value-checks.ts';
import type { NativeType } from './types.ts';

export type ForcedCheck = { problem: Problem; fate: Fate; sql: string | typeof UNKNOWN };

interface Cast {
  x: string;
  native: NativeType;
  type: LogicalType;
  /** server_version_num */
  version: number;
}

const INTS: Readonly<Record<string, number>> = { int2: 16, int4: 32, int8: 64 };
const WIDTHS: Readonly<Record<string, number>> = { int16: 16, int32: 32, int64: 64 };
const FLOATS: ReadonlySet<string> = new Set(['float4', 'float8']);
const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar', 'bpchar', 'name']);
const MOMENTS: ReadonlySet<string> = new Set(['timestamp', 'timestamptz']);
/** It tells whether a text is a value of a type, without an error. */
const INPUT_IS_VALID = 160_000;

const ROUNDED = (sql: string): ValueCheck => ({ problem: 'fraction', fate: 'altered', sql });
const REFUSED = (sql: string): ValueCheck => ({ problem: 'too-large', fate: 'refused', sql });
const UNSEEN: ForcedCheck = { problem: 'no-value', fate: 'refused', sql: UNKNOWN };

/** Conditions on the column as it is; each may rely on those before it not to be true. */
export function forcedChecks(cast: Cast): readonly ForcedCheck[] {
  const { native, type } = cast;
  if (native.schema !== 'pg_catalog') return type.kind === 'utf8' ? [] : [UNSEEN];
  if (type.kind === 'utf8' || type.kind === 'binary' || native.name === renderType(type)) return [];
  if (TEXTS.has(native.name)) return fromText(cast);
  switch (type.kind) {
    case 'int16':
    case 'int32':
    case 'int64':
      return toInt(cast, WIDTHS[type.kind]!);
    case 'decimal':
      return toDecimal(cast, type);
    case 'float32':
    case 'float64':
      return toFloat(cast);
    case 'date':
      return native.name === 'date' ? [] : toDate(cast);
    case 'timestamp':
      return toMoment(cast);
    case 'bool':
      if (native.name === 'int4') return [ROUNDED(`${cast.x} NOT IN (0, 1)`)];
      return native.name === 'bool' ? [] : [UNSEEN];
    case 'json':
      return /^jsonb?$/.test(native.name) ? [] : [UNSEEN];
    case 'time':
    case 'uuid':
      return native.name === type.kind ? [] : [UNSEEN];
  }
}

function fromText({ x, type, version }: Cast): readonly ForcedCheck[] {
  if (version < INPUT_IS_VALID) return [UNSEEN];
  const name =
    type.kind === 'decimal' ? `numeric(${type.precision},${type.scale})` : SQL_NAMES[renderType(type)]!;
  const none: ForcedCheck = {
    problem: 'no-value',
    fate: 'refused',
    sql: `NOT pg_input_is_valid(${x}::text, ${quoteText(name)})`,
  };
  if (type.kind !== 'decimal') return [none];
  return [none, notANumber(`${x}::numeric`), ROUNDED(`${x}::numeric <> round(${x}::numeric, ${type.scale})`)];
}

const SQL_NAMES: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int16: 'smallint',
  int32: 'integer',
  int64: 'bigint',
  float32: 'real',
  float64: 'double precision',
  json: 'json',
  uuid: 'uuid',
  date: 'date',
  time: 'time',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
};

/** A decimal has no place for it; what the column is read as becomes NULL. */
function notANumber(x: string): ForcedCheck {
  return { problem: 'not-finite', fate: 'null', sql: `${x} = 'NaN'` };
}

function toInt({ x, native }: Cast, bits: number): readonly ForcedCheck[] {
  const most = 2n ** BigInt(bits - 1);
  const width = INTS[native.name];
  if (width !== undefined)
    return width <= bits ? [] : [REFUSED(`${x} NOT BETWEEN ${-most} AND ${most - 1n}`)];
  if (native.name === 'oid') return bits === 64 ? [] : [UNSEEN];
  // NaN is greater than all.
  if (native.name === 'numeric')
    return [REFUSED(`round(${x}) NOT BETWEEN ${-most} AND ${most - 1n}`), ROUNDED(`${x} <> round(${x})`)];
  if (!FLOATS.has(native.name)) return [UNSEEN];
  const whole = `round(${x}::float8)`;
  return [
    REFUSED(`(${whole} < '${-most}'::float8 OR ${whole} >= '${most}'::float8)`),
    ROUNDED(`${x}::float8 <> ${whole}`),
  ];
}

function toDecimal(
  { x, native }: Cast,
  { precision, scale }: Extract<LogicalType, { kind: 'decimal' }>,
): readonly ForcedCheck[] {
  const beyond = `10::numeric ^ ${precision - scale}`;
  if (INTS[native.name] !== undefined) return [REFUSED(`abs(${x}::numeric) >= ${beyond}`)];
  const large = (value: string): string => `abs(round(${value}, ${scale})) >= ${beyond}`;
  if (native.name === 'numeric')
    return [
      REFUSED(`${x} <> 'NaN' AND ${large(x)}`),
      notANumber(x),
      ROUNDED(`${x} <> round(${x}, ${scale})`),
    ];
  if (!FLOATS.has(native.name)) return [UNSEEN];
  return [
    REFUSED(
      `CASE WHEN ${x} IN ('Infinity', '-Infinity') THEN true WHEN ${x} = 'NaN' THEN false ELSE ${large(`${x}::numeric`)} END`,
    ),
    notANumber(x),
    ROUNDED(`round(${x}::numeric, ${scale})::${native.name} <> ${x}`),
  ];
}

/** What is finite, and neither of these, is in the range of a float. */
const RANGES = {
  float32: { most: '3.4028235677973366e38', least: '7.006492321624085e-46' },
  float64: { most: '1.7976931348623158079e308', least: '2.4703282292062327e-324' },
} as const;

function toFloat({ x, native, type }: Cast): readonly ForcedCheck[] {
  const to = type.kind === 'float32' ? 'float4' : 'float8';
  if (native.name === to || native.name === 'float4') return [];
  const { most, least } = RANGES[type.kind === 'float32' ? 'float32' : 'float64'];
  if (native.name === 'float8' || native.name === 'numeric') {
    const as = native.name;
    const finite = `${x}::text NOT IN ('NaN', 'Infinity', '-Infinity')`;
    const outside = `abs(${x}) >= '${most}'::${as} OR (${x} <> 0 AND abs(${x}) <= '${least}'::${as})`;
    return [
      REFUSED(`${finite} AND (${outside})`),
      // What is printed of a float is the shortest text that stands for it.
      ROUNDED(`${finite} AND ${x}::${to}::text::${as} <> ${x}`),
    ];
  }
  return INTS[native.name] === undefined ? [UNSEEN] : [ROUNDED(`${x}::${to}::text::numeric <> ${x}`)];
}

function toDate({ x, native }: Cast): readonly ForcedCheck[] {
  return MOMENTS.has(native.name) ? [ROUNDED(`${x} <> ${x}::date::${native.name}`)] : [UNSEEN];
}

function toMoment({ x, native }: Cast): readonly ForcedCheck[] {
  if (MOMENTS.has(native.name)) return [];
  if (native.name !== 'date') return [UNSEEN];
  return [{ problem: 'out-of-range', fate: 'refused', sql: `${x} > '294276-12-31' AND isfinite(${x})` }];
}
