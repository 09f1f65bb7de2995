import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../core/errors.ts';
import type { LogicalType } from '../../core/types.ts';
import { backBy, greaterCursor, lesserCursor, parseCursor, renderCursor } from './cursor-value.ts';

const LONG: LogicalType = { kind: 'int64' };
const DATE: LogicalType = { kind: 'date' };
const STAMP: LogicalType = { kind: 'timestamp', zone: false };
const STAMPTZ: LogicalType = { kind: 'timestamp', zone: true };

const MOST = 2n ** 63n - 1n;
/** 4714-11-24 BC, where PostgreSQL begins to count, and what comes after 294246. */
const FIRST_DAY = -2_440_588;
const FIRST_MICRO = BigInt(FIRST_DAY) * 86_400_000_000n;

/** Texts that PostgreSQL prints, and what they stand for. */
const KNOWN: [LogicalType, string, bigint][] = [
  [LONG, '-9223372036854775808', -(2n ** 63n)],
  [LONG, '9007199254740993', 9_007_199_254_740_993n],
  [DATE, '1970-01-01', 0n],
  [DATE, '1969-12-31', -1n],
  [DATE, '2000-02-29', 11_016n],
  [DATE, '1900-03-01', -25_508n],
  [DATE, '0001-01-01', -719_162n],
  [DATE, '0001-12-31 BC', -719_163n],
  [DATE, '4714-11-24 BC', BigInt(FIRST_DAY)],
  [DATE, '5874897-12-31', 2_145_042_905n],
  [DATE, 'infinity', 0x7fff_ffffn],
  [DATE, '-infinity', -0x7fff_ffffn],
  [STAMP, '1970-01-01 00:00:00.000000', 0n],
  [STAMP, '1969-12-31 23:59:59.999999', -1n],
  [STAMPTZ, '2026-07-24 01:05:23.118402+00', 1_784_855_123_118_402n],
  [STAMPTZ, '294247-01-10 04:00:54.775806+00', MOST - 1n],
  [STAMP, '4714-11-24 00:00:00.000000 BC', FIRST_MICRO],
  [STAMPTZ, '4714-11-24 00:00:00.000001+00 BC', FIRST_MICRO + 1n],
  [STAMPTZ, 'infinity', MOST],
  [STAMP, '-infinity', -MOST],
];

describe('a cursor value', () => {
  it.each(KNOWN)('of %o is "%s"', (type, text, value) => {
    expect(renderCursor(value, type)).toBe(text);
    expect(parseCursor(text, type)).toBe(value);
  });

  it('is the same after rendering and parsing, over the whole range', () => {
    const check = (type: LogicalType, min: bigint, max: bigint): void =>
      fc.assert(
        fc.property(fc.bigInt({ min, max }), (value) => {
          expect(parseCursor(renderCursor(value, type), type)).toBe(value);
        }),
        { numRuns: 2000 },
      );
    check(LONG, -(2n ** 63n), MOST);
    check(DATE, BigInt(FIRST_DAY), 2_145_042_905n);
    for (const type of [STAMP, STAMPTZ]) check(type, FIRST_MICRO, MOST - 1n);
  });

  it('agrees with the calendar of JavaScript on every day of 400 years, after which it repeats', () => {
    for (let day = -100_000; day < 46_097; day++) {
      const text = new Date(day * 86_400_000).toISOString().slice(0, 10);
      if (renderCursor(BigInt(day), DATE) !== text) expect(renderCursor(BigInt(day), DATE)).toBe(text);
      if (parseCursor(text, DATE) !== BigInt(day)) expect(parseCursor(text, DATE)).toBe(BigInt(day));
    }
  });

  it('is read in the forms that people type', () => {
    expect(parseCursor('2026-07-24', STAMPTZ)).toBe(parseCursor('2026-07-24 00:00:00+00', STAMPTZ));
    expect(parseCursor('2026-07-24T01:05Z', STAMPTZ)).toBe(
      parseCursor('2026-07-24 01:05:00.000000+00:00', STAMPTZ),
    );
    expect(parseCursor('2026-07-24 01:05:23.1', STAMP)).toBe(
      parseCursor('2026-07-24 01:05:23.100000', STAMP),
    );
  });

  it.each([
    [LONG, '1.5'],
    [LONG, ''],
    [LONG, 'x'],
    [LONG, '1e3'],
    [DATE, '24.07.2026'],
    [DATE, '2026-7-4'],
    [DATE, '2026-02-30'],
    [DATE, '2026-13-01'],
    [DATE, '2025-02-29'],
    [DATE, '0000-01-01'],
    [DATE, '1900-02-29'],
    [STAMPTZ, '2026-07-24 01:05:23+02'],
    [STAMPTZ, '2026-07-24 25:00:00+00'],
    [STAMPTZ, '2026-07-24 01:60:00+00'],
    [STAMP, '2026-07-24 01:05:23.1234567'],
    [STAMP, 'yesterday'],
  ] as const)('of %o is not "%s", and the message says what it should be', (type, text) => {
    expect(() => parseCursor(text, type)).toThrow(ConfigError);
    expect(() => parseCursor(text, type)).toThrow(/a whole number|YYYY-MM-DD|that exists/);
  });

  it('is compared as a value, not as text', () => {
    expect(greaterCursor('9', '10', LONG)).toBe('10');
    expect(lesserCursor('9', '10', LONG)).toBe('9');
    expect(greaterCursor('0044-03-15 BC', '0001-01-01', DATE)).toBe('0001-01-01');
    expect(greaterCursor('10000-01-01 00:00:00.000000', '9999-12-31 00:00:00.000000', STAMP)).toBe(
      '10000-01-01 00:00:00.000000',
    );
    expect(greaterCursor('infinity', '294247-01-10 04:00:54.775806+00', STAMPTZ)).toBe('infinity');
    expect(lesserCursor('-infinity', '4714-11-24 BC', DATE)).toBe('-infinity');
    expect(greaterCursor(undefined, '3', LONG)).toBe('3');
    expect(greaterCursor('3', undefined, LONG)).toBe('3');
    expect(greaterCursor(undefined, undefined, LONG)).toBeUndefined();
  });

  it('goes back by a time span; dates by whole days, numbers and the infinities not at all', () => {
    expect(backBy('2026-01-01 00:00:00.000001+00', 1.5, STAMPTZ)).toBe('2025-12-31 23:59:58.500001+00');
    expect(backBy('0001-01-01 00:00:00.000000', 1, STAMP)).toBe('0001-12-31 23:59:59.000000 BC');
    expect(backBy('2026-03-01', 1, DATE)).toBe('2026-02-28');
    expect(backBy('2026-03-01', 86_401, DATE)).toBe('2026-02-27');
    expect(backBy('infinity', 60, STAMPTZ)).toBe('infinity');
    expect(backBy('-infinity', 60, DATE)).toBe('-infinity');
    expect(backBy('42', 60, LONG)).toBe('42');
  });
});
