/** `verify` finds exactly the rows that were changed behind its back, on either side. */
import { expect, it } from 'vitest';
import { verifyPipeline } from '../../src/engine/verify.ts';
import type { StreamComparison, VerifyOptions } from '../../src/engine/verify-types.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

async function verify(pair: Pair, options: VerifyOptions = {}): Promise<StreamComparison> {
  const report = await verifyPipeline(await pair.context(), 'p', options);
  return report.streams[0]!;
}

it('a table that was replaced is equal, and rows that change afterwards are named', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { load: 'replace' } },
    `CREATE TABLE t (id bigint PRIMARY KEY, note text, total numeric(12,2), at timestamptz);
     INSERT INTO t SELECT g, CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'row ' || g END, g / 7.0, now() FROM generate_series(1, 3000) g`,
  );
  await pair.run();
  expect(await verify(pair)).toMatchObject({
    status: 'equal',
    rows: { source: 3000, target: 3000 },
    differences: [],
  });
  await pair.db.query(
    `UPDATE t SET note = '' WHERE id = 3; UPDATE t SET total = 1, note = 'x' WHERE id = 77; DELETE FROM t WHERE id IN (5, 2999); INSERT INTO t VALUES (4000)`,
  );
  const found = await verify(pair);
  expect(found).toMatchObject({ status: 'differs', changed: 2, missing: 1, extra: 2, waiting: 0 });
  expect(found.differences).toEqual([
    { kind: 'changed', key: { id: '3' }, columns: ['note'] },
    { kind: 'changed', key: { id: '77' }, columns: ['note', 'total'] },
    { kind: 'missing', key: { id: '4000' }, columns: [] },
    { kind: 'extra', key: { id: '5' }, columns: [] },
    { kind: 'extra', key: { id: '2999' }, columns: [] },
  ]);
});
