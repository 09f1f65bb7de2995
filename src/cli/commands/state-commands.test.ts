import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import type { Destination, TableState } from '../../core/destination.ts';
import { TransientError } from '../../core/errors.ts';
import type { Lease, RunRecord, StateStore } from '../../core/state.ts';
import type { Services } from '../services.ts';
import { fakeContext, runWith } from '../fakes.fixture.ts';

const TABLE: TableState = {
  schema: { fields: [], key: [] },
  checkpoint: { cursor: ['updated_at'], watermark: '2026-07-25 00:58:12.900172+00' },
  stream: 'public.orders',
  rows: 5_000_412,
  bytes: 212_000_000,
  version: 7,
  fence: 3,
};

describe('state', () => {
  const showState: Services['showState'] = () =>
    Promise.resolve([
      { stream: 'public.orders', table: 'orders', committed: TABLE },
      {
        stream: 'public.items',
        table: 'items',
        committed: {
          ...TABLE,
          checkpoint: { cursor: [], unfinished: { layout: '', slices: [], done: ['a'], horizon: undefined } },
        },
      },
      {
        stream: 'public.codes',
        table: 'codes',
        committed: { ...TABLE, rows: 27, checkpoint: { cursor: [] } },
      },
      {
        stream: 'issues',
        table: 'issues',
        committed: {
          ...TABLE,
          checkpoint: {
            cursor: [],
            ledger: { contract: { fields: [], key: [] }, files: {} },
            position: '{}',
          },
        },
      },
      { stream: 'public.new', table: 'new', committed: undefined },
    ]);

  it('show prints how far each stream is loaded', async () => {
    const { code, out } = await runWith(['state', 'show'], { showState });
    expect(code).toBe(0);
    expect(out).toBe(`\
shop_to_lake
  stream          table    rows     size   commits   watermark
  public.orders   orders     5M   212 MB         7   2026-07-25 00:58:12.900172+00
  public.items    items      5M   212 MB         7   1 of 0 parts loaded
  public.codes    codes      27   212 MB         7   none, read in full
  issues          issues     5M   212 MB         7   a state of the source (--json)
  public.new      new                                nothing loaded yet
`);
    const json = (await runWith(['state', 'show', '--json'], { showState })).out.split('\n')[0] ?? '';
    expect(JSON.parse(json)).toMatchObject({
      pipeline: 'shop_to_lake',
      stream: 'public.orders',
      rows: 5_000_412,
      loaded: true,
    });
  });

  it('set moves the watermark', async () => {
    const setWatermark = vi.fn<Services['setWatermark']>(() =>
      Promise.resolve({ cursor: ['updated_at'], watermark: 'w' }),
    );
    const { code, out } = await runWith(
      ['state', 'set', 'shop_to_lake', 'public.orders', '--watermark', 'w'],
      { setWatermark },
    );
    expect([code, out]).toEqual([0, '✓ public.orders: the next run goes on at w\n']);
    expect(setWatermark.mock.calls[0]?.slice(1)).toEqual(['shop_to_lake', 'public.orders', 'w']);
    expect((await runWith(['state', 'set', 'shop_to_lake', 'public.orders'], { setWatermark })).code).toBe(2);
  });

  it('reset asks first', async () => {
    const resetStream = vi.fn<Services['resetStream']>(() => Promise.resolve({ cursor: [], reload: true }));
    const args = ['state', 'reset', 'shop_to_lake', 'public.orders'];
    expect(await runWith(args, { resetStream })).toMatchObject({
      code: 2,
      err: '✗ nobody is here to confirm this\n  --yes does without\n',
    });
    expect(await runWith(args, { resetStream }, [''])).toMatchObject({
      code: 130,
      err: expect.stringContaining('not confirmed; nothing was changed') as string,
    });
    expect(resetStream).not.toHaveBeenCalled();
    expect(await runWith(args, { resetStream }, ['yes'])).toMatchObject({ code: 0 });
    expect(await runWith([...args, '--yes'], { resetStream })).toMatchObject({ code: 0 });
    expect(resetStream).toHaveBeenCalledTimes(2);
  });
});

describe('status', () => {
  const stream = (name: string, overrides: object = {}): RunRecord['streams'][number] => ({
    stream: `public.${name}`,
    table: name,
    status: 'loaded',
    rows: 10,
    loaded: 10,
    bytes: 0,
    seconds: 1,
    watermark: undefined,
    error: undefined,
    ...overrides,
  });
  const record = (run: string, startedAt: string, streams: RunRecord['streams']): RunRecord => ({
    run,
    pipeline: 'shop_to_lake',
    startedAt,
    finishedAt: startedAt.replace(':00.', ':02.'),
    status: 'partial',
    host: 'box',
    pid: 42,
    streams,
  });
  const lease: Lease = {
    name: 'lake/orders',
    holder: { run: 'r9', host: 'box', pid: 43 },
    fence: 4,
    acquiredAt: 0,
    expiresAt: Date.now() + 60_000,
    takenOver: false,
  };
  const services = (runs: RunRecord[], describeTable: Destination['describe']): Partial<Services> => ({
    openState: () =>
      Promise.resolve({
        runs: ({ pipeline }: { pipeline?: string }) =>
          Promise.resolve(runs.filter((run) => run.pipeline === pipeline)),
        leases: () => Promise.resolve([lease, { ...lease, name: 'lake/items', expiresAt: 1 }]),
        close: () => Promise.resolve(),
      } as unknown as StateStore),
    openDestination: () =>
      Promise.resolve({ describe: describeTable, close: () => Promise.resolve() } as unknown as Destination),
  });
  const runs = [
    record('r2', '2026-07-25T01:00:00.000Z', [
      stream('orders', {
        status: 'failed',
        loaded: 0,
        error: { code: 'x', message: 'reading public.orders: connection lost', remedy: 'run it again' },
      }),
    ]),
    record('r1', '2026-07-24T01:00:00.000Z', [stream('orders'), stream('items', { watermark: 'w' })]),
  ];

  it('puts together the last runs, what is committed, and who is at work', async () => {
    const { code, out } = await runWith(
      ['status'],
      services(runs, (table) => Promise.resolve(table === 'orders' ? TABLE : undefined)),
    );
    expect(code).toBe(0);
    expect(out).toBe(`\
shop_to_lake   shop → lake   last run 2026-07-25 01:00:00Z: partial in 2 s (box, pid 42)
  stream          last run                      loaded   rows     size   watermark                       at work
  public.orders   2026-07-25 01:00:00Z failed        0     5M   212 MB   2026-07-25 00:58:12.900172+00   r9 (box, pid 43)
  public.items    2026-07-24 01:00:00Z loaded       10                   w
  ✗ reading public.orders: connection lost
    run it again
`);
  });

  it('has everything in JSON', async () => {
    const { out } = await runWith(
      ['status', '--json'],
      services(runs, () => Promise.resolve(TABLE)),
    );
    expect(JSON.parse(out)).toMatchObject({
      pipeline: 'shop_to_lake',
      last: { run: 'r2', status: 'partial' },
      streams: [
        { stream: 'public.orders', rows: 5_000_412, lease: { run: 'r9', pid: 43 }, last: { run: 'r2' } },
        { stream: 'public.items', lease: null },
      ],
      error: null,
    });
  });

  it('still tells the history when the destination does not answer', async () => {
    const gone = new TransientError('opening the lake: no answer', { code: 'x' });
    const { code, out } = await runWith(
      ['status'],
      services(runs, () => Promise.reject(gone)),
    );
    expect(code).toBe(0);
    expect(out).toContain('  ! rows and size are unknown: opening the lake: no answer\n');
  });

  it('says when there was no run', async () => {
    expect(
      (
        await runWith(
          ['status'],
          services([], () => Promise.resolve(undefined)),
        )
      ).out,
    ).toBe('shop_to_lake   shop → lake   never run\n');
  });

  it('--alerts tells of streams that nobody loads, to the webhook as well, and ends with 7', async () => {
    const received: unknown[] = [];
    const server = createServer((request, response) => {
      void json(request).then((body) => {
        received.push(body);
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    const open = (staleness: number): Partial<Services> => ({
      ...services(runs, () => Promise.resolve(TABLE)),
      openProject: () =>
        Promise.resolve(fakeContext({ alerts: { staleness, webhook: { url, timeout: 5, retries: 0 } } })),
    });
    try {
      const { code, out } = await runWith(['status', '--alerts'], open(3600));
      expect(code).toBe(7);
      expect(out).toMatch(/▲ public\.orders: not loaded for \d+ d/);
      expect(received).toMatchObject([
        {
          version: 1,
          pipeline: 'shop_to_lake',
          alerts: [{ stream: 'public.orders' }, { stream: 'public.items' }],
        },
      ]);
      expect((await runWith(['status'], open(3600))).code).toBe(0);
      const fresh = await runWith(['status', '--alerts', '--json'], open(1e12));
      expect(fresh.code).toBe(0);
      expect(JSON.parse(fresh.out)).toMatchObject({ alerts: [] });
      expect(received).toHaveLength(1);
    } finally {
      server.close();
    }
  });

  it('runs lists what was done, in all and by stream', async () => {
    const { code, out } = await runWith(
      ['runs'],
      services(runs, () => Promise.resolve(undefined)),
    );
    expect(code).toBe(0);
    expect(out).toBe(`\
shop_to_lake
  started                status    took   read   loaded   quarantined   deleted   skipped   rows/s   bytes   written   changes   retries   alerts
  2026-07-25 01:00:00Z   partial    2 s     10        0                                10        5     0 B       0 B
  2026-07-24 01:00:00Z   partial    2 s     20       20                                         10     0 B       0 B
`);
    const streams = await runWith(
      ['runs', '--streams'],
      services(runs, () => Promise.resolve(undefined)),
    );
    expect(streams.out).toContain('2026-07-24 01:00:00Z   public.items    loaded    1 s     10       10 ');
    const beside = await runWith(
      ['runs'],
      services([{ ...runs[0]!, pipeline: 'shop_to_lake (shadow)' }], () => Promise.resolve(undefined)),
    );
    expect(beside.out).toMatch(/^shop_to_lake   never run\n\nshop_to_lake \(shadow\)\n/);
    const exact = await runWith(
      ['runs', '--json'],
      services(runs, () => Promise.resolve(undefined)),
    );
    expect(
      exact.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([
      { run: 'r2', figures: { rows: 10, loaded: 0, skipped: 10, rowsPerSecond: 5, retries: 0 } },
      {
        run: 'r1',
        streams: [{ stream: 'public.orders', figures: { rows: 10, seconds: 1 } }, { stream: 'public.items' }],
      },
    ]);
  });
});
