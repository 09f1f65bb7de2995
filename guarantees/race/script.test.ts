import { describe, expect, it } from 'vitest';
import { Random } from '../random.ts';
import { type Step, writeScript } from './script.ts';

const SIZE = { writers: 8, loads: 8, turns: 80 };
const SEEDS = Array.from({ length: 20 }, (_, seed) => seed + 1);

type Write = Extract<Step, { kind: 'write' }>;

/** What happens in one transaction, with the loads that begin meanwhile. */
function transactions(steps: readonly Step[]): string[][] {
  const all: string[][] = [];
  const open = new Map<number, string[]>();
  for (const step of steps) {
    if (step.kind === 'load') for (const each of open.values()) each.push('load');
    if (step.kind !== 'write') continue;
    const { writer, action } = step;
    if (action.do === 'begin') open.set(writer, []);
    open.get(writer)!.push(action.do === 'update' ? action.whose : action.do);
    if (!/^(commit|rollback)(-prepared)?$/.test(action.do)) continue;
    all.push(open.get(writer)!);
    open.delete(writer);
  }
  expect(open.size).toBe(0);
  return all;
}

const CHANGE = '(?:insert|own|shared)';
/** Patterns of a transaction. */
const CASES = {
  'idle through a load, writing only after it': String.raw`^begin load (?:load )*(?:savepoint )*${CHANGE}`,
  'writing before a load, committing after it': `${CHANGE} (?:[a-z-]+ )*load (?:[a-z-]+ )*commit$`,
  'open through two loads': 'load (?:[a-z-]+ )*load',
  'rolled back': 'rollback$',
  'a savepoint rolled back, then committed': `rollback-to (?:[a-z-]+ )*commit$`,
  'a savepoint in a savepoint': 'savepoint (?:(?!release|rollback)[a-z-]+ )*savepoint',
  'prepared through a load, then committed': 'prepare (?:load )+commit-prepared$',
  'prepared through a load, then rolled back': 'prepare (?:load )+rollback-prepared$',
  'a long one': `(?:${CHANGE} (?:(?!${CHANGE})[a-z-]+ )*){6}`,
} as const;

describe('the schedule of a race', () => {
  it.each(Object.entries(CASES))('has transactions of this sort over the seeds: %s', (_, pattern) => {
    const found = SEEDS.flatMap((seed) => transactions(writeScript(new Random(seed), SIZE))).filter(
      (transaction) => new RegExp(pattern).test(transaction.join(' ')),
    );
    expect(found.length).toBeGreaterThan(5);
  });

  it.each(SEEDS)('has commits out of order, and the wanted loads (seed %i)', (seed) => {
    const steps = writeScript(new Random(seed), SIZE);
    expect(steps.filter((step) => step.kind === 'load')).toHaveLength(SIZE.loads);
    const writes = steps.filter((step): step is Write => step.kind === 'write');
    const order = (pattern: RegExp): number[] =>
      writes.filter(({ action }) => pattern.test(action.do)).map(({ writer }) => writer);
    expect(order(/^begin$/)).not.toEqual(order(/^commit/));
    expect(new Set(order(/^begin$/)).size).toBe(SIZE.writers);
  });

  it.each(SEEDS)('never lets two open transactions touch one row (seed %i)', (seed) => {
    const holders = new Map<number, number>();
    const shared = new Map<number, Set<number>>();
    for (const step of writeScript(new Random(seed), SIZE)) {
      if (step.kind !== 'write') continue;
      const { writer, action, row } = step;
      if (action.do === 'update') {
        expect(holders.get(row) ?? writer).toBe(writer);
        holders.set(row, writer);
        if (action.whose === 'shared') shared.set(row, (shared.get(row) ?? new Set()).add(writer));
      } else if (/^(commit|rollback)(-prepared)?$/.test(action.do))
        for (const [held, holder] of holders) if (holder === writer) holders.delete(held);
    }
    expect(Math.max(...[...shared.values()].map((writers) => writers.size))).toBeGreaterThan(1);
  });

  it('is the same for the same seed, and another for another', () => {
    expect(writeScript(new Random(7), SIZE)).toEqual(writeScript(new Random(7), SIZE));
    expect(writeScript(new Random(7), SIZE)).not.toEqual(writeScript(new Random(8), SIZE));
  });
});
