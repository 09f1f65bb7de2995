import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Loaded } from '../../../core/source.ts';
import type { RunWindow, StreamConfig } from '../../../core/stream.ts';
import { earlierVersions } from '../look/key-hashes.ts';
import type { Fetched, FetchRequest, RecordFeed, Shape } from './feed.ts';
import { type HeldPlace, HeldRecords } from './held-records.ts';
import type { Looked } from './records-survey.ts';
import { SharedFetch } from './shared-fetch.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-held-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SHAPE: Shape = { key: ['id'], asked: 'test' };
const NEVER = new AbortController().signal;

/** Brings one document after the other; `added` counts those that are in the spool. */
class Feed implements RecordFeed {
  added = 0;
  readonly #documents: readonly (readonly object[])[];
  readonly #failure: Error | undefined;

  constructor(documents: readonly (readonly object[])[], failure?: Error) {
    this.#documents = documents;
    this.#failure = failure;
  }

  async check(): Promise<never> {
    throw new Error('nobody asks');
  }

  async streams(): Promise<[]> {
    return [];
  }

  async fetch({ spool, early, signal }: FetchRequest): Promise<Fetched> {
    early(SHAPE);
    for (const [i, records] of this.#documents.entries()) {
      signal.throwIfAborted();
      const writer = spool.begin();
      for (const record of records) writer.write(Buffer.from(`${JSON.stringify(record)}\n`));
      await spool.add(writer, { name: `page ${i + 1}`, records: records.length });
      this.added++;
    }
    if (this.#failure) throw this.#failure;
    return { ...SHAPE, seconds: 0, notes: [] };
  }

  async close(): Promise<void> {}
}

function held(feed: Feed, load: StreamConfig['load'] = 'merge', window: RunWindow = {}): HeldRecords {
  const at = { ...place(), stream: streamOf(load), window };
  const feeding = new SharedFetch({ ...at, feed, checkpoint: undefined }, ['t']).take('t')!;
  return new HeldRecords({ ...at, feeding });
}

function streamOf(load: StreamConfig['load']): StreamConfig {
  return { name: 't', table: 't', load, cursor: [], nullCursor: 'load', rename: {}, types: {} };
}

function place(): Omit<HeldPlace, 'feeding'> {
  const stream = streamOf('merge');
  return { scratch: folder, stream, child: undefined, window: {}, roundBytes: 3000, signal: NEVER };
}

/** Documents of 1,000 bytes or a little more. */
function pages(count: number, id: (page: number, n: number) => number): object[][] {
  return Array.from({ length: count }, (_, page) =>
    Array.from({ length: 10 }, (__, n) => ({ id: id(page, n), filler: 'x'.repeat(90) })),
  );
}

function names({ documents }: Looked): string[] {
  return documents.map(({ name }) => name);
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

const NO_LOADS: Loaded['loads'] = [];

test('rounds are loaded while more is fetched, which waits when there is enough', async () => {
  const feed = new Feed(pages(20, (page, n) => page * 10 + n));
  const records = held(feed);
  const first = await records.round(undefined, NEVER);
  expect(first.fetched).toBeUndefined();
  expect(await records.round(undefined, NEVER)).toBe(first);
  await settle();
  // Three rounds are on disk at most, and the page that went over it.
  expect(feed.added).toBeLessThanOrEqual(10);
  const seen = [...names(first)];
  for (let looked = first; ;) {
    expect(records.apart).toBe(true);
    records.loaded(NO_LOADS, true);
    if (records.finished) break;
    // Whether a commit comes to be shows in the checkpoint only.
    expect(await records.round('of another spool', NEVER)).toBe(looked);
    looked = await records.round(looked.round, NEVER);
    seen.push(...names(looked));
    expect(seen.length).toBeLessThanOrEqual(20);
  }
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `page ${i + 1}`));
  await records.close();
  expect(readdirSync(folder)).toEqual([]);
});

test('who comes when all is there already loads it in rounds as well', async () => {
  const feed = new Feed(pages(20, (page, n) => page * 10 + n));
  const fetch = new SharedFetch({ ...place(), feed, checkpoint: undefined }, ['t', 'u']);
  const feeding = fetch.take('t')!;
  await feeding.fetched;
  expect(feed.added).toBe(20);
  const records = new HeldRecords({ ...place(), feeding });
  const rounds: number[] = [];
  for (let round: string | undefined; !records.finished;) {
    const looked = await records.round(round, NEVER);
    ({ round } = looked);
    rounds.push(names(looked).length);
    records.loaded(NO_LOADS, true);
  }
  expect(rounds).toEqual([3, 3, 3, 3, 3, 3, 2]);
  await records.close();
  await fetch.close();
  expect(readdirSync(folder)).toEqual([]);
});

test('what has to be committed at once is one round', async () => {
  for (const load of ['append', 'replace', 'scd2'] as const) {
    const records = held(new Feed(pages(8, (page, n) => page * 10 + n)), load);
    const looked = await records.round(undefined, NEVER);
    expect([names(looked).length, looked.fetched === undefined]).toEqual([8, false]);
    await records.close();
  }
});

test('a full refresh is one round', async () => {
  const records = held(new Feed(pages(8, (page, n) => page * 10 + n)), 'merge', { atOnce: true });
  expect(names(await records.round(undefined, NEVER))).toHaveLength(8);
  await records.close();
});

test('a key that comes again in a later round is no secret', async () => {
  const records = held(new Feed(pages(12, (page, n) => (page === 9 && n === 0 ? 5 : page * 10 + n))));
  let round: string | undefined;
  for (let apart = true; !records.finished;) {
    const looked = await records.round(round, NEVER);
    ({ round } = looked);
    apart &&= !names(looked).includes('page 10');
    expect(records.apart).toBe(apart);
    records.loaded(NO_LOADS, true);
  }
  await records.close();
});

test('a large round is read as the one before it was, until that fails', async () => {
  const large = Array.from({ length: 8 }, (_, page) =>
    Array.from({ length: 30 }, (__, n) => ({
      id: page * 30 + n,
      ...(page === 7 && { extra: 1 }),
      filler: 'x'.repeat(100_000),
    })),
  );
  const at = { ...place(), roundBytes: 10_000_000 };
  const feeding = new SharedFetch({ ...at, feed: new Feed(large), checkpoint: undefined }, ['t']).take('t')!;
  const records = new HeldRecords({ ...at, feeding });
  const looks = ({ sniffed, unseen, documents, samples }: Looked): unknown[] => [
    sniffed.documents.length,
    unseen.size,
    documents.length,
    [...samples.keys()],
  ];
  const first = await records.round(undefined, NEVER);
  expect(looks(first)).toEqual([1, 3, 4, ['id', 'filler']]);
  const second = await records.round(first.round, NEVER);
  expect(looks(second)).toEqual([0, 4, 4, ['id', 'filler']]);
  records.reading();
  expect(records.failed(first.round)).toBe(true);
  expect(looks(await records.lookAtAll(NEVER))).toEqual([4, 0, 4, ['id', 'filler', 'extra']]);
  await records.close();
});

test('doubles that show when slices are read lead to a look at everything', async () => {
  const records = held(new Feed(pages(4, (page, n) => page * 10 + n)));
  const looked = await records.round(undefined, NEVER);
  const keys = looked.sniffed.documents.map(() => ({
    hashes: Uint32Array.of(1, 2, 3, 4),
    lines: Float64Array.of(1),
  }));
  expect(earlierVersions(keys).filter((lines) => lines.length > 0).length).toBe(keys.length - 1);
  const load = (index: number): Loaded['loads'] =>
    [{ slice: {}, facts: { own: { rows: [], bad: [], keys: keys[index] } } }] as unknown as Loaded['loads'];
  records.loaded(load(0), false);
  expect(() => records.loaded(load(1), false)).toThrow(/all are looked at/);
  expect(records.apart).toBe(false);
  await records.close();
});

test('what could not be fetched is told, and fetched anew by the next', async () => {
  const records = held(
    new Feed(
      pages(1, (_, n) => n),
      new Error('lost'),
    ),
  );
  await expect(records.round(undefined, NEVER)).rejects.toThrow('lost');
  expect(records.broken).toBe(true);
  await records.close();
  expect(existsSync(folder) && readdirSync(folder)).toEqual([]);
});

test('closing ends a fetch that waits for room', async () => {
  const feed = new Feed(pages(50, (page, n) => page * 10 + n));
  const records = held(feed);
  await records.round(undefined, NEVER);
  await settle();
  await records.close();
  expect(feed.added).toBeLessThan(50);
  expect(readdirSync(folder)).toEqual([]);
});

test('records that could not be looked at are fetched anew, for nobody has them any more', async () => {
  const feed = new Feed(pages(2, (page, n) => page * 10 + n));
  const records = held(feed);
  await vi.waitFor(() => expect(feed.added).toBe(2));
  const [spool] = readdirSync(folder);
  rmSync(path.join(folder, spool!, '0000001.jsonl'));
  await expect(records.round(undefined, NEVER)).rejects.toThrow();
  expect(records.broken).toBe(true);
  await records.close();
});

test('streams of one fetch have a copy each, whoever ends first', async () => {
  const feed = new Feed(pages(12, (page, n) => page * 10 + n));
  const job = { feed, scratch: folder, stream: streamOf('merge'), checkpoint: undefined, window: {} };
  const fetch = new SharedFetch({ ...job, signal: NEVER }, ['a', 'b', 'c']);
  const [a, b] = [fetch.take('a')!, fetch.take('b')!];
  expect(fetch.take('a')).toBeUndefined();
  const first = new HeldRecords({ ...place(), feeding: a });
  const second = new HeldRecords({ ...place(), feeding: b });
  const looked = await first.round(undefined, NEVER);
  expect(names(looked).length).toBeGreaterThan(0);
  // Nobody has taken anything out for the other one, and it holds up nobody.
  await first.close();
  let count = 0;
  for (let round: string | undefined; !second.finished;) {
    const next = await second.round(round, NEVER);
    ({ round } = next);
    count += next.documents.length;
    second.loaded(NO_LOADS, true);
  }
  expect(count).toBe(12);
  await fetch.close();
  expect(fetch.take('c')).toBeUndefined();
  await second.close();
  expect(readdirSync(folder)).toEqual([]);
});

test('whoever stops while others are at it stops nobody; who is left alone stops it', async () => {
  const feed = new Feed(pages(3, (page, n) => page * 10 + n));
  const job = { feed, scratch: folder, stream: streamOf('merge'), checkpoint: undefined, window: {} };
  const stop = new AbortController();
  const fetch = new SharedFetch({ ...job, signal: stop.signal }, ['a', 'b']);
  const [a, b] = [fetch.take('a')!, fetch.take('b')!];
  stop.abort();
  const records = new HeldRecords({ ...place(), feeding: b });
  await expect(records.round(undefined, NEVER)).rejects.toMatchObject({ code: 'records.shared' });
  await Promise.all([a.close(), records.close(), fetch.close()]);
  expect(readdirSync(folder)).toEqual([]);
});
