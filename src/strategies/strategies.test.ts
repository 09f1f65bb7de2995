import { describe, expect, it } from 'vitest';
import type { Schema } from '../core/schema.ts';
import type { Survey } from '../core/source.ts';
import type { Slice, StreamConfig } from '../core/stream.ts';
import { STRATEGIES } from './index.ts';

const SCHEMA: Schema = {
  fields: [
    { name: 'id', type: { kind: 'int64' }, nullable: false },
    { name: 'tag', type: { kind: 'date' }, nullable: false },
  ],
  key: ['id'],
};
const STREAM: StreamConfig = {
  name: 'public.t',
  table: 't',
  load: 'append',
  cursor: [],
  nullCursor: 'load',
  rename: {},
  types: {},
};
const SURVEY: Survey = {
  schema: SCHEMA,
  estimatedRows: undefined,
  estimatedBytes: undefined,
  layout: '',
  parts: [],
  sql: '',
};
const ALL: Slice = { id: 'all', range: { kind: 'all' }, overlap: false };

const supersedes = (
  name: keyof typeof STRATEGIES,
  stream: Partial<StreamConfig> = {},
  slice: Slice = ALL,
  whole: boolean = false,
): unknown =>
  STRATEGIES[name].supersedes({
    stream: { ...STREAM, ...stream },
    schema: SCHEMA,
    survey: SURVEY,
    slices: [slice],
    whole,
  });

it('append takes the place of nothing, replace of everything in one step', () => {
  expect(supersedes('append')).toEqual({ kind: 'nothing' });
  expect(supersedes('replace')).toEqual({ kind: 'everything' });
  expect(STRATEGIES.append.commits({ ...STREAM, cursor: ['at'] })).toBe('each');
  expect(STRATEGIES.append.commits(STREAM)).toBe('together');
  expect(STRATEGIES.replace.commits(STREAM)).toBe('together');
});

it('merge goes by the key and wants one', () => {
  expect(supersedes('merge')).toEqual({ kind: 'key', key: ['id'] });
  expect(STRATEGIES.merge.misfit(STREAM, SCHEMA)).toBeUndefined();
  expect(STRATEGIES.merge.misfit(STREAM, { ...SCHEMA, key: [] })).toContain('public.t has none');
});

it('scd2 goes by the key, and takes for gone what a whole reading lacks', () => {
  expect(supersedes('scd2')).toEqual({ kind: 'versions', key: ['id'], gone: false });
  expect(supersedes('scd2', {}, ALL, true)).toEqual({ kind: 'versions', key: ['id'], gone: true });
  expect(STRATEGIES.scd2.commits(STREAM)).toBe('together');
  expect(STRATEGIES.scd2.commits({ ...STREAM, cursor: ['at'] })).toBe('each');
  expect(STRATEGIES.scd2.misfit(STREAM, { ...SCHEMA, key: [] })).toContain('public.t has none');
});

describe('delete-insert', () => {
  const day: Slice = {
    id: 'day-2026-01-01',
    range: { kind: 'column', column: 'day', from: 'a', to: 'b' },
    overlap: false,
  };

  it('goes by the window of its slice, under the name that the column has in the table', () => {
    expect(supersedes('delete-insert', { rename: { day: 'tag' } }, day)).toEqual({
      kind: 'window',
      column: 'tag',
      from: 'a',
      to: 'b',
    });
  });

  it('replaces rows without a date as a whole', () => {
    const missing: Slice = { id: 'no-date', range: { kind: 'missing', column: 'day' }, overlap: false };
    expect(supersedes('delete-insert', { rename: { day: 'tag' } }, missing)).toEqual({
      kind: 'value',
      column: 'tag',
      value: null,
    });
  });

  it('wants a date', () => {
    expect(STRATEGIES['delete-insert'].misfit(STREAM, SCHEMA)).toContain('needs `date`');
    expect(
      STRATEGIES['delete-insert'].misfit({ ...STREAM, date: { column: 'tag' } }, SCHEMA),
    ).toBeUndefined();
    expect(
      STRATEGIES['delete-insert'].misfit(
        { ...STREAM, date: { column: 'day' }, rename: { day: 'tag' } },
        SCHEMA,
      ),
    ).toBeUndefined();
    expect(STRATEGIES['delete-insert'].misfit({ ...STREAM, date: { column: 'day' } }, SCHEMA)).toContain(
      'not among those',
    );
  });

  it('does not take a slice that is no day', () => {
    expect(() => supersedes('delete-insert')).toThrow('is not a day');
  });
});
