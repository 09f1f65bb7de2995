import { describe, expect, it } from 'vitest';
import type { Comparable } from '../core/compare.ts';
import type { Destination } from '../core/destination.ts';
import type { Snapshot } from '../core/source.ts';
import type { Slice, SliceRange, StreamConfig } from '../core/stream.ts';
import type { Planned } from './plan-stream.ts';
import { type LoadedStream, loadDiffers, verifyLoad } from './verify-load.ts';

const { signal } = new AbortController();

interface Case {
  stream?: Partial<StreamConfig>;
  ranges?: SliceRange[];
  action?: Planned['plan']['action'];
  before?: number;
  from?: string;
  read?: number;
  /** What each end says when it is asked. */
  source?: number;
  target?: number;
  /** Rows in quarantine. */
  aside?: number;
}

/** Only what is asked for when counting. */
async function count(
  given: Case,
): Promise<{ found: Awaited<ReturnType<typeof verifyLoad>>; asked: SliceRange[] }> {
  const asked: SliceRange[] = [];
  const counting = (rows: number, note: (range: SliceRange) => void): Comparable =>
    ({
      count: async (range: SliceRange) => {
        note(range);
        return rows;
      },
    }) as unknown as Comparable;
  const {
    ranges = [{ kind: 'all' }],
    action = 'first-load',
    before = 0,
    read = 10,
    source = 10,
    target = 10,
    aside = 0,
  } = given;
  const stream: StreamConfig = {
    name: 's',
    table: 't',
    load: 'replace',
    cursor: [],
    nullCursor: 'load',
    rename: {},
    types: {},
    ...given.stream,
  };
  const slices = ranges.map((range, i): Slice => ({ id: `s${i}`, range, overlap: false }));
  const loaded = {
    planned: {
      plan: { stream, action },
      slices: { slices, restart: false },
      survey: { cursor: given.from === undefined ? undefined : { from: given.from } },
      table: before > 0 ? { rows: before } : undefined,
      fullRefresh: false,
    },
    source: { compare: () => counting(source, (range) => asked.push(range)) } as Partial<Snapshot>,
    read,
    aside,
    version: 1,
    ownWindow: false,
  } as unknown as LoadedStream;
  const rows = counting(target, () => undefined);
  const destination = {
    compare: async () => ({
      table: async () => ({ state: { version: 1 }, rows, close: async () => {} }),
      close: async () => {},
    }),
  } as unknown as Destination;
  return { found: await verifyLoad({ how: 'counts', loaded, destination, signal }), asked };
}

const pages: SliceRange[] = [
  { kind: 'pages', from: 0, to: 5 },
  { kind: 'pages', from: 5 },
];

describe('counts after a load', () => {
  it('one statement is counted by what it sent, several are counted anew', async () => {
    expect(await count({})).toMatchObject({ found: { status: 'equal' }, asked: [] });
    expect(await count({ ranges: pages })).toMatchObject({
      found: { status: 'equal' },
      asked: [{ kind: 'all' }],
    });
  });

  it('rows in quarantine are not missing in the table', async () => {
    expect((await count({ ranges: pages, source: 12, aside: 2 })).found?.status).toBe('equal');
    expect((await count({ ranges: pages, source: 12, aside: 1 })).found?.status).toBe('differs');
    expect((await count({ aside: 2 })).found?.status).toBe('equal');
  });

  it.each([
    ['slices that leave rows out', { ranges: pages, source: 11 }],
    ['slices that read rows twice', { ranges: pages, source: 9 }],
    ['a table that lacks rows', { target: 9 }],
    ['a table with rows that nobody read', { target: 11 }],
  ])('%s are a difference', async (_, given) => {
    const { found } = await count(given);
    expect(found!.status).toBe('differs');
    expect(loadDiffers('s', found!)).toMatchObject({ code: 'verify.differs', recovery: 'data' });
  });

  it.each<[string, Case]>([
    ['an increment', { stream: { load: 'merge', cursor: ['at'] }, action: 'load', before: 5 }],
    ['what is added to rows of other loads', { stream: { load: 'append' }, action: 'reload', before: 5 }],
    ['the rest of an interrupted load', { stream: { load: 'merge', cursor: ['at'] }, action: 'resume' }],
    ['nothing', { ranges: [] }],
  ])('%s says nothing about the whole', async (_, given) => {
    expect((await count(given)).found).toBeUndefined();
  });

  it('asks the source for what the load was to read', async () => {
    const month = (from: string, to: string): SliceRange => ({ kind: 'column', column: 'day', from, to });
    const days = [month('2026-01-01', '2026-02-01'), month('2026-02-01', '2026-03-01')];
    const dated: Case = { stream: { load: 'delete-insert', date: { column: 'day' } }, ranges: days };
    expect((await count(dated)).asked).toEqual([month('2026-01-01', '2026-03-01')]);
    const since: Case = { stream: { load: 'append', cursor: ['at'] }, ranges: pages, from: '5' };
    expect((await count(since)).asked).toEqual([
      { kind: 'cursor', from: '5', nulls: true, since: undefined },
    ]);
  });
});
