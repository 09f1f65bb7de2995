import { describe, expect, it } from 'vitest';
import {
  budgetFor,
  checkMemory,
  engineMemory,
  LEAST_MEMORY,
  lanesWithin,
  sourceEngineMemory,
  sourceMemory,
} from './memory.ts';

const MEBIBYTE = 1 << 20;

describe('the memory of a run', () => {
  it.each([
    [320, 1, 85],
    [512, 1, 213],
    [512, 2, 85],
    // There is no room for a third one, which waits.
    [512, 3, 85],
    [1024, 4, 106],
  ])('of %d MiB and %d lanes leaves %d MiB to each DuckDB', (budget, lanes, engine) => {
    expect(Math.floor(engineMemory(budget * MEBIBYTE, lanes) / MEBIBYTE)).toBe(engine);
  });

  it('is enough for one lane at least', () => {
    expect(lanesWithin(LEAST_MEMORY)).toBe(1);
    expect(lanesWithin(LEAST_MEMORY - 1)).toBe(1);
    expect(lanesWithin(704 * MEBIBYTE)).toBe(3);
  });

  it('can be found from what DuckDB needs', () => {
    expect(engineMemory(budgetFor(300 * MEBIBYTE))).toBeGreaterThanOrEqual(300 * MEBIBYTE - 1);
  });

  it('is shared with a source that has an engine of its own', () => {
    expect(sourceMemory(512 * MEBIBYTE)).toBe(192 * MEBIBYTE);
    expect(sourceMemory(1152 * MEBIBYTE)).toBe(512 * MEBIBYTE);
    expect(Math.floor(sourceEngineMemory(192 * MEBIBYTE) / MEBIBYTE)).toBe(85);
    expect(() => checkMemory(512 * MEBIBYTE, 192 * MEBIBYTE)).not.toThrow();
    expect(() => checkMemory(511 * MEBIBYTE, 192 * MEBIBYTE)).toThrow(
      'reading the memory budget: 511 MiB is less than the 512 MiB that a run from a lake, a DuckDB file or files of Parquet needs',
    );
  });

  it('is refused below the smallest budget', () => {
    expect(() => checkMemory(LEAST_MEMORY)).not.toThrow();
    expect(() => checkMemory(64 * MEBIBYTE)).toThrow(
      'reading the memory budget: 64 MiB is less than the 320 MiB that a run needs',
    );
  });
});
