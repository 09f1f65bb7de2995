import { describe, expect, it, test } from 'vitest';
import type { AlertThresholds } from '../core/alerts.ts';
import type { RunRecord, RunStreamRecord } from '../core/state.ts';
import { limitsOf, runAlerts, staleAlerts, type Thresholds } from './alerts.ts';

const AT = '2026-07-25T01:00:00.000Z';

function stream(over: Partial<RunStreamRecord> = {}): RunStreamRecord {
  const none = { watermark: undefined, error: undefined };
  return {
    stream: 'a',
    table: 'a',
    status: 'loaded',
    rows: 1000,
    loaded: 1000,
    bytes: 1,
    seconds: 20,
    ...none,
    ...over,
  };
}

/** A run of 100 seconds. */
function run(...streams: RunStreamRecord[]): RunRecord {
  const finishedAt = new Date(Date.parse(AT) + 100_000).toISOString();
  return {
    run: 'r',
    pipeline: 'p',
    startedAt: AT,
    finishedAt,
    status: 'succeeded',
    host: 'h',
    pid: 1,
    streams,
  };
}

/** Of the pipeline, and what stream `a` says itself. */
function thresholds(pipeline: AlertThresholds, own: AlertThresholds = {}): Thresholds {
  return {
    run: limitsOf(pipeline),
    streams: new Map([['a', { own: limitsOf(own), all: limitsOf(pipeline, own) }]]),
  };
}

const fired = (record: RunRecord, limits: Thresholds): string[] =>
  runAlerts(record, limits).map(({ alert, stream: of, message }) => `${of ?? 'run'}: ${alert}: ${message}`);

describe('a threshold', () => {
  test.each([
    ['error_rate', thresholds({ error_rate: 1 }), stream({ quarantined: 10, loaded: 990 }), []],
    [
      'error_rate',
      thresholds({ error_rate: 1 }),
      stream({ quarantined: 11, loaded: 989 }),
      ['a: error_rate: 11 of 1,000 rows are in quarantine (1.1 %), more than 1 %'],
    ],
    ['error_rate 0', thresholds({ error_rate: 0 }), stream({ rows: 0, loaded: 0 }), []],
    [
      'error_rate 0',
      thresholds({ error_rate: 0 }),
      stream({ quarantined: 1 }),
      ['a: error_rate: 1 of 1,000 rows are in quarantine (0.1 %), more than 0 %'],
    ],
    ['duration of the run', thresholds({ duration: 100 }), stream(), []],
    [
      'duration of the run',
      thresholds({ duration: 99 }),
      stream(),
      ['run: duration: took 1 min 40 s, longer than 1 min 39 s'],
    ],
    ['duration of a stream', thresholds({}, { duration: 20 }), stream(), []],
    [
      'duration of a stream',
      thresholds({}, { duration: 19 }),
      stream(),
      ['a: duration: took 20 s, longer than 19 s'],
    ],
    ['throughput of the run', thresholds({ min_rows_per_second: 10 }), stream(), []],
    [
      'throughput of the run',
      thresholds({ min_rows_per_second: 10.5 }),
      stream(),
      ['run: min_rows_per_second: 10 rows per second, fewer than 10.5'],
    ],
    [
      'throughput of a stream',
      thresholds({}, { min_rows_per_second: 51 }),
      stream(),
      ['a: min_rows_per_second: 50 rows per second, fewer than 51'],
    ],
    ['throughput of a moment', thresholds({}, { min_rows_per_second: 1e6 }), stream({ seconds: 9.9 }), []],
    ['throughput of nothing', thresholds({}, { min_rows_per_second: 1 }), stream({ rows: 0, loaded: 0 }), []],
    [
      'failed',
      thresholds({ failed: true }),
      stream({ status: 'failed', error: { code: 'x', message: 'lost', remedy: undefined } }),
      ['a: failed: failed: lost'],
    ],
    ['failed', thresholds({ failed: true }), stream({ status: 'stopped' }), []],
    ['failed', thresholds({ failed: true }, { failed: false }), stream({ status: 'failed' }), []],
    ['taken away', thresholds({ error_rate: 1 }, { error_rate: false }), stream({ quarantined: 500 }), []],
    ['raised', thresholds({ error_rate: 1 }, { error_rate: 60 }), stream({ quarantined: 500 }), []],
    ['of a stream that is gone', { run: {}, streams: new Map() }, stream({ quarantined: 500 }), []],
  ] as const)('%s', (_, limits, of, expected) => {
    expect(fired(run(of), limits)).toEqual(expected);
  });

  it('of a run is held against all streams together', () => {
    const record = run(stream(), stream({ stream: 'b', rows: 9000 }));
    expect(fired(record, thresholds({ min_rows_per_second: 100 }))).toEqual([]);
    expect(fired(record, thresholds({ min_rows_per_second: 101 }))).toHaveLength(1);
  });

  it('"failed" tells of a run that could not begin', () => {
    const record = { ...run(), status: 'failed' };
    expect(fired(record, thresholds({ failed: true }))).toEqual(['run: failed: the run could not begin']);
    expect(fired(record, thresholds({}))).toEqual([]);
  });
});

describe('staleness', () => {
  const now = Date.parse(AT);
  const stale = (limits: Thresholds, last: string | undefined, horizon?: string): unknown[] => {
    const succeeded = new Map(last === undefined ? [] : [['a', last]]);
    return staleAlerts('p', limits, { succeeded, horizon }, now).map(({ stream: of, value, message }) => [
      of,
      value,
      message,
    ]);
  };
  const anHour = thresholds({ staleness: 3600 });

  it('counts from the last good load', () => {
    expect(stale(anHour, '2026-07-25T00:00:00Z')).toEqual([]);
    expect(stale(anHour, '2026-07-24T23:59:59Z')).toEqual([
      ['a', 3601, 'not loaded for 1 h, longer than 1 h'],
    ]);
    expect(stale(thresholds({ staleness: 3600 }, { staleness: 7200 }), '2026-07-24T23:59:59Z')).toEqual([]);
    expect(stale(thresholds({ staleness: 3600 }, { staleness: false }), undefined)).toEqual([]);
  });

  it('of what was never loaded fires, unless the records do not reach back far enough to say so', () => {
    expect(stale(anHour, undefined)).toEqual([['a', undefined, 'was never loaded']]);
    expect(stale(anHour, undefined, '2026-07-25T00:30:00Z')).toEqual([]);
    expect(stale(anHour, undefined, '2026-07-24T22:00:00Z')).toEqual([
      ['a', 10_800, 'not loaded for 3 h, longer than 1 h'],
    ]);
  });

  it('of a pipeline without known streams is that of the pipeline', () => {
    expect(stale({ run: { staleness: 1 }, streams: new Map() }, undefined)).toEqual([
      [undefined, undefined, 'was never loaded'],
    ]);
    expect(stale({ run: {}, streams: new Map() }, undefined)).toEqual([]);
  });
});
