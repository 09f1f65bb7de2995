import { describe, expect, it } from 'vitest';
import { CancelledError, ConfigError, ConflictError, TransientError } from '../core/errors.ts';
import type { RunEvent } from '../core/events.ts';
import type { PipelinePlan } from '../engine/types.ts';
import { fakeContext, runReport, runWith, streamReport } from './fakes.fixture.ts';

const PLAN: PipelinePlan = {
  pipeline: 'shop_to_lake',
  from: { connection: 'shop', title: 'PostgreSQL 18.4' },
  to: { connection: 'lake', title: './lake' },
  at: '2026-07-25 01:00:00+00',
  streams: [],
  warnings: [],
};
const two = (): ReturnType<typeof fakeContext> =>
  fakeContext({
    pipelines: {
      first: { from: 'shop', to: 'lake', streams: {} },
      second: { from: 'shop', to: 'lake', timezone: 'Asia/Tokyo', streams: {} },
    },
  });
const unreachable = new TransientError('connecting to "shop": connection refused', {
  code: 'postgres.refused',
  remedy: 'is it up?',
});

describe('help', () => {
  it('lists commands, options and exit codes', async () => {
    const { code, out, err } = await runWith([], {});
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain('\nusage: sluice <command> [options]\n');
    expect(out).toMatch(/\n {2}run {2,}load what is new\n/);
    expect(out).toMatch(/\n {4}3 {3}some streams failed, the others are loaded\n/);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
  });

  it('describes one command', async () => {
    const { out } = await runWith(['sql', 'updated-at-trigger', '--help'], {});
    expect(out).toBe(`\
sluice sql updated-at-trigger   print DDL that gives a PostgreSQL table a dependable updated_at

usage: sluice sql updated-at-trigger <table…> [options]

options
      --column <name>   name of the column (default: updated_at)
      --no-index        without the index on the column

as with every command: --project, --json, --verbose, --no-color, --help, --version

examples
  sluice sql updated-at-trigger public.orders
  sluice sql updated-at-trigger public.orders | psql "$SHOP_URL"
`);
  });

  it('prints the version alone', async () => {
    expect((await runWith(['--version'], {})).out).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  });
});

describe('errors', () => {
  it('go to stderr, with the code of their kind', async () => {
    const { code, out, err } = await runWith(['run', '-C', 'missing'], {});
    expect([code, out, err]).toEqual([2, '', '✗ "missing": no such project\n']);
  });

  it('are one JSON object with --json', async () => {
    const { code, out, err } = await runWith(['run', '-C', 'missing', '--json'], {});
    expect([code, err]).toEqual([2, '']);
    expect(JSON.parse(out)).toEqual({
      error: {
        code: 'config.missing',
        message: '"missing": no such project',
        remedy: null,
        recovery: 'config',
      },
    });
  });

  it('that nobody expected have code 1', async () => {
    const { code, err } = await runWith(['run'], {
      run: () => Promise.reject(new TypeError('x is undefined')),
    });
    expect(code).toBe(1);
    expect(err).toContain('please report it');
  });

  it('of being stopped say so and no more', async () => {
    const stopped = new CancelledError('stopped on request', { code: 'cancelled' });
    const { code, err } = await runWith(['run'], { run: () => Promise.reject(stopped) });
    expect([code, err]).toEqual([130, 'stopped on request\n']);
  });
});

describe('run', () => {
  it('runs everything and prints a summary for each pipeline', async () => {
    const asked: [string, unknown][] = [];
    const { code, out } = await runWith(['run', '--workers', '2', '--date', '2026-07-24'], {
      openProject: () => Promise.resolve(two()),
      run: (_context, pipeline, { workers, window }) => {
        asked.push([pipeline, { workers, window }]);
        return Promise.resolve(runReport({ pipeline }));
      },
    });
    expect(code).toBe(0);
    const options = { workers: 2, window: { from: '2026-07-24', to: '2026-07-25' } };
    expect(asked).toEqual([
      ['first', options],
      ['second', options],
    ]);
    expect(out).toMatch(/^✓ first {3}412 rows[^]*\n✓ second {3}412 rows/);
  });

  it('prints progress to stderr, not to stdout', async () => {
    const { out, err } = await runWith(['run'], {
      run: (_context, _pipeline, { onEvent }) => {
        onEvent?.({ kind: 'stream-started', stream: 'public.orders' });
        onEvent?.({
          kind: 'warning',
          stream: undefined,
          code: 'x',
          message: 'the role sees no sessions',
          remedy: 'grant it',
        });
        return Promise.resolve(runReport());
      },
    });
    expect(err).toMatch(/^\d\d:\d\d:\d\d public\.orders: started\n$/);
    expect(out).toContain('  ! the role sees no sessions\n    grant it\n');
  });

  it('writes events and at last the report as JSON lines', async () => {
    const events: RunEvent[] = [
      {
        kind: 'run-started',
        run: 'r',
        pipeline: 'p',
        from: 'a',
        to: 'b',
        streams: 1,
        at: '2026-07-25T01:00:00Z',
      },
      { kind: 'progress', stream: 's', slice: '1', rows: 1, bytes: 2 },
    ];
    const { code, out, err } = await runWith(['run', '--json'], {
      run: (_context, _pipeline, { onEvent }) => {
        for (const event of events) onEvent?.(event);
        return Promise.resolve(runReport());
      },
    });
    expect([code, err]).toEqual([0, '']);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; at?: string });
    expect(lines.map(({ kind }) => kind)).toEqual(['run-started', 'progress', 'report']);
    expect(lines.at(-1)).toEqual({ kind: 'report', ...(JSON.parse(JSON.stringify(runReport())) as object) });
  });

  it('goes on with the next pipeline after one that failed, and tells what is durable', async () => {
    const { code, out, err } = await runWith(['run'], {
      openProject: () => Promise.resolve(two()),
      run: (_context, pipeline) =>
        pipeline === 'first' ? Promise.reject(unreachable) : Promise.resolve(runReport({ pipeline })),
    });
    expect(code).toBe(3);
    expect(err).toBe(
      '✗ connecting to "shop": connection refused\n  is it up?\n  nothing was read or written\n',
    );
    expect(out).toContain('✓ second');
  });

  it.each([
    ['when it cannot connect', () => Promise.reject(unreachable), 6],
    [
      'when another run holds the only lease',
      () => Promise.reject(new ConflictError('held', { code: 'lease.held' })),
      5,
    ],
    ['when some streams failed', () => Promise.resolve(runReport({ status: 'partial' })), 3],
    ['when it was stopped', () => Promise.resolve(runReport({ status: 'stopped' })), 130],
    [
      'when all streams failed the contract',
      () => {
        const error = { code: 'x', recovery: 'schema', message: 'narrower', remedy: undefined };
        return Promise.resolve(
          runReport({ status: 'failed', streams: [streamReport('a', { status: 'failed', error })] }),
        );
      },
      4,
    ],
  ])('%s', async (_name, run, expected) => {
    expect((await runWith(['run'], { run })).code).toBe(expected);
  });

  it('refuses wrong flags and unknown pipelines before it runs anything', async () => {
    const run = (): never => {
      throw new Error('was run');
    };
    expect(await runWith(['run', '--workers', 'many'], { run })).toMatchObject({
      code: 2,
      err: '✗ --workers: "many" is no whole number above zero\n',
    });
    expect(await runWith(['run', 'shop_to_lak'], { run })).toMatchObject({
      code: 2,
      err: '✗ "shop_to_lak": unknown pipeline; did you mean "shop_to_lake"?\n  pipelines are named in the project file\n',
    });
  });
});

describe('plan', () => {
  it('is what run --dry-run does', async () => {
    const plan = (): Promise<PipelinePlan> => Promise.resolve(PLAN);
    expect((await runWith(['run', '--dry-run'], { plan })).out).toContain(
      'nothing was written. To do it, leave out --dry-run',
    );
    const { code, out } = await runWith(
      ['plan', '--select', 'public.ord*', '--full-refresh', '--from', '2026-07-01'],
      { plan },
    );
    expect(code).toBe(0);
    expect(out).toContain(
      "To run it: sluice run shop_to_lake --select 'public.ord*' --from 2026-07-01 --full-refresh\n",
    );
  });

  it('has everything in JSON', async () => {
    const { out } = await runWith(['plan', '--json'], { plan: () => Promise.resolve(PLAN) });
    expect(JSON.parse(out)).toEqual(PLAN);
  });

  it('fails like a run would', async () => {
    const { code, err } = await runWith(['plan'], {
      plan: () => Promise.reject(new ConfigError('x', { code: 'c' })),
    });
    expect([code, err]).toEqual([2, '✗ x\n']);
  });
});
