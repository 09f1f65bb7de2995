import { expect, it } from 'vitest';
import type { Load } from '../core/destination.ts';
import type { DecodeFacts } from '../core/source.ts';
import { LoadCounts } from './count-load.ts';

function load(id: string, rows: number, more: Partial<DecodeFacts> = {}): Load {
  const facts = { rows, bytes: 10 * rows, high: undefined, coerced: {}, ...more };
  const slice = { id, range: { kind: 'all' }, overlap: false } as const;
  return { slice, facts, rows, bytes: rows, parts: undefined };
}

const settle = (counts: LoadCounts, at: Load, loaded: number = at.rows, quarantined: number = 0): void =>
  counts.settled(new Map([[at, { loaded, written: at.bytes, quarantined }]]));

it('what was read is loaded, put aside, or skipped', () => {
  const counts = new LoadCounts();
  const [some, others] = [load('a', 8, { quarantined: 3, superseded: 2 }), load('b', 4)];
  counts.staged(some, false);
  counts.staged(others, true);
  expect(counts.totals).toMatchObject({ rows: 17, loaded: 0, skipped: 0 });
  // Of what does not fit one record was there before; of the others three were.
  settle(counts, some, 8, 2);
  settle(counts, others, 1);
  expect(counts.totals).toMatchObject({ rows: 17, bytes: 120, loaded: 9, quarantined: 2, skipped: 6 });
});

it('a slice that is loaded again takes the place of itself', () => {
  const counts = new LoadCounts();
  const by = { method: 'bulk', why: 'size' } as const;
  const coerced = { n: 2 };
  for (let attempt = 0; attempt < 2; attempt++) {
    counts.begin();
    const [first, second] = [{ ...load('a', 5, { coerced }), by }, load('b', 6)];
    counts.staged(first, false);
    settle(counts, first);
    counts.staged(second, false);
    // The first attempt fails here.
    if (attempt === 1) settle(counts, second);
  }
  expect(counts.totals).toMatchObject({ rows: 11, loaded: 11, written: 11, skipped: 0, coerced });
  expect(counts.totals.methods).toEqual([{ ...by, loads: 1, rows: 5, bytes: 50 }]);
});

it('but for what it has loaded before and leaves out now', () => {
  const counts = new LoadCounts();
  for (const loaded of [5, 0]) {
    const again = load('a', 7);
    counts.staged(again, true);
    settle(counts, again, loaded);
  }
  expect(counts.totals).toMatchObject({ rows: 7, loaded: 5, skipped: 2 });
});

it('what has changed may be known of several together', () => {
  const counts = new LoadCounts();
  const [first, second] = [load('a', 5), load('b', 5)];
  for (const each of [first, second]) counts.staged(each, false);
  const none = { written: 0, quarantined: 0 };
  counts.settled(
    new Map([
      [first, { loaded: 7, ...none }],
      [second, { loaded: 0, ...none }],
    ]),
  );
  expect(counts.totals).toMatchObject({ rows: 10, loaded: 7, skipped: 3 });
});
