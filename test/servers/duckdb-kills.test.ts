/** Runs into a DuckDB file that are killed at their commits: the file is whole, and the next run completes it. */
import { expect, it } from 'vitest';
import { Pair } from '../../guarantees/pair.ts';
import { killAt } from '../../guarantees/pause.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const ROWS = 3000;

it.each([
  ['replace', ['after:hidden:1', 'during:rename-table:1']],
  ['merge', ['during:delete-rows:1', 'during:commit:1']],
  ['append', ['event:step/staged:1', 'after:record-rows:1']],
] as const)('%s survives kills around its commit', async (load, moments) => {
  const from = await PostgresSide.open(server());
  await from.db.query(
    `CREATE TABLE t (id int PRIMARY KEY, round int, v text); INSERT INTO t SELECT i, 0, 'text ' || i FROM generate_series(1, ${ROWS}) i`,
  );
  await using pair = new Pair(from, (folder) => new DuckdbSide(folder), {
    'public.t': load === 'replace' ? { load } : { load, cursor: 'xmin' },
  });
  await pair.run();
  let round = 0;
  for (const moment of moments) {
    await from.db.query(`UPDATE t SET round = ${++round}`);
    await killAt(pair, moment);
    const seen = await pair.to.ask('SELECT round, count(*) AS n FROM t GROUP BY round');
    // Loads are there as a whole or not at all.
    expect(seen.filter(({ n }) => Number(n) !== ROWS)).toEqual([]);
    if (load !== 'append') expect(seen).toHaveLength(1);
    const report = await pair.attempt();
    expect(report.streams.map(({ error }) => error)).toEqual([undefined]);
    expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
  }
  await pair.run();
  expect(await pair.to.leftovers()).toEqual([]);
});
