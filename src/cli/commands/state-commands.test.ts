import { describe, expect, it, vi } from 'vitest';
import type { Destination, TableState } from '../../core/destination.ts';
import { TransientError } from '../../core/errors.ts';
import type { Lease, RunRecord, StateStore } from '../../core/state.ts';
import type { Services } from '../services.ts';
import { runWith } from '../fakes.fixture.ts';

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
        runs: () => Promise.resolve(runs),
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
});
