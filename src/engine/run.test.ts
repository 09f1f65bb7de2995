import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ConfigError, TransientError } from '../core/errors.ts';
import type { Destination } from '../core/destination.ts';
import { openSqliteState } from '../state/sqlite.ts';
import { schemaOf } from '../testing/kit-load.ts';
import { MemoryDestination } from '../testing/memory-destination.ts';
import { planPipeline } from './plan.ts';
import { Bench, failing } from '../../test/support/memory-bench.ts';

it('loads what is there, then what is new, then nothing', async () => {
  const bench = new Bench({ a: { cursor: 'at', load: 'merge' }, b: { load: 'replace' } });
  bench.write('a', [1, 'one'], [2, 'two']);
  bench.write('b', [1, 'uno']);
  const first = await bench.run();
  expect(first).toMatchObject({
    status: 'succeeded',
    streams: [
      { stream: 'a', status: 'loaded', totals: { rows: 2, loaded: 2 } },
      { stream: 'b', status: 'loaded', totals: { loaded: 1 } },
    ],
  });
  bench.write('a', [2, 'deux'], [3, 'trois']);
  await bench.run();
  expect(bench.values('a')).toEqual(['deux', 'one', 'trois']);
  const version = bench.store.tables.get('a')!.state.version;
  const third = await bench.run({ select: ['a'] });
  expect(third.streams).toMatchObject([{ status: 'nothing-new', totals: { loaded: 0 } }]);
  expect(bench.store.tables.get('a')!.state.version).toBeLessThanOrEqual(version + 1);
});

it('a count that cannot be had is a warning, checksums that cannot be had are an error', async () => {
  const bench = new Bench({ a: { load: 'replace' } });
  bench.write('a', [1, 'one']);
  bench.destination = () => {
    const destination = new MemoryDestination(bench.store);
    const compare: Destination['compare'] = async () => {
      throw new ConfigError('comparing: not today', { code: 'test.compare' });
    };
    return Object.assign(destination, { compare });
  };
  const counted = await bench.run();
  expect(counted.streams).toMatchObject([{ status: 'loaded', verification: undefined }]);
  expect(bench.events).toContainEqual(
    expect.objectContaining({ kind: 'warning', code: 'verify.not_counted' }),
  );
  const checked = await bench.run({ verify: 'checksums' });
  expect(checked.streams).toMatchObject([
    { status: 'failed', totals: { loaded: 1 }, error: { code: 'test.compare' } },
  ]);
  expect(await bench.run({ verify: 'off' })).toMatchObject({ status: 'succeeded' });
});

it('closes the destination once: whoever closes a connection again waits for an end that was', async () => {
  const bench = new Bench({ a: { load: 'replace' } });
  bench.write('a', [1, 'one']);
  const close = vi.fn(async () => {});
  bench.destination = () => Object.assign(new MemoryDestination(bench.store), { close });
  await bench.run();
  expect(close).toHaveBeenCalledTimes(1);
});

it('warns when a table that was loaded before is gone, and loads it again', async () => {
  const bench = new Bench({ a: { cursor: 'at', load: 'merge' } });
  bench.write('a', [1, 'one']);
  const warnings = (): string[] =>
    bench.events.filter((event) => event.kind === 'warning').map((event) => event.code);
  await bench.run();
  expect(warnings()).toEqual([]);
  bench.store.tables.clear();
  await bench.run();
  expect(warnings()).toEqual(['table.gone']);
  expect(bench.values('a')).toEqual(['one']);
  bench.store.tables.clear();
  await bench.run({ fullRefresh: true });
  expect(warnings()).toEqual([]);
});

it('tells what happens in order, and a listener that fails hurts nobody', async () => {
  const bench = new Bench({ a: { cursor: 'at' } });
  bench.write('a', [1, 'one']);
  const report = await bench.run({
    onEvent: () => {
      throw new Error('listener');
    },
  });
  expect(report.status).toBe('succeeded');
  const kinds = bench.events.map((event) => (event.kind === 'step' ? event.step : event.kind));
  expect(kinds).toEqual(['run-started']);
  await bench.run({ fullRefresh: true });
  expect(bench.events.map((event) => (event.kind === 'step' ? event.step : event.kind))).toEqual([
    'run-started',
    'lease',
    'snapshot',
    'stream-started',
    'stream-planned',
    'slice-started',
    'progress',
    'staged',
    'publish',
    'published',
    'slice-committed',
    'stream-verified',
    'stream-finished',
    'run-finished',
  ]);
});

describe('a stream that fails', () => {
  it('does not stop the others', async () => {
    const bench = new Bench({ a: { cursor: 'nope' }, b: { cursor: 'at' } });
    bench.write('b', [1, 'uno']);
    const report = await bench.run();
    expect(report).toMatchObject({
      status: 'partial',
      streams: [
        { status: 'failed', error: { code: 'memory.no_column', recovery: 'config' } },
        { status: 'loaded' },
      ],
    });
    expect(bench.values('b')).toEqual(['uno']);
    expect((await planPipeline(bench.context, 'p', {})).streams).toMatchObject([
      { error: { code: 'memory.no_column' } },
      { action: 'load' },
    ]);
  });

  it('is tried again when that may help, and loads once', { timeout: 20_000 }, async () => {
    const bench = new Bench({ a: { cursor: 'at' } });
    bench.write('a', [1, 'one']);
    failing(bench, 2, new TransientError('reading a: connection lost', { code: 'x.lost' }));
    const destination = new MemoryDestination(bench.store);
    bench.destination = () => destination;
    vi.spyOn(destination, 'describe').mockRejectedValueOnce(
      new TransientError('looking for table "a": it is locked', { code: 'x.locked' }),
    );
    expect((await bench.run()).status).toBe('succeeded');
    expect(bench.events.filter((event) => event.kind === 'retry')).toMatchObject([
      { stream: 'a', attempt: 1, code: 'x.locked' },
      { stream: 'a', attempt: 1, code: 'x.lost' },
      { attempt: 2 },
    ]);
    expect(bench.values('a')).toEqual(['one']);
  });

  it('is not tried again when it cannot help', async () => {
    const bench = new Bench({ a: { cursor: 'at' } });
    failing(bench, 1, new ConfigError('reading a: permission denied', { code: 'x.denied', remedy: 'GRANT' }));
    expect((await bench.run()).streams).toMatchObject([
      { status: 'failed', error: { code: 'x.denied', remedy: 'GRANT' } },
    ]);
    expect(bench.events.some((event) => event.kind === 'retry')).toBe(false);
    expect(bench.store.tables.size).toBe(0);
  });
});

it('a source that is lost in the middle is opened again', { timeout: 20_000 }, async () => {
  const bench = new Bench({ a: { cursor: 'at' }, b: { cursor: 'at' } });
  bench.write('a', [1, 'one']);
  bench.write('b', [1, 'uno']);
  let cut = false;
  const report = await bench.run({
    workers: 1,
    onEvent: (event) => {
      if (event.kind !== 'stream-finished' || cut) return;
      cut = true;
      bench.database.cuts++;
    },
  });
  expect(report.status).toBe('succeeded');
  expect(bench.values('b')).toEqual(['uno']);
});

it('a lease that somebody holds fails the stream and names the holder', async () => {
  const bench = new Bench({ a: { cursor: 'at' }, b: { cursor: 'at' } });
  const store = await openSqliteState(path.join(bench.folder, 'state.db'));
  await store.acquire('to/a', { run: 'another run', host: 'another-host', pid: 1 }, 60_000);
  const report = await bench.run();
  expect(report).toMatchObject({
    status: 'partial',
    streams: [
      { status: 'failed', error: { code: 'lease.held', recovery: 'conflict' } },
      { status: expect.not.stringMatching('failed') },
    ],
  });
  expect(report.streams[0]!.error!.message).toContain('another run');
  expect((await store.leases()).map(({ name }) => name)).toEqual(['to/a']);
  await store.close();
});

it('fences rise with every run, also above those that the destination has seen', async () => {
  const bench = new Bench({ a: { load: 'replace' } });
  const fences: number[] = [];
  for (let i = 0; i < 3; i++) {
    await bench.run();
    fences.push(bench.store.tables.get('a')!.state.fence);
    if (i === 1) rmSync(path.join(bench.folder, 'state.db'));
  }
  expect(fences).toEqual(fences.toSorted((a, b) => a - b));
  expect(new Set(fences).size).toBe(3);
});

it('a table that belongs to another stream is left alone', async () => {
  const bench = new Bench({ a: { load: 'replace', table: 't' } });
  await bench.run();
  bench.database.createTable('b', schemaOf('id int64, v utf8 null, at timestamptz'));
  bench.streams = { b: { load: 'replace', table: 't' } };
  expect((await bench.run()).streams).toMatchObject([{ error: { code: 'stream.table_taken' } }]);
});

it('a run that is stopped gives its leases back and says so', async () => {
  const bench = new Bench({ a: { cursor: 'at' }, b: { cursor: 'at' } });
  bench.write('a', [1, 'one']);
  const stop = new AbortController();
  const report = await bench.run({
    workers: 1,
    signal: stop.signal,
    onEvent: (event) => event.kind === 'slice-started' && stop.abort(),
  });
  expect(report).toMatchObject({
    status: 'stopped',
    streams: [{ status: 'stopped' }, { status: 'stopped' }],
  });
  expect(bench.store.tables.size).toBe(0);
  const store = await openSqliteState(path.join(bench.folder, 'state.db'));
  expect(await store.leases()).toEqual([]);
  expect((await store.runs({ limit: 5 })).map(({ status }) => status)).toEqual(['stopped']);
  await store.close();
});

it('a plan writes nothing and holds nothing', async () => {
  const bench = new Bench({ a: { cursor: 'at' } });
  bench.write('a', [1, 'one']);
  const plan = await planPipeline(bench.context, 'p', {});
  expect(plan.streams).toMatchObject([
    { action: 'first-load', window: 'all', slices: [{ id: 'all' }], changes: [] },
  ]);
  expect(bench.store.tables.size).toBe(0);
  await bench.run();
  expect((await planPipeline(bench.context, 'p', { fullRefresh: true })).streams).toMatchObject([
    { action: 'reload' },
  ]);
});
