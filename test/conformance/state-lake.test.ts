import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import { openObjectState } from '../../src/state/object-state.ts';
import { testStateStore } from '../../src/testing/state-conformance.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-state-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
const current = () => openObjectState(openLocalStorage(join(root, `lake-${count}`)), '_sluice/state');

testStateStore({
  name: 'lake in a local folder',
  open: () => {
    count++;
    return Promise.resolve(current());
  },
  reopen: () => Promise.resolve(current()),
});

it('hands a lease to one of several processes at a time', { timeout: 60_000 }, async () => {
  const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const script = `
    import { closeSync, openSync, unlinkSync } from 'node:fs';
    import { openLocalStorage } from ${source('connectors/shared/local-storage.ts')};
    import { openObjectState } from ${source('state/object-state.ts')};
    const root = process.argv[1];
    const store = openObjectState(openLocalStorage(root), 'state');
    const fences = [];
    while (fences.length < 10) {
      const holder = { run: String(process.pid), host: 'elsewhere', pid: process.pid };
      const lease = await store.acquire('orders', holder, 60000).catch((error) => {
        if (error.code !== 'lease.held') throw error;
      });
      if (lease !== undefined) {
        // Fails when two are inside.
        closeSync(openSync(root + '/inside', 'wx'));
        fences.push(lease.fence);
        for (let renewals = fences.length % 4; renewals > 0; renewals--) await store.renew(lease, 60000);
        unlinkSync(root + '/inside');
        await store.release(lease);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    }
    process.stdout.write(JSON.stringify(fences));
  `;
  const outputs = await Promise.all(
    Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, join(root, 'shared')]),
    ),
  );
  const fences = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
  expect(fences.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
});
