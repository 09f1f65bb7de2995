/** Tables of made-up records in a DuckDB file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { generateTables, liveOn } from '../../src/generate/tables/generate-tables.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { inDatabase } from '../support/made-up-tables.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-duck-tables-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('a DuckDB file has after some days the very rows of one that is made for the last of them', async () => {
  const model = {
    rows: 1000,
    deletes: 10,
    drift: { 'new-field': 1, rename: 2, decimal: 1, retype: 2, nested: 2 },
  } as const;
  const [lived, direct] = ['lived', 'direct'].map((name) => path.join(folder, `${name}.duckdb`)) as [
    string,
    string,
  ];
  await inDatabase(lived, (system) => generateTables(system, model));
  await inDatabase(lived, (system) => liveOn(system, 2));
  await inDatabase(direct, (system) => generateTables(system, model, { days: 3 }));
  for (const table of ['partners', 'loans', 'payments']) {
    const columns = await askDuckdb(
      direct,
      `SELECT string_agg('"' || column_name || '"', ', ') AS names FROM duckdb_columns() WHERE table_name = '${table}'`,
    );
    const named = (database: string): string =>
      `SELECT ${String(columns[0]!['names'])} FROM ${database}.${table}`;
    const found = await askDuckdb(
      ':memory:',
      `ATTACH '${lived}' AS lived (READ_ONLY)`,
      `ATTACH '${direct}' AS direct (READ_ONLY)`,
      `SELECT (SELECT count(*) FROM (${named('lived')} EXCEPT ALL ${named('direct')})) AS missing, (SELECT count(*) FROM (${named('direct')} EXCEPT ALL ${named('lived')})) AS extra`,
    );
    expect({ table, ...found[0] }).toEqual({ table, missing: '0', extra: '0' });
  }
});
