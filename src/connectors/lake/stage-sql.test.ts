import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Schema } from '../../core/schema.ts';
import { Session } from '../../duckdb/session.ts';
import { duckText } from '../../duckdb/types.ts';
import { HASH, hashParts } from '../shared/lane/hash-split.ts';
import { minusSql } from './stage-sql.ts';

const schema: Schema = {
  fields: [
    { name: 'id', type: { kind: 'int64' }, nullable: true },
    { name: 'x', type: { kind: 'float64' }, nullable: true },
    { name: 't', type: { kind: 'utf8' }, nullable: true },
  ],
  key: [],
};

let session: Session;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-stage-'));
  session = await Session.open({ memoryBytes: 128 << 20, tempDirectory: join(folder, 'spill'), threads: 1 });
  // Every other row twice, every third one with NULLs.
  const rows = (n: number): string =>
    `SELECT CASE WHEN i % 3 > 0 THEN i END::BIGINT AS id, i / 7.0::DOUBLE AS x, CASE WHEN i % 3 > 0 THEN 'text ' || i END AS t FROM range(${n}) AS r(i), range(1 + i % 2) AS again(copy)`;
  await session.run(`CREATE TABLE incoming AS ${rows(3000)}`, 'making rows');
  await session.run(
    `CREATE TABLE committed AS SELECT *, '0' AS _sluice_load_id FROM (${rows(2500)} WHERE i % 10 > 0 AND (i % 4 > 0 OR copy = 0))`,
    'making rows',
  );
});
afterAll(() => {
  session.close();
  rmSync(folder, { recursive: true, force: true });
});

async function fresh(parts: number, key: string[], how: 'plain' | 'signed' = 'plain'): Promise<unknown[]> {
  const minus = minusSql(schema, 'SELECT * FROM committed', { key, cursor: [], from: undefined });
  let files = 0;
  const write = async (query: string): Promise<string> => {
    const file = join(folder, `${files++}.parquet`);
    await session.run(`COPY (${query}) TO ${duckText(file)} (FORMAT parquet)`, 'writing');
    return file;
  };
  const sides = {
    left: `SELECT *, ${minus.hash} AS ${HASH} FROM incoming`,
    right: `SELECT *, ${minus.hash} AS ${HASH} FROM (${minus.committed})`,
  };
  await session.run('CREATE OR REPLACE TABLE fresh AS SELECT * FROM incoming LIMIT 0', 'comparing');
  let seen = 0;
  for await (const { left, right } of hashParts(sides, parts, write)) {
    seen++;
    await session.run(`CREATE OR REPLACE TEMP VIEW sluice_incoming AS ${left}`, 'comparing');
    await session.run(`CREATE OR REPLACE TEMP VIEW sluice_committed AS ${right}`, 'comparing');
    await session.run(`INSERT INTO fresh ${minus[how]}`, 'comparing');
  }
  expect(seen).toBeGreaterThanOrEqual(parts);
  // Files between are gone.
  expect(readdirSync(folder).filter((name) => name.endsWith('.parquet'))).toEqual([]);
  return session.rows('SELECT * FROM fresh ORDER BY ALL', 'comparing');
}

describe('what of an overlap is new', () => {
  it('is a difference of multisets, in however many parts', async () => {
    const wanted = await session.rows(
      'SELECT * FROM (SELECT * FROM incoming EXCEPT ALL SELECT * EXCLUDE _sluice_load_id FROM committed) ORDER BY ALL',
      'comparing',
    );
    expect(wanted.length).toBeGreaterThan(500);
    // The last takes files between, and files of those.
    for (const parts of [1, 2, 7, 70]) {
      expect(await fresh(parts, [])).toEqual(wanted);
      expect(await fresh(parts, [], 'signed')).toEqual(wanted);
    }
  });

  it('is the same in any number of parts when rows have a key', async () => {
    const once = await fresh(1, ['id']);
    expect(once.length).toBeGreaterThan(500);
    expect(await fresh(20, ['id'])).toEqual(once);
    expect(await fresh(20, ['id'], 'signed')).toEqual(once);
  });
});
