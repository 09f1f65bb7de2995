import { describe, expect, it } from 'vitest';
import { type FinishedRun, type FinishedStream, renderSummary } from './summary.ts';
import { createStyle } from './style.ts';

const style = createStyle(false);

function stream(name: string, overrides: Partial<FinishedStream> = {}): FinishedStream {
  return {
    stream: name,
    status: 'loaded',
    totals: {
      rows: 412,
      bytes: 40_000,
      loaded: 412,
      written: 12_000,
      quarantined: 0,
      skipped: 0,
      retries: 0,
      coerced: {},
      seconds: 0.2,
    },
    watermark: '2026-07-25 01:00:02.004411+00',
    changes: [],
    warnings: [],
    error: undefined,
    ...overrides,
  };
}

function run(overrides: Partial<FinishedRun>): FinishedRun {
  return {
    pipeline: 'shop_to_lake',
    status: 'succeeded',
    seconds: 1.4,
    peakRssBytes: 212_000_000,
    streams: [],
    alerts: [],
    ...overrides,
  };
}

const nothing = {
  rows: 0,
  bytes: 0,
  loaded: 0,
  written: 0,
  quarantined: 0,
  skipped: 0,
  retries: 0,
  coerced: {},
  seconds: 0.1,
};

describe('renderSummary', () => {
  it('says which loads were compared with their source, and what was found where they differ', () => {
    const rows = { source: 412, read: 412, target: 411 };
    const equal = { by: 'counts', status: 'equal', rows: { ...rows, target: 412 }, seconds: 0.2 } as const;
    const error = {
      code: 'verify.differs',
      recovery: 'data',
      message:
        'verifying b: the source has 412 rows, 412 were read, the table has 411; the load is committed',
      remedy: '`sluice verify` names the rows',
    };
    const streams = [
      stream('a', { verification: equal }),
      stream('b', {
        status: 'failed',
        error,
        verification: { by: 'counts', status: 'differs', rows, seconds: 0.1 },
      }),
      stream('c', { verification: equal }),
    ];
    const text = renderSummary(run({ status: 'partial', streams }), { style });
    expect(text.split('\n').slice(5)).toEqual([
      '  = counts agree with the source: 2 streams, 0.4 s',
      '  ✗ verifying b: the source has 412 rows, 412 were read, the table has 411; the load is committed',
      '    `sluice verify` names the rows',
      '    412 rows are loaded and stay; the next run continues at 2026-07-25 01:00:02.004411+00',
    ]);
  });

  it('of a run that went well', () => {
    const streams = [
      stream('public.customers'),
      stream('public.orders', {
        totals: {
          rows: 38_100,
          bytes: 4e6,
          loaded: 38_090,
          written: 1.2e6,
          quarantined: 0,
          skipped: 0,
          retries: 0,
          coerced: {},
          seconds: 0.0925,
        },
        changes: ['+ loyalty_tier text'],
        warnings: ['no index on updated_at'],
        watermark: '2026-07-25 00:58:12.900172+00',
      }),
      stream('public.events', { status: 'nothing-new', totals: nothing }),
    ];
    const text = renderSummary(run({ streams }), {
      style,
      phases: { fetch: 2.4, load: 1.1, commit: 0.2, bound: 'writing' },
    });
    expect(text).toBe(`\
✓ shop_to_lake   38.5K rows in 1.4 s   fetch 2.4 · load 1.1 (bound by writing) · commit 0.2   peak 212 MB
  stream              read   loaded   rows/s   written   watermark
  public.customers     412      412     2.1K     12 kB   2026-07-25 01:00:02.004411+00
  public.orders      38.1K    38.1K     412K    1.2 MB   2026-07-25 00:58:12.900172+00
  1 stream had nothing new
  ~ public.orders: table changed: + loyalty_tier text
  ! public.orders: no index on updated_at`);
  });

  it('says which way the rows have gone where there are two, and why', () => {
    const { totals } = stream('');
    const few = { method: 'statements', why: 'size', loads: 1, rows: 12, bytes: 845 } as const;
    const many = { method: 'bulk', why: 'size', loads: 3, rows: 38_000, bytes: 4e6 } as const;
    const streams = [
      stream('a', { totals: { ...totals, methods: [few] }, watermark: undefined }),
      stream('b', { totals: { ...totals, methods: [few, many] }, watermark: undefined }),
      stream('c', { totals: { ...totals, methods: [{ ...many, why: 'asked' }] }, watermark: undefined }),
      stream('d', { totals: { ...totals, methods: [{ ...few, why: 'server' }] }, watermark: undefined }),
    ];
    const column = renderSummary(run({ streams }), { style })
      .split('\n')
      .slice(1)
      .map((line) => line.slice(45).trim());
    expect(column).toEqual([
      'loaded by                                                             watermark',
      'statements (12 rows, 845 B)',
      'statements (1 load: 12 rows, 845 B), bulk (3 loads: 38K rows, 4 MB)',
      'bulk (asked for)',
      'statements (nothing else is allowed)',
    ]);
  });

  it('tells what was read and not loaded', () => {
    const { totals } = stream('');
    const some = { ...totals, rows: 412, loaded: 400, quarantined: 2, skipped: 10 };
    const streams = [stream('a'), stream('b', { totals: some })];
    expect(renderSummary(run({ streams }), { style })).toContain(`
  stream   read   loaded   quarantined   skipped   rows/s   written   watermark
  a         412      412             0         0     2.1K     12 kB`);
  });

  it('of a run that found nothing', () => {
    const streams = [stream('public.events', { status: 'nothing-new', totals: nothing })];
    expect(renderSummary(run({ streams, seconds: 0.31 }), { style })).toBe(
      '✓ shop_to_lake   nothing new   0.3 s',
    );
  });

  it('of a run that partly failed: what to do, what stays, and where the next run goes on', () => {
    const error = {
      code: 'x',
      recovery: 'transient',
      message: 'reading public.orders: connection lost (postgres://app:s3cret@db/shop)',
      remedy: 'run it again',
    };
    const streams = [
      stream('public.customers'),
      stream('public.orders', {
        status: 'failed',
        error,
        totals: nothing,
        watermark: '2026-07-24 01:05:23.118402+00',
      }),
      stream('public.items', {
        status: 'failed',
        error: { ...error, message: 'reading public.items: x', remedy: undefined },
        watermark: undefined,
      }),
    ];
    expect(
      renderSummary(run({ status: 'partial', streams }), {
        style,
        warnings: [{ stream: undefined, message: 'the role sees no sessions', remedy: 'grant it' }],
      }),
    ).toBe(`\
! shop_to_lake   1 of 3 streams done, 824 rows in 1.4 s   peak 212 MB
  stream             read   loaded   rows/s   written   watermark
  public.customers    412      412     2.1K     12 kB   2026-07-25 01:00:02.004411+00
  public.orders         0        0                      failed
  public.items        412      412     2.1K     12 kB   failed
  ! the role sees no sessions
    grant it
  ✗ reading public.orders: connection lost (postgres://app@db/shop)
    run it again
    nothing was written; the next run continues at 2026-07-24 01:05:23.118402+00
  ✗ reading public.items: x
    412 rows are loaded and stay; the next run goes on from there`);
  });

  it('tells a cause that failed all streams once', () => {
    const error = {
      code: 'x',
      recovery: 'transient',
      message: 'connecting to shop: refused',
      remedy: 'is it up?',
    };
    const failed = ['a', 'b', 'c', 'd'].map((name) =>
      stream(name, { status: 'failed', totals: nothing, watermark: undefined, error }),
    );
    expect(renderSummary(run({ status: 'failed', streams: failed }), { style })).toBe(`\
✗ shop_to_lake   failed after 1.4 s
  ✗ connecting to shop: refused
    is it up?
    nothing was written; the next run does it again`);
    const partial = [stream('e'), ...failed];
    expect(renderSummary(run({ status: 'partial', streams: partial }), { style })).toContain(
      '  ✗ a, b and 2 more: connecting to shop: refused\n',
    );
  });

  it('of runs that failed or were stopped', () => {
    const failed = stream('a', {
      status: 'failed',
      totals: nothing,
      watermark: undefined,
      error: { code: 'x', recovery: 'data', message: 'no', remedy: undefined },
    });
    expect(renderSummary(run({ status: 'failed', streams: [failed] }), { style })).toContain(
      '✗ shop_to_lake   failed after 1.4 s\n',
    );
    expect(renderSummary(run({ status: 'failed', streams: [failed] }), { style })).toContain(
      'nothing was written; the next run does it again',
    );
    const stopped = stream('a', { status: 'stopped' });
    expect(renderSummary(run({ status: 'stopped', streams: [stopped] }), { style })).toContain(
      '■ shop_to_lake   stopped after 1.4 s; 412 rows loaded, the next run goes on from there\n',
    );
  });
});

it('alerts stand at the end, with their streams', () => {
  const about = { pipeline: 'shop_to_lake', value: 3601, threshold: 3600 };
  const alerts = [
    { ...about, alert: 'staleness', stream: 'public.orders', message: 'not loaded for 1 h, longer than 1 h' },
    { ...about, alert: 'duration', stream: undefined, message: 'took 1 h, longer than 1 h' },
  ] as const;
  expect(renderSummary(run({ alerts: [...alerts] }), { style })).toMatch(
    /\n  ▲ public\.orders: not loaded for 1 h, longer than 1 h \(alert: staleness\)\n  ▲ took 1 h, longer than 1 h \(alert: duration\)$/,
  );
});

it('says which files were found, and what an error says only there', () => {
  const message = 'reading "b.csv": permission denied';
  const error = { code: 'storage.permission', message: `loading t: ${message}`, recovery: 'config' } as const;
  const text = renderSummary(
    run({
      status: 'partial',
      streams: [
        stream('t', { status: 'failed', error: { ...error, remedy: undefined } }),
        stream('u', { status: 'nothing-new' }),
      ],
    }),
    {
      style,
      warnings: [{ stream: 't', message }],
      found: new Map([
        ['t', '3 files, 1 loaded, 2 new'],
        ['u', '1 file, 1 loaded, 0 new'],
      ]),
    },
  );
  expect(text).toContain('\n  ← t: 3 files, 1 loaded, 2 new\n');
  expect(text).not.toContain('1 file,');
  expect(text.split(message)).toHaveLength(2);
});
