import { describe, expect, it } from 'vitest';
import type { CursorFacts, Survey } from '../core/source.ts';
import type { Checkpoint, StreamConfig } from '../core/stream.ts';
import { planSlices, type SlicePlan } from './plan-slices.ts';

const STREAM: StreamConfig = {
  name: 'public.t',
  table: 't',
  load: 'append',
  cursor: ['at'],
  nullCursor: 'load',
  rename: {},
  types: {},
};
const CURSOR: CursorFacts = {
  from: undefined,
  horizon: 'h',
  note: undefined,
  indexed: true,
  fresh: undefined,
  overlap: undefined,
  boundaries: [],
  estimatedRows: undefined,
  nullRows: false,
};
const SURVEY: Survey = {
  schema: { fields: [], key: ['id'] },
  estimatedRows: 10,
  estimatedBytes: undefined,
  layout: '1/1',
  parts: [],
  sql: '',
  cursor: CURSOR,
};
const PARTS: Survey['parts'] = [
  { kind: 'pages', from: 0, to: 10 },
  { kind: 'pages', from: 10, to: 20 },
  { kind: 'pages', from: 20, to: undefined },
];

interface Given {
  stream?: Partial<StreamConfig>;
  survey?: Partial<Survey>;
  cursor?: Partial<CursorFacts>;
  checkpoint?: Checkpoint;
  window?: { from?: string; to?: string };
  fullRefresh?: boolean;
}

function plan({ stream, survey, cursor, checkpoint, window = {}, fullRefresh = false }: Given): SlicePlan {
  const facts: Survey = { ...SURVEY, cursor: { ...CURSOR, ...cursor }, ...survey };
  return planSlices({
    stream: { ...STREAM, ...stream },
    survey: facts,
    checkpoint,
    window,
    fullRefresh,
    restart: false,
  });
}

const ranges = (of: SlicePlan): unknown[] => of.slices.map(({ range, overlap }) => ({ ...range, overlap }));

describe('a first load', () => {
  it('is one slice, or one per part', () => {
    expect(ranges(plan({}))).toEqual([{ kind: 'all', overlap: false }]);
    const parts = plan({ survey: { parts: PARTS } });
    expect(parts).toMatchObject({ action: 'first-load', parallel: true, restart: false, whole: true });
    expect(parts.slices.map(({ id }) => id)).toEqual(['pages-0-10', 'pages-10-20', 'pages-20-end']);
  });

  it('leaves rows without a cursor value out when they are to be skipped', () => {
    expect(ranges(plan({ stream: { nullCursor: 'skip' }, survey: { parts: PARTS } }))).toEqual([
      { kind: 'cursor', nulls: false, overlap: false },
    ]);
  });

  it('begins at its window, with rows of the lookback and without a value', () => {
    const since = { column: 'day', from: '2026-01-01' };
    const made = plan({ cursor: { from: '5', boundaries: ['7', '9'], since } });
    expect(made.parallel).toBe(false);
    expect(ranges(made)).toEqual([
      { kind: 'cursor', from: '5', nulls: true, since, to: '7', overlap: false },
      { kind: 'cursor', from: '7', to: '9', overlap: false },
      { kind: 'cursor', from: '9', overlap: false },
    ]);
  });

  it('goes in small steps only when they are wished for', () => {
    expect(ranges(plan({ cursor: { boundaries: ['7'] }, survey: { parts: PARTS } }))).toHaveLength(1 + 2);
    expect(plan({ cursor: { boundaries: ['7'] }, stream: { sliceRows: 10 } })).toMatchObject({
      parallel: false,
      slices: [{ range: { to: '7' } }, { range: { from: '7' } }],
    });
  });
});

describe('an increment', () => {
  const checkpoint: Checkpoint = { cursor: ['at'], watermark: '5', high: '8' };

  it('compares what lies between watermark and high, and takes what is above for new', () => {
    expect(ranges(plan({ checkpoint, cursor: { from: '5', boundaries: ['10'] } }))).toEqual([
      { kind: 'cursor', from: '5', upTo: '8', nulls: true, overlap: true },
      { kind: 'cursor', above: '8', to: '10', overlap: false },
      { kind: 'cursor', from: '10', overlap: false },
    ]);
  });

  it('is nothing when nothing is fresh and nothing to compare', () => {
    expect(plan({ checkpoint, cursor: { from: '5', fresh: false, overlap: false } })).toMatchObject({
      action: 'nothing-new',
      slices: [],
    });
    expect(plan({ checkpoint, cursor: { from: '5', fresh: false, overlap: true } }).slices).toHaveLength(1);
    expect(plan({ checkpoint, cursor: { from: '5', fresh: true, overlap: false } }).slices).toHaveLength(1);
  });

  it('is one pass where no index helps, or nothing was ever loaded', () => {
    const one = [{ kind: 'cursor', from: '5', nulls: true, since: undefined, overlap: true }];
    expect(ranges(plan({ checkpoint, cursor: { from: '5', indexed: false } }))).toEqual(one);
    expect(ranges(plan({ checkpoint: { cursor: ['at'], watermark: '5' }, cursor: { from: '5' } }))).toEqual(
      one,
    );
  });

  it('has the same ids for the same work, and others for other work', () => {
    const ids = (from: string): string[] => plan({ checkpoint, cursor: { from } }).slices.map(({ id }) => id);
    expect(ids('5')).toEqual(ids('5'));
    expect(ids('5')[0]).not.toBe(ids('6')[0]);
    expect(ids('5').every((id) => /^[a-z0-9-]+$/.test(id))).toBe(true);
  });
});

describe('a load in parts that was interrupted', () => {
  const slices = plan({ survey: { parts: PARTS } }).slices;
  const checkpoint: Checkpoint = {
    cursor: ['at'],
    unfinished: { layout: '1/1', slices, done: ['pages-0-10'], horizon: 'h' },
  };

  it('goes on with what is left, and looks for changes in what is done', () => {
    const made = plan({ checkpoint, survey: { catchUp: [{ kind: 'pages', from: 0, to: 10, since: '77' }] } });
    expect(made).toMatchObject({ action: 'resume', parallel: true, restart: false });
    expect(made.slices.map(({ id, overlap }) => ({ id, overlap }))).toEqual([
      { id: 'pages-10-20', overlap: false },
      { id: 'pages-20-end', overlap: false },
      { id: 'pages-0-10-since-77', overlap: true },
    ]);
  });

  it('begins again when the source cannot take it up', () => {
    expect(plan({ checkpoint, survey: { parts: PARTS } })).toMatchObject({
      action: 'reload',
      restart: true,
      slices: [{}, {}, {}],
    });
  });

  it('takes no window in between', () => {
    expect(() => plan({ checkpoint, window: { from: '1' } })).toThrow(/has not finished/);
  });

  it('is forgotten by a full refresh', () => {
    expect(plan({ fullRefresh: true, survey: { parts: PARTS } })).toMatchObject({
      action: 'reload',
      restart: false,
      slices: [{}, {}, {}],
    });
  });
});

it('a window of the user is one slice that is compared', () => {
  const checkpoint: Checkpoint = { cursor: ['at'], watermark: '5', high: '8' };
  expect(ranges(plan({ checkpoint, window: { from: '1', to: '3' } }))).toEqual([
    { kind: 'cursor', from: '1', to: '3', overlap: true },
  ]);
  expect(plan({ window: { to: '3' } }).window).toBe('at < 3');
});

describe('a stream by day', () => {
  const days = ['01', '02'].map((day) => ({
    day: `2026-01-${day}`,
    from: `f${day}`,
    to: `t${day}`,
    settled: true,
  }));
  const dated: Given = {
    stream: { cursor: [], date: { column: 'day' }, load: 'delete-insert' },
    survey: { days, cursor: undefined },
  };

  it('is a slice per day', () => {
    expect(plan(dated)).toMatchObject({ action: 'first-load', window: 'day 2026-01-01 … 2026-01-02' });
    expect(ranges(plan(dated))).toEqual([
      { kind: 'column', column: 'day', from: 'f01', to: 't01', overlap: false },
      { kind: 'column', column: 'day', from: 'f02', to: 't02', overlap: false },
    ]);
    expect(plan({ ...dated, survey: { days: [], cursor: undefined } })).toMatchObject({
      action: 'nothing-new',
      slices: [],
    });
  });

  it('has a slice for rows without a date where there may be some, unless days are asked for', () => {
    const schema = { fields: [{ name: 'tag', type: { kind: 'date' as const }, nullable: true }], key: [] };
    const nullable: Given = {
      stream: { ...dated.stream, rename: { day: 'tag' } },
      survey: { ...dated.survey, schema },
    };
    const missing = { kind: 'missing', column: 'day', overlap: false };
    expect(plan(nullable).window).toBe('day 2026-01-01 … 2026-01-02 or NULL');
    expect(ranges(plan(nullable))[0]).toEqual(missing);
    expect(ranges(plan({ ...nullable, fullRefresh: true }))[0]).toEqual(missing);
    expect(ranges(plan({ ...nullable, window: { from: '2026-01-01' } }))).toHaveLength(2);
  });

  it('begins at the beginning of time in a full refresh, unless somebody says where', () => {
    expect(ranges(plan({ ...dated, fullRefresh: true }))[0]).toEqual({
      kind: 'column',
      column: 'day',
      to: 't01',
      overlap: false,
    });
    expect(ranges(plan({ ...dated, fullRefresh: true, window: { from: '2026-01-01' } }))[0]).toMatchObject({
      from: 'f01',
    });
    expect(
      ranges(plan({ ...dated, fullRefresh: true, stream: { ...dated.stream, firstRunSeconds: 5 } }))[0],
    ).toMatchObject({ from: 'f01' });
  });
});

it('a stream without cursor is read in full each time', () => {
  const made = plan({
    stream: { cursor: [] },
    survey: { cursor: undefined, parts: PARTS },
    checkpoint: { cursor: [] },
  });
  expect(made).toMatchObject({
    action: 'reload',
    parallel: true,
    restart: false,
    whole: true,
    slices: [{}, {}, {}],
  });
});

it('a part of the source tells nothing of what is gone', () => {
  const some = [
    plan({ cursor: { from: '5' } }),
    plan({ cursor: { from: '5' }, fullRefresh: true }),
    plan({ window: { from: '1' }, fullRefresh: true }),
    plan({ checkpoint: { cursor: ['at'], watermark: '5' }, cursor: { from: '5' } }),
  ];
  for (const { whole } of some) expect(whole).not.toBe(true);
  expect(plan({ cursor: { boundaries: ['7'] }, stream: { sliceRows: 10 } }).whole).toBe(true);
});
