import { expect, it } from 'vitest';
import type { Survey } from '../core/source.ts';
import type { StreamConfig } from '../core/stream.ts';
import { expectedMethod } from './load-method.ts';

const sizes = { rows: 200, bytes: 10_000 };
const noBulk = { ...sizes, noBulk: 'local_infile is off on the server' };

function stream(loadMethod?: StreamConfig['loadMethod']): StreamConfig {
  return {
    name: 's',
    table: 't',
    load: 'merge',
    cursor: [],
    nullCursor: 'load',
    rename: {},
    types: {},
    loadMethod,
  };
}

/** A table of 1,000 rows of `bytes`, of which some are loaded. */
function work(rows: number | undefined, slices = 1, bytes = 20): Parameters<typeof expectedMethod>[2] {
  return { rows, slices, survey: { estimatedRows: 1000, estimatedBytes: 1000 * bytes } as Survey };
}

it.each([
  [work(200), 'statements'],
  [work(201), 'bulk'],
  [work(150, 1, 100), 'bulk'],
  [work(600, 4), 'statements'],
  [work(undefined), undefined],
])('expects what the source estimates: %o', (load, method) => {
  expect(expectedMethod(stream(), { loadSizes: sizes }, load)).toEqual({ method, why: 'size' });
});

it('expects what is asked for, and statements where a server takes nothing else', () => {
  expect(expectedMethod(stream('bulk'), { loadSizes: sizes }, work(1))).toEqual({
    method: 'bulk',
    why: 'asked',
  });
  const asked = { method: 'statements', why: 'asked' };
  expect(expectedMethod(stream('statements'), { loadSizes: noBulk }, work(1e6))).toEqual(asked);
  const only = { method: 'statements', why: 'server' };
  expect(expectedMethod(stream(), { loadSizes: noBulk }, work(1e6))).toEqual(only);
});

it('says nothing where there is one way, or nothing to load', () => {
  expect(expectedMethod(stream(), {}, work(1))).toBeUndefined();
  expect(expectedMethod(stream(), { loadSizes: sizes }, work(0, 0))).toBeUndefined();
});

it('refuses what cannot be had', () => {
  const error = { code: 'stream.load_method', recovery: 'config' };
  const refused = (method: StreamConfig['loadMethod'], loadSizes?: typeof noBulk): unknown => {
    try {
      return expectedMethod(stream(method), { loadSizes }, work(1));
    } catch (thrown) {
      return thrown;
    }
  };
  expect(refused('statements')).toMatchObject({
    ...error,
    message: expect.stringContaining('in one way') as string,
  });
  expect(refused('bulk', noBulk)).toMatchObject({
    ...error,
    message: expect.stringContaining('local_infile') as string,
  });
});
