import { expect, it } from 'vitest';
import type { RunEvent } from '../core/events.ts';
import { createPhases } from './phases.ts';

it('counts time in which slices run side by side once, and ends with a stream that fails', () => {
  let now = 0;
  const phases = createPhases(() => now);
  const at = (time: number, event: RunEvent): void => {
    now = time;
    phases.listener(event);
  };
  const step = (slice: string, name: 'staged' | 'publish' | 'published'): RunEvent => ({
    kind: 'step',
    stream: 'a',
    slice,
    step: name,
  });
  const begin = (slice: string): RunEvent => ({
    kind: 'slice-started',
    stream: 'a',
    slice,
    index: 0,
    slices: 2,
    attempt: 1,
  });
  const committed = (slice: string, seconds: number, bound: 'reading' | 'writing'): RunEvent => ({
    kind: 'slice-committed',
    stream: 'a',
    slice,
    rows: 1,
    loaded: 1,
    bytes: 1,
    seconds,
    timing: {},
    bound,
  });
  at(0, begin('1'));
  at(500, begin('2'));
  at(1000, step('1', 'staged'));
  at(2000, step('2', 'staged'));
  at(2000, step('1', 'publish'));
  at(2300, step('1', 'published'));
  at(2300, committed('1', 1, 'reading'));
  at(2300, committed('2', 2, 'writing'));
  at(3000, begin('3'));
  const totals = {
    rows: 0,
    bytes: 0,
    loaded: 0,
    written: 0,
    quarantined: 0,
    skipped: 0,
    retries: 0,
    coerced: {},
    seconds: 0,
  };
  at(4000, { kind: 'stream-finished', stream: 'a', status: 'failed', totals, watermark: undefined });
  now = 9000;
  expect(phases.seconds()).toEqual({ load: 3, commit: 0.3, bound: 'writing' });
});

it('tells fetching apart, of which loading may be a part of the time', () => {
  let now = 0;
  const phases = createPhases(() => now);
  const fetching = (seconds: number, done: boolean): void => {
    now = seconds * 1000;
    const facts = { pages: 1, records: 1, bytes: 1, of: undefined, seconds, done };
    phases.listener({ kind: 'fetching', stream: 'a', ...facts });
  };
  expect(phases.seconds()).not.toHaveProperty('fetch');
  fetching(1, false);
  fetching(2, false);
  fetching(4, true);
  now = 9000;
  expect(phases.seconds()).toMatchObject({ fetch: 3, load: 0 });
});
