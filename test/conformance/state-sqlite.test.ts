import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openSqliteState } from '../../src/state/sqlite.ts';
import { testStateStore } from '../../src/testing/state-conformance.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-state-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
const current = (): string => join(root, `project-${count}`, '.sluice', 'state.db');

testStateStore({
  name: 'sqlite',
  open: () => {
    count++;
    return openSqliteState(current());
  },
  reopen: () => openSqliteState(current()),
});
