/** Runs into a DuckDB file that are killed at their commits: the file is whole, and the next run completes it. */
import { expect, it } from 'vitest';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { killAt } from '../../guarantees/pause.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { promoteShadow } from '../../src/engine/shadow-exchange.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const ROWS = 3000;

/** Of a promotion: what readers have after a kill there. The first one finds no former table, which the others drop. */
const MOMENTS = [
  ['after:rename-table:1', 'before'],
  ['before:commit:1', 'before'],
  ['after:commit:1', 'after'],
  ['during:drop:1', 'before'],
  ['after:rename-table:2', 'before'],
  // Asked for, and perhaps done: the engine dies with the process.
  ['during:commit:1', 'either'],
] as const;

type DuckdbPair = Pair<PostgresSide, DuckdbSide>;

async function openTable(streams: Streams): Promise<DuckdbPair> {
  const from = await PostgresSide.open(server());
  await from.db.query(
    `CREATE TABLE t (id int PRIMARY KEY, round int, v text); INSERT INTO t SELECT i, 0, 'text ' || i FROM generate_series(1, ${ROWS}) i`,
  );
  return new Pair(from, (folder) => new DuckdbSide(folder), streams);
}

it.each([
  ['replace', ['after:hidden:1', 'during:rename-table:1']],
  ['merge', ['during:delete-rows:1', 'during:commit:1']],
  ['append', ['event:step/staged:1', 'after:record-rows:1']],
] as const)('%s survives kills around its commit', async (load, moments) => {
  await using pair = await openTable({
    'public.t': load === 'replace' ? { load } : { load, cursor: 'xmin' },
  });
  const { from } = pair;
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

it('a shadow table takes the place of the present one whole or not at all', async () => {
  const MERGE = { load: 'merge', cursor: 'xmin' } as const;
  const RENAMED = { ...MERGE, rename: { v: 'said' } };
  const WORK = { work: 'promote' } as const;
  const names = async (pair: DuckdbPair, table: string): Promise<string> =>
    (
      await pair.to.ask(
        `SELECT column_name AS name FROM duckdb_columns() WHERE table_name = '${table}' ORDER BY column_index`,
      )
    )
      .map(({ name }) => String(name))
      .join(' ');
  await using pair = await openTable({ 'public.t': MERGE });
  await pair.run();
  let round = 0;
  for (const [moment, seen] of MOMENTS) {
    // Each promotes what the one before has not: the columns tell which of the two tables it is.
    const next = round++ % 2 === 0 ? RENAMED : MERGE;
    const before = await names(pair, 't');
    pair.streams = { 'public.t': next };
    await pair.run({ into: 'shadow', fullRefresh: true });
    const coming = await names(pair, '_sluice_shadow_t');
    await killAt(pair, moment, WORK);
    const now = await names(pair, 't');
    if (seen === 'either') expect([before, coming]).toContain(now);
    else expect([moment, now]).toEqual([moment, seen === 'before' ? before : coming]);
    // Whoever calls again does the rest, or is told that it was done.
    const { already } = await promoteShadow(await pair.context(), 'p', { force: true });
    expect([moment, already ?? false]).toEqual([moment, now === coming]);
    expect(await names(pair, 't')).toBe(coming);
    expect(await names(pair, '_sluice_former_t')).toBe(before);
    await pair.from.db.query(`UPDATE t SET round = ${round} WHERE id % 2 = 0`);
    // From the checkpoint that came with the table.
    expect((await pair.run()).totals.loaded).toBe(ROWS / 2);
    const source = next === MERGE ? 't' : '(SELECT id, round, v AS said FROM t) t';
    expect(await pair.compare('t', source)).toEqual({ lost: [], extra: [], doubled: [] });
  }
});
