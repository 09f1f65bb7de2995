import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openLocalStorage } from '../shared/local-storage.ts';
import { storageClock } from './storage-clock.ts';

const OWNER = { host: 'box', pid: 1, run: 'r' };
const YEAR = 365 * 24 * 3_600_000;

it("dates as the storage does when this machine's clock is a year off, and leaves nothing", async () => {
  const root = await mkdtemp(join(tmpdir(), 'sluice-clock-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const real = Date.now();
  vi.spyOn(Date, 'now').mockImplementation(() => real + YEAR);
  onTestFinished(() => void vi.restoreAllMocks());
  const now = await storageClock(openLocalStorage(root), OWNER);
  expect(Math.abs(now() - real)).toBeLessThan(60_000);
  expect(await readdir(root)).toEqual([]);
});

it('takes our clock where nothing can be written', async () => {
  expect(await storageClock(openLocalStorage('/dev/null/lake'), OWNER)).toBe(Date.now);
});
