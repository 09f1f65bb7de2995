/** `verify` from one PostgreSQL to another, whatever way tables are loaded. Values: test/servers/verify-postgres.test.ts. */
import { expect, it } from 'vitest';
import { verifyPipeline } from '../../src/engine/verify.ts';
import type { StreamComparison, VerifyOptions } from '../../src/engine/verify-types.ts';
import { openReplica, type Replica } from '../support/replica.ts';
import { useServer } from '../support/server.ts';
import { EQUAL, named } from '../support/verification.ts';

const server = useServer();

async function verifyAll(
  pair: Replica,
  options: VerifyOptions = {},
): Promise<Record<string, StreamComparison>> {
  const { streams } = await verifyPipeline(await pair.context(), 'p', options);
  return Object.fromEntries(streams.map((stream) => [stream.table, stream]));
}

/** Longer than a name may be in the target. */
const LONG = `${'größer_'.repeat(8)}a`;

it('names rows that were changed, deleted and added behind its back, however they were loaded', async () => {
  await using pair = await openReplica(
    server(),
    {
      'public.replaced': { load: 'replace' },
      'public.merged': { load: 'merge', cursor: 'changed', rename: { note: LONG } },
      'public.appended': { load: 'append', cursor: 'changed' },
      'public.daily': { load: 'delete-insert', date: { column: 'changed' }, first_run: 864000 } as never,
    },
    `CREATE TABLE replaced (id bigint PRIMARY KEY, note text, total numeric, changed timestamptz);
     INSERT INTO replaced SELECT g, CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'row ' || g END, g / 7.0, date_trunc('day', now()) - interval '73 hours' - g * interval '1 minute' FROM generate_series(1, 2000) g;
     CREATE TABLE merged (LIKE replaced INCLUDING ALL); INSERT INTO merged TABLE replaced;
     CREATE TABLE appended (LIKE replaced INCLUDING ALL); INSERT INTO appended TABLE replaced;
     CREATE TABLE daily (LIKE replaced INCLUDING ALL); INSERT INTO daily TABLE replaced`,
  );
  await pair.run();
  await pair.from.db.query(
    ['merged', 'appended', 'replaced']
      .map((table) => `UPDATE ${table} SET note = 'later', changed = now() WHERE id < 10`)
      .join('; '),
  );
  await pair.run();
  for (const found of Object.values(await verifyAll(pair))) {
    const { table } = found;
    expect({ table, named: named(found), notes: found.notes }).toEqual({ table, named: [], notes: [] });
    expect(found).toMatchObject({ ...EQUAL, rows: { source: 2000, target: 2000 } });
  }
  for (const table of ['replaced', 'merged', 'appended', 'daily'])
    await pair.to.db.query(
      `UPDATE ${table} SET total = total + 0.01 WHERE id = 100; DELETE FROM ${table} WHERE id = 1000;
       INSERT INTO ${table} (id, total, changed) SELECT 5000, 1, changed FROM ${table} WHERE id = 50`,
    );
  for (const found of Object.values(await verifyAll(pair))) {
    const { table, status } = found;
    expect({ table, status, named: named(found) }).toEqual({
      table,
      status: 'differs',
      named: ['changed id 100: total', 'missing id 1000', 'extra id 5000'],
    });
  }
  // An older version of a row is not the row.
  await pair.to.db.query(`DELETE FROM appended WHERE id = 3 AND _sluice_load_id > 1`);
  expect(await pair.to.lines('appended', 'history')).toHaveLength(2008);
  const { appended } = await verifyAll(pair, { select: ['public.appended'] });
  // Row 3 lies above the watermark.
  expect(appended).toMatchObject({ changed: 1, missing: 1, extra: 1, waiting: 1 });
});
