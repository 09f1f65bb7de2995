import { describe, expect, it } from 'vitest';
import type { LogicalType } from '../../core/types.ts';
import {
  atSnapshot,
  blockedBy,
  boundSql,
  type CursorHorizon,
  type CursorKind,
  type Horizon,
} from './horizon.ts';
import { type Bound, marginOf, riseTo } from '../shared/rise.ts';

const AT = '2026-07-24 12:00:00+00';
const HORIZON: Horizon = {
  at: AT,
  oldest: AT,
  ageSeconds: 0,
  quiet: true,
  nextXid: '100',
  blind: undefined,
  holder: undefined,
  prepared: [],
  replica: false,
  zone: 'UTC',
};
const INT: LogicalType = { kind: 'int64' };
const INSTANT: LogicalType = { kind: 'timestamp', zone: true };
const NOTHING: Bound = { watermark: undefined, pending: undefined };

function kind(type: LogicalType, more: Partial<CursorKind> = {}): CursorKind {
  return { type, zone: undefined, system: false, overlapSeconds: undefined, relations: [1], ...more };
}

function number(horizon: Partial<Horizon>, overlapSeconds?: number): CursorHorizon {
  return {
    horizon: { ...HORIZON, ...horizon },
    kind: kind(INT, { overlapSeconds }),
    safe: undefined,
    blocked: undefined,
    late: false,
    oldestXid: '90',
  };
}

describe('a watermark of time', () => {
  const cursor: CursorHorizon = {
    horizon: HORIZON,
    kind: kind(INSTANT),
    safe: '2026-07-24 11:00:00+00',
    blocked: undefined,
    late: false,
    oldestXid: '90',
  };

  it('rises to what open transactions allow, whatever was read', () => {
    for (const high of [undefined, '2026-01-01 00:00:00+00', '2099-01-01 00:00:00+00', 'infinity']) {
      expect(riseTo(cursor, high, NOTHING).watermark).toBe('2026-07-24 11:00:00+00');
    }
  });

  it('never falls', () => {
    const before = { watermark: '2026-07-24 11:30:00.5+00', pending: undefined };
    expect(riseTo(cursor, undefined, before)).toEqual(before);
  });

  it.each([
    ['2026-07-20 10:00:00+00', '2026-07-20 09:00:00.000000+00'],
    ['2026-07-24 11:30:00+00', '2026-07-24 10:30:00.000000+00'],
    ['2099-01-01 00:00:00+00', '2026-07-24 11:00:00+00'],
    [undefined, undefined],
  ])('where rows come late, stays behind what has come: %s', (high, watermark) => {
    const late = { ...cursor, late: true, horizon: { ...HORIZON, blind: 'a refresh' } };
    expect(riseTo(late, high, NOTHING).watermark).toBe(watermark);
  });

  it('stays while a prepared transaction may write', () => {
    const before = { watermark: '2026-01-01 00:00:00+00', pending: undefined };
    expect(riseTo({ ...cursor, blocked: 'it waits' }, '2026-07-24 00:00:00+00', before)).toBe(before);
  });
});

describe('a watermark of numbers', () => {
  it('rises at once where nobody else was at work', () => {
    expect(riseTo(number({}), '50', NOTHING)).toEqual({ watermark: '50', pending: undefined });
  });

  it.each([
    ['somebody is', { quiet: false }, undefined],
    ['somebody may be that we cannot see', { blind: 'hidden' }, undefined],
    ['the user wants an overlap', {}, 600],
  ])('waits where %s', (_, horizon, overlap) => {
    expect(riseTo(number(horizon, overlap), '50', NOTHING)).toEqual({
      watermark: undefined,
      pending: { high: '50', at: AT },
    });
  });

  it('rises to the number that waited once all that were open beside it have ended', () => {
    const before: Bound = { watermark: '10', pending: { high: '50', at: '2026-07-24 11:00:00+00' } };
    expect(riseTo(number({ quiet: false, oldest: '2026-07-24 10:59:59.999999+00' }), '70', before)).toBe(
      before,
    );
    // The one that is open began in the very moment that the number was seen.
    expect(riseTo(number({ quiet: false, oldest: '2026-07-24 11:00:00+00' }), '70', before)).toBe(before);
    expect(riseTo(number({ quiet: false, oldest: '2026-07-24 11:00:00.000001+00' }), '70', before)).toEqual({
      watermark: '50',
      pending: { high: '70', at: AT },
    });
  });

  it('waits for as long as the overlap, and an hour where it cannot see', () => {
    const before: Bound = { watermark: '10', pending: { high: '50', at: '2026-07-24 11:30:00+00' } };
    expect(riseTo(number({}, 3600), '70', before)).toBe(before);
    expect(riseTo(number({ blind: 'hidden' }), '70', before)).toBe(before);
    expect(riseTo(number({ blind: 'hidden' }, 600), '70', before).watermark).toBe('50');
    expect(riseTo(number({}, 600), '70', before).watermark).toBe('50');
  });

  it('is none where nothing was read', () => {
    expect(riseTo(number({}), undefined, NOTHING)).toBe(NOTHING);
  });
});

it('quiet stays quiet only when no transaction ended between the look and the snapshot', () => {
  const clock = '2026-07-24 12:00:01+00';
  expect(atSnapshot(HORIZON, { nextXid: '100', clock })).toMatchObject({
    quiet: true,
    at: clock,
    oldest: AT,
  });
  expect(atSnapshot(HORIZON, { nextXid: '101', clock }).quiet).toBe(false);
  expect(atSnapshot({ ...HORIZON, quiet: false }, { nextXid: '100', clock }).quiet).toBe(false);
});

describe('prepared transactions', () => {
  const prepared = (relations: number[] | null): Horizon => ({
    ...HORIZON,
    prepared: [{ gid: 'g', since: AT, relations }],
  });

  it('block a stream whose relations they have written to', () => {
    expect(blockedBy(prepared([7, 1]), [1, 2])).toContain('"g"');
    expect(blockedBy(prepared([7]), [1, 2])).toBeUndefined();
    expect(blockedBy(prepared([]), [1, 2])).toBeUndefined();
  });

  it('block every stream when it is not known what they, or the stream, touch', () => {
    expect(blockedBy(prepared(null), [1])).toContain('"g"');
    expect(blockedBy(prepared([7]), undefined)).toContain('"g"');
    expect(blockedBy(prepared([]), undefined)).toBeUndefined();
  });
});

it('only values of time have a bound in time', () => {
  expect(boundSql(kind(INT))).toBeUndefined();
  expect(boundSql(kind(INSTANT))!.zone).toBeUndefined();
  expect(boundSql(kind({ kind: 'timestamp', zone: false }))!.sql).toContain("interval '12 hours'");
  expect(boundSql(kind({ kind: 'date' }, { zone: 'Asia/Tokyo' }))).toMatchObject({
    zone: 'Asia/Tokyo',
    sql: expect.stringContaining('::date::text'),
  });
});

it('the margin is a minute, an hour where we cannot see, or what the user says', () => {
  expect(marginOf(HORIZON, undefined)).toBe(60);
  expect(marginOf({ ...HORIZON, blind: 'hidden' }, undefined)).toBe(3600);
  expect(marginOf({ ...HORIZON, blind: 'hidden' }, 5)).toBe(5);
  expect(marginOf(HORIZON, 0)).toBe(0);
});
