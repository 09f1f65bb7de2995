import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Schema } from '../../core/schema.ts';
import { Session } from '../../duckdb/session.ts';
import { minusSql, passSql } from './stage-sql.ts';

const schema: Schema = {
  fields: [
    { name: 'id', type: { kind: 'int64' }, nullable: true },
    { name: 'x', type: { kind: 'float64' }, nullable: true },
    { name: 't', type: { kind: 'utf8' }, nullable: true },
  ],
  key: [],
};

let session: Session;
beforeAll(async () => {
  const tempDirectory = join(tmpdir(), 'sluice-stage-spill');
  session = await Session.open({ memoryBytes: 128 << 20, tempDirectory, threads: 1 });
  // Every other row twice, every third one with NULLs.
  const rows = (n: number): string =>
    `SELECT CASE WHEN i % 3 > 0 THEN i END::BIGINT AS id, i / 7.0::DOUBLE AS x, CASE WHEN i % 3 > 0 THEN 'text ' || i END AS t FROM range(${n}) AS r(i), range(1 + i % 2) AS again(copy)`;
  await session.run(`CREATE TABLE sluice_incoming AS ${rows(3000)}`, 'making rows');
  await session.run(
    `CREATE TABLE committed AS SELECT *, '0' AS _sluice_load_id FROM (${rows(2500)} WHERE i % 10 > 0 AND (i % 4 > 0 OR copy = 0))`,
    'making rows',
  );
});
afterAll(() => session.close());

async function fresh(passes: number, key: string[], how: 'plain' | 'signed' = 'plain'): Promise<unknown[]> {
  const distinct = { key, cursor: [], from: undefined };
  const minus = minusSql(schema, 'SELECT * FROM committed', distinct);
  await session.run('CREATE OR REPLACE TABLE fresh AS SELECT * FROM sluice_incoming LIMIT 0', 'comparing');
  for (let pass = 0; pass < passes; pass++) {
    for (const sql of passSql(pass, passes)) await session.run(sql, 'comparing');
    await session.run(`INSERT INTO fresh ${minus[how]}`, 'comparing');
  }
  return session.rows('SELECT * FROM fresh ORDER BY ALL', 'comparing');
}

describe('what of an overlap is new', () => {
  it('is a difference of multisets, in however many passes', async () => {
    const wanted = await session.rows(
      'SELECT * FROM (SELECT * FROM sluice_incoming EXCEPT ALL SELECT * EXCLUDE _sluice_load_id FROM committed) ORDER BY ALL',
      'comparing',
    );
    expect(wanted.length).toBeGreaterThan(500);
    for (const passes of [1, 2, 7]) {
      expect(await fresh(passes, [])).toEqual(wanted);
      expect(await fresh(passes, [], 'signed')).toEqual(wanted);
    }
  });

  it('is the same in any number of passes when rows have a key', async () => {
    const once = await fresh(1, ['id']);
    expect(once.length).toBeGreaterThan(500);
    expect(await fresh(5, ['id'])).toEqual(once);
    expect(await fresh(5, ['id'], 'signed')).toEqual(once);
  });
});
