import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from './errors.ts';
import {
  formatBytes,
  formatClock,
  formatCount,
  formatExact,
  formatRate,
  formatSeconds,
  parseDuration,
  parseSize,
} from './units.ts';

describe('parseDuration', () => {
  test.each([
    ['30 days', 2_592_000],
    ['90s', 90],
    ['1h 30m', 5400],
    ['1h30m', 5400],
    ['1 hour, 30 minutes', 5400],
    ['15 Minutes', 900],
    ['2 weeks', 1_209_600],
    ['1.5 h', 5400],
    ['1500 ms', 1.5],
    ['250 milliseconds', 0.25],
    ['  10 sec ', 10],
    ['90', 90],
    [0, 0],
    [2.5, 2.5],
  ])('%j is %d seconds', (written, seconds) => expect(parseDuration(written)).toBe(seconds));

  test.each([
    '',
    ' ',
    'soon',
    '1 month',
    '5M',
    '1h and 2m',
    '-5 s',
    '5 s!',
    's',
    '1..5 s',
    'constructor',
    '1 constructor',
  ])('%j is refused', (written) => {
    expect(() => parseDuration(written)).toThrow(
      `"${written}" is no duration; write "90s", "15 minutes", "1h 30m", "30 days" or a number of seconds`,
    );
  });

  test.each([-1, Number.NaN, Infinity])('the number %d is refused', (written) => {
    expect(() => parseDuration(written)).toThrow(ConfigError);
  });

  test('long forms are not read for long', () => {
    const started = performance.now();
    expect(() => parseDuration(`${'1h '.repeat(20_000)}!`)).toThrow(ConfigError);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('parseSize', () => {
  test.each([
    ['128 MB', 128_000_000],
    ['512MiB', 536_870_912],
    ['512 mib', 536_870_912],
    ['1.5 GB', 1_500_000_000],
    ['64 KiB', 65_536],
    ['64 kB', 64_000],
    ['1 TiB', 2 ** 40],
    ['10 bytes', 10],
    ['4096', 4096],
    [4096, 4096],
  ])('%j is %d bytes', (written, bytes) => expect(parseSize(written)).toBe(bytes));

  test.each(['', '5 G', '5 M', '-1 MB', 'MB', '1 MB 2 kB', '1e3 MB', '1 toString'])(
    '%j is refused',
    (written) => {
      expect(() => parseSize(written)).toThrow(
        /is no size; write "64 KiB", "128 MB", "512 MiB", "2 GB" or a number of bytes/,
      );
    },
  );

  test.each([-1, 1.5, Number.NaN, Infinity])('the number %d is refused', (written) => {
    expect(() => parseSize(written)).toThrow(ConfigError);
  });
});

test('numbers pass through, so that parsed options can be parsed again', () => {
  fc.assert(
    fc.property(fc.nat(), (n) => parseDuration(parseDuration(n)) === n && parseSize(parseSize(n)) === n),
  );
  fc.assert(
    fc.property(
      fc.nat(),
      (n) => parseDuration(`${n} ms`) === n / 1000 && parseSize(`${n} MiB`) === n * 2 ** 20,
    ),
  );
});

describe('numbers for people', () => {
  test.each([
    [0, '0'],
    [412, '412'],
    [999, '999'],
    [999.6, '1K'],
    [1000, '1K'],
    [2140, '2.1K'],
    [38_100, '38.1K'],
    [99_949, '99.9K'],
    [99_951, '100K'],
    [412_345, '412K'],
    [999_499, '999K'],
    [999_500, '1M'],
    [5_000_412, '5M'],
    [1.23e9, '1.2B'],
    [4e15, '4000T'],
    [-38_100, '-38.1K'],
    [Number.NaN, '–'],
  ])('formatCount(%d) is %s', (count, text) => expect(formatCount(count)).toBe(text));

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [9_540_000, '9.5 MB'],
    [38_400_000, '38.4 MB'],
    [212_400_000, '212 MB'],
    [536_870_912, '537 MB'],
    [1.4e9, '1.4 GB'],
  ])('formatBytes(%d) is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test.each([
    [0, '0 s'],
    [0.00001, '1 ms'],
    [0.0042, '4 ms'],
    [0.0994, '99 ms'],
    [0.2, '0.2 s'],
    [1.4, '1.4 s'],
    [7, '7 s'],
    [59.94, '59.9 s'],
    [59.96, '1 min'],
    [75, '1 min 15 s'],
    [3599.7, '1 h'],
    [7500, '2 h 5 min'],
    [86_399, '1 d'],
    [97_200, '1 d 3 h'],
    [2_592_000, '30 d'],
    [-1.4, '-1.4 s'],
    [Infinity, '–'],
  ])('formatSeconds(%d) is %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  test.each([
    [0, '0:00'],
    [0.2, '0:01'],
    [61, '1:01'],
    [3725, '1:02:05'],
    [-3, '0:00'],
    [Infinity, '–'],
  ])('formatClock(%d) is %s', (seconds, text) => expect(formatClock(seconds)).toBe(text));

  test('formatRate divides by the time and knows when there was none', () => {
    expect(formatRate(412_000, 1, 'rows')).toBe('412K rows/s');
    expect(formatRate(1, 2, 'rows')).toBe('0.5 rows/s');
    expect(formatRate(9.97, 1, 'rows')).toBe('10 rows/s');
    expect(formatRate(76_000_000, 2, 'bytes')).toBe('38 MB/s');
    expect(formatRate(10, 0, 'rows')).toBe('–');
  });

  test('formatExact keeps all digits', () => expect(formatExact(5_000_412)).toBe('5,000,412'));

  test('short forms stay short and say about the same', () => {
    const factor: Record<string, number> = { '': 1, K: 1e3, M: 1e6, B: 1e9, T: 1e12 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e14 }), (count) => {
        const [, digits = '', unit = ''] = /^([\d.]+)([KMBT]?)$/.exec(formatCount(count)) ?? [];
        expect(digits.length).toBeLessThanOrEqual(4);
        expect(Math.abs(Number(digits) * (factor[unit] ?? 0) - count)).toBeLessThanOrEqual(count * 0.05);
      }),
    );
  });
});
