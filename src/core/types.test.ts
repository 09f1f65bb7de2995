import { describe, expect, it } from 'vitest';
import { fixedWidth, type LogicalType, parseType, renderType, sameType, widen } from './types.ts';

const KINDS = [
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
] as const;
const decimal = (precision: number, scale: number): LogicalType => ({ kind: 'decimal', precision, scale });
const ALL: LogicalType[] = [
  ...KINDS.map((kind) => ({ kind })),
  decimal(1, 0),
  decimal(38, 38),
  { kind: 'timestamp', zone: true },
  { kind: 'timestamp', zone: false },
];

describe('a type as text', () => {
  it('is read back as the same type', () => {
    for (const type of ALL) expect(parseType(renderType(type))).toEqual(type);
    expect(renderType(decimal(12, 2))).toBe('decimal(12,2)');
    expect(renderType({ kind: 'timestamp', zone: true })).toBe('timestamptz');
  });

  it.each([
    '',
    'decimal',
    'decimal(0,0)',
    'decimal(39,0)',
    'decimal(5,6)',
    'decimal(5,-2)',
    'decimal(5)',
    'DATE',
    'timestamp(3)',
    'text',
    'toString',
  ])('"%s" is no type', (text) => {
    expect(parseType(text)).toBeUndefined();
  });

  it('tells types apart by all that they are', () => {
    for (const [i, a] of ALL.entries())
      for (const [j, b] of ALL.entries()) expect(sameType(a, b)).toBe(i === j);
  });
});

describe('widening', () => {
  const wider = (a: string, b: string): string | undefined => {
    const found = widen(parseType(a)!, parseType(b)!);
    return found && renderType(found);
  };

  it.each([
    ['int16', 'int32', 'int32'],
    ['int32', 'int64', 'int64'],
    ['int16', 'float32', 'float32'],
    ['int16', 'float64', 'float64'],
    ['int32', 'float64', 'float64'],
    ['float32', 'float64', 'float64'],
    ['decimal(5,2)', 'decimal(7,2)', 'decimal(7,2)'],
    ['decimal(5,2)', 'decimal(5,4)', 'decimal(7,4)'],
    ['int32', 'decimal(5,2)', 'decimal(12,2)'],
    ['int64', 'decimal(38,0)', 'decimal(38,0)'],
    ['int16', 'decimal(9,4)', 'decimal(9,4)'],
    ['json', 'utf8', 'utf8'],
    ['uuid', 'utf8', 'utf8'],
    ['date', 'timestamp', 'timestamp'],
  ])('%s and %s have %s in common, in either order', (a, b, common) => {
    expect(wider(a, b)).toBe(common);
    expect(wider(b, a)).toBe(common);
  });

  it.each([
    ['int32', 'float32'],
    ['int64', 'float64'],
    ['int64', 'utf8'],
    ['date', 'timestamptz'],
    ['timestamp', 'timestamptz'],
    ['bool', 'int16'],
    ['decimal(20,0)', 'float64'],
    ['decimal(38,0)', 'decimal(38,1)'],
    ['int64', 'decimal(38,20)'],
    ['binary', 'utf8'],
    ['time', 'timestamp'],
  ])('%s and %s have no type in common that keeps every value', (a, b) => {
    expect(wider(a, b)).toBeUndefined();
    expect(wider(b, a)).toBeUndefined();
  });
});

it('values of fixed width have the width of their buffers', () => {
  const widths = ALL.map((type) => [renderType(type), fixedWidth(type)]);
  expect(Object.fromEntries(widths)).toEqual({
    bool: undefined,
    int16: 2,
    int32: 4,
    int64: 8,
    float32: 4,
    float64: 8,
    utf8: undefined,
    json: undefined,
    binary: undefined,
    uuid: 16,
    date: 4,
    time: 8,
    'decimal(1,0)': 4,
    'decimal(38,38)': 16,
    timestamptz: 8,
    timestamp: 8,
  });
  expect([9, 10, 18, 19].map((precision) => fixedWidth(decimal(precision, 0)))).toEqual([4, 8, 8, 16]);
});
