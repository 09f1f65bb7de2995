import { describe, expect, it } from 'vitest';
import type { StreamConfig } from '../../core/stream.ts';
import { type LogicalType, parseType } from '../../core/types.ts';
import { daysOf } from '../shared/days.ts';
import { boundOf, startOfDay, zoneOffset } from '../shared/zones.ts';
import { literal } from './cursor-sql.ts';
import type { Horizon } from './horizon.ts';

const type = (text: string): LogicalType => parseType(text)!;
const micros = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;

describe('literals', () => {
  it('are of the type of the column', () => {
    expect(literal('2026-07-01', type('timestamptz'))).toBe(`TIMESTAMP'2026-07-01 00:00:00.000000'`);
    expect(literal('2026-07-01 12:00:00.000001+00', type('timestamptz'))).toBe(
      `TIMESTAMP'2026-07-01 12:00:00.000001'`,
    );
    expect(literal('2026-07-01T12:00:00+02:00', type('timestamptz'))).toBe(
      `TIMESTAMP'2026-07-01 10:00:00.000000'`,
    );
    expect(literal('2026-07-01 12:00:00Z', type('timestamp'))).toBe(`TIMESTAMP'2026-07-01 12:00:00.000000'`);
    expect(literal('2026-07-01', type('date'))).toBe(`DATE'2026-07-01'`);
    expect(literal('18446744073709551615', type('decimal(20,0)'))).toBe('18446744073709551615');
    expect(literal(`a'b\\c`, type('utf8'))).toBe(`'a''b\\\\c'`);
  });

  it('refuse what is no value: the server would compare it as if it were one', () => {
    for (const [text, of] of [
      ['tomorrow', 'timestamptz'],
      ['2026-02-30', 'date'],
      ['1 OR 1=1', 'int64'],
      [`2026-01-01' OR '1`, 'timestamp'],
      ['infinity', 'timestamp'],
      ['0044-03-15 BC', 'date'],
    ] as const)
      expect(() => literal(text, type(of)), text).toThrow(
        expect.objectContaining({ code: 'stream.bad_cursor' }),
      );
  });
});

describe('lower bounds', () => {
  const at = '2026-07-24 12:00:00.900001+00';
  const bound = (
    of: string,
    zone: string | undefined,
    fraction: number,
    seconds: number = 0,
  ): string | undefined => boundOf(at, seconds, { type: type(of), zone, fraction });

  it('are instants for instants, and wall clocks of the zone for the rest', () => {
    expect(bound('timestamptz', undefined, 6)).toBe(at);
    expect(bound('timestamptz', undefined, 6, 60)).toBe('2026-07-24 11:59:00.900001+00');
    expect(bound('timestamp', 'Europe/Berlin', 6)).toBe('2026-07-24 14:00:00.900001');
    expect(bound('timestamp', '-03:30', 6)).toBe('2026-07-24 08:30:00.900001');
    expect(bound('date', 'Pacific/Auckland', 0)).toBe('2026-07-25');
    expect(bound('int64', undefined, 0)).toBeUndefined();
  });

  it('do not lie above what a column without microseconds shows', () => {
    expect(bound('timestamptz', undefined, 0)).toBe('2026-07-24 12:00:00.000000+00');
    expect(bound('timestamp', 'UTC', 3)).toBe('2026-07-24 12:00:00.900000');
  });

  it('without a zone lie below every clock of the world', () => {
    expect(bound('timestamp', undefined, 6)).toBe('2026-07-24 00:00:00.900001');
    expect(bound('date', undefined, 0)).toBe('2026-07-24');
  });

  it('take the earlier clock when summer ends within the next hours', () => {
    const before = '2026-10-24 23:30:00.000000+00';
    const berlin = { type: type('timestamp'), zone: 'Europe/Berlin', fraction: 6 };
    expect(boundOf(before, 0, berlin)).toBe('2026-10-25 00:30:00.000000');
  });
});

describe('zones and days', () => {
  it('know summer time', () => {
    expect(zoneOffset(micros('2026-01-01T00:00:00Z'), 'America/New_York')).toBe(-5n * 3_600_000_000n);
    expect(zoneOffset(micros('2026-07-01T00:00:00Z'), 'America/New_York')).toBe(-4n * 3_600_000_000n);
    expect(startOfDay('2026-03-29', 'Europe/Berlin')).toBe('2026-03-28 23:00:00.000000+00');
    expect(startOfDay('2026-03-30', 'Europe/Berlin')).toBe('2026-03-29 22:00:00.000000+00');
  });

  const horizon = {
    at: '2026-07-24 12:00:00.000000+00',
    oldest: '2026-07-23 22:30:00.000000+00',
    zone: 'Europe/Berlin',
  } as Horizon;
  const stream = { date: { column: 'd' } } as StreamConfig;
  const days = (more: object): unknown =>
    daysOf({ stream, window: {}, loaded: undefined, horizon, type: type('timestamptz'), ...more });

  it('are yesterday, or all since the last one, and settled when no open transaction can write there', () => {
    expect(days({})).toEqual([
      {
        day: '2026-07-23',
        from: '2026-07-22 22:00:00.000000+00',
        to: '2026-07-23 22:00:00.000000+00',
        settled: true,
      },
    ]);
    expect(days({ horizon: { ...horizon, oldest: '2026-07-23 22:00:30.000000+00' } })).toMatchObject([
      { settled: false },
    ]);
    expect(days({ loaded: '2026-07-20', type: type('date') })).toMatchObject([
      { day: '2026-07-21', from: '2026-07-21', to: '2026-07-22' },
      { day: '2026-07-22' },
      { day: '2026-07-23' },
    ]);
    expect(days({ loaded: '2026-07-23' })).toMatchObject([{ day: '2026-07-23' }]);
    expect(days({ window: { from: '2026-07-01', to: '2026-07-03' } })).toMatchObject([
      { day: '2026-07-01' },
      { day: '2026-07-02' },
    ]);
  });
});
