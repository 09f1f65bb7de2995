/** The lossless type system that every batch, schema and contract uses. What has no equal here becomes
 * utf8 or json by a rule that the connector's TYPES.md states. */

export type LogicalType =
  | { readonly kind: 'bool' }
  | { readonly kind: 'int16' | 'int32' | 'int64' }
  | { readonly kind: 'float32' | 'float64' }
  /** 1 ≤ precision ≤ 38, 0 ≤ scale ≤ precision. */
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'utf8' | 'json' | 'binary' | 'uuid' }
  /** Days since 1970-01-01, proleptic Gregorian. */
  | { readonly kind: 'date' }
  /** Microseconds since midnight, 24:00:00 allowed. */
  | { readonly kind: 'time' }
  /** Microseconds since 1970-01-01 00:00:00; `zone` says that the value is an instant (UTC). */
  | { readonly kind: 'timestamp'; readonly zone: boolean };

export type TypeKind = LogicalType['kind'];

const SIMPLE: readonly TypeKind[] = [
  'bool',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'utf8',
  'json',
  'binary',
  'uuid',
  'date',
  'time',
];

/** The type as text: `decimal(12,2)`, `timestamptz`, `int64`. Inverse of {@link parseType}. */
export function renderType(type: LogicalType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision},${type.scale})`;
  if (type.kind === 'timestamp') return type.zone ? 'timestamptz' : 'timestamp';
  return type.kind;
}

/** Reads what {@link renderType} wrote; undefined for anything else, also for a decimal that cannot be. */
export function parseType(text: string): LogicalType | undefined {
  if (text === 'timestamp' || text === 'timestamptz')
    return { kind: 'timestamp', zone: text === 'timestamptz' };
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(text);
  if (decimal) {
    const [precision, scale] = [Number(decimal[1]), Number(decimal[2])];
    return precision >= 1 && precision <= 38 && scale <= precision
      ? { kind: 'decimal', precision, scale }
      : undefined;
  }
  const kind = SIMPLE.find((name) => name === text);
  return kind === undefined ? undefined : ({ kind } as LogicalType);
}

export function sameType(a: LogicalType, b: LogicalType): boolean {
  return renderType(a) === renderType(b);
}

const INT_DIGITS: Partial<Record<TypeKind, number>> = { int16: 5, int32: 10, int64: 19 };

/** How a type is seen as a decimal: digits before and after the point. Undefined when it is not exact numeric. */
function digits(type: LogicalType): { whole: number; scale: number } | undefined {
  if (type.kind === 'decimal') return { whole: type.precision - type.scale, scale: type.scale };
  const whole = INT_DIGITS[type.kind];
  return whole === undefined ? undefined : { whole, scale: 0 };
}

/**
 * The narrowest type that holds every value of both, or undefined when there is none without changing
 * values. Text is not a common type of everything: turning numbers into text is a user's decision.
 */
export function widen(a: LogicalType, b: LogicalType): LogicalType | undefined {
  if (sameType(a, b)) return a;
  const ints: TypeKind[] = ['int16', 'int32', 'int64'];
  const [ia, ib] = [ints.indexOf(a.kind), ints.indexOf(b.kind)];
  if (ia >= 0 && ib >= 0) return ia > ib ? a : b;
  const [da, db] = [digits(a), digits(b)];
  if (da && db) {
    const scale = Math.max(da.scale, db.scale);
    const precision = Math.max(da.whole, db.whole) + scale;
    return precision <= 38 ? { kind: 'decimal', precision, scale } : undefined;
  }
  return widenOther(a, b) ?? widenOther(b, a);
}

function widenOther(a: LogicalType, b: LogicalType): LogicalType | undefined {
  if (a.kind === 'float32' && b.kind === 'float64') return b;
  if (a.kind === 'int16' && (b.kind === 'float32' || b.kind === 'float64')) return b;
  if (a.kind === 'int32' && b.kind === 'float64') return b;
  if (a.kind === 'json' && b.kind === 'utf8') return b;
  if (a.kind === 'uuid' && b.kind === 'utf8') return b;
  // A date is midnight of a zone-less timestamp; an instant would need a zone that nobody stated.
  if (a.kind === 'date' && b.kind === 'timestamp' && !b.zone) return b;
  return undefined;
}

/** Bytes of one value in a batch column; undefined for types with offsets. Booleans are bitmaps. */
export function fixedWidth(type: LogicalType): number | undefined {
  switch (type.kind) {
    case 'int16':
      return 2;
    case 'int32':
    case 'float32':
    case 'date':
      return 4;
    case 'int64':
    case 'float64':
    case 'time':
    case 'timestamp':
      return 8;
    case 'uuid':
      return 16;
    case 'decimal':
      return type.precision <= 9 ? 4 : type.precision <= 18 ? 8 : 16;
    case 'bool':
    case 'utf8':
    case 'json':
    case 'binary':
      return undefined;
  }
}
