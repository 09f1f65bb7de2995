import os from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Session } from '../../duckdb/session.ts';
import type { TargetColumn } from '../shared/sql/system.ts';
import { refuseSharedKeys } from './target-rows.ts';

function column(name: string): TargetColumn {
  return { field: name, name, type: 'BIGINT', nullable: true };
}

let session: Session;

beforeAll(async () => {
  session = await Session.open({ memoryBytes: 64 << 20, threads: 1, tempDirectory: os.tmpdir() });
});

afterAll(() => session.close());

it.each([
  ['rows that were there', [], false],
  ['another key', ['(7, 1, 2)', '(NULL, 1, 2)', '(NULL, 1, 2)'], false],
  ['one that was there', ['(6, 1, 2)', '(1, 1, 2)'], true],
  ['one of two that were there', ['(2, 2, 2)'], true],
  ['its own', ['(8, 1, 2)', '(8, 1, 2)'], true],
])('of what is added, it finds %s', async (_, added, found) => {
  // What has been looked at is not looked at again.
  const there = ['(1, 1, 1)', '(2, 2, 1)', '(3, 3, NULL)', '(3, 3, 1)'];
  await session.run(
    `CREATE OR REPLACE TABLE t AS FROM (VALUES ${[...there, ...added].join(', ')}) v(a, b, load)`,
    'making a table',
  );
  const run = session.run(refuseSharedKeys('t', [column('a'), column('b')], 'load = 2'), 'looking');
  if (found) await expect(run).rejects.toThrow('share a key');
  else await run;
});
