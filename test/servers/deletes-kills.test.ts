/** Runs that are killed while they take rows out of a table: all of them are there or none, and the next run completes it. */
import { expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { killAt } from '../../guarantees/pause.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide } from '../../guarantees/sides.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { FAST } from '../support/mysql-kit.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb({ settings: FAST });

const ROWS = 3000;
const GONE = 20;

/** The first of each is that of the load, the second of what is gone, the third of what the cursor did not see. */
const EVENTS = [
  'event:step/published:1',
  'event:step/staged:2',
  'event:step/published:2',
  'event:step/published:3',
];

const TARGETS: [string, (folder: string) => Promise<DestinationSide>, string[]][] = [
  ['PostgreSQL', () => PostgresTargetSide.open(server()), ['during:delete-rows:1', 'during:commit:3']],
  ['MariaDB', () => MysqlTargetSide.open(mariadb()), ['during:delete-rows:1', 'during:commit:3']],
  ['DuckDB', async (folder) => new DuckdbSide(folder), ['during:delete-rows:2', 'during:commit:2']],
  [
    'a lake',
    async (folder) => new LakeSide(folder),
    ['before:upload:3', 'before:commit:2', 'during:commit:2', 'after:commit:2'],
  ],
];

it.runIf(mariadbPresent).each(TARGETS)('%s survives kills', async (_, target, moments) => {
  const from = await PostgresSide.open(server());
  await from.db.query(
    `CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT clock_timestamp()); INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, ${ROWS}) i`,
  );
  let folder = '';
  await using pair = new Pair<PostgresSide, DestinationSide>(
    from,
    (made) => ((folder = made), undefined as never),
    {
      'public.t': { load: 'merge', cursor: 'at', deletes: 'remove' },
    },
  );
  Object.assign(pair, { to: await target(folder) });
  await pair.run();
  for (const [round, moment] of [...EVENTS, ...moments].entries()) {
    const first = round * GONE + 1;
    await from.db.query(
      `DELETE FROM t WHERE id >= ${first} AND id < ${first + GONE}; INSERT INTO t VALUES (${ROWS + round + 1}, 'new');
       INSERT INTO t VALUES (${-round - 1}, 'back', '2020-01-01')`,
    );
    await killAt(pair, moment);
    const seen = (await pair.to.lines('t', 'current')).map((line) => Number(line.split('|')[0]));
    const left = seen.filter((id) => id >= first && id < first + GONE).length;
    expect({ moment, left }).toEqual({ moment, left: left === 0 ? 0 : GONE });
    const report = await pair.attempt();
    expect(report.streams.map(({ error }) => error)).toEqual([undefined]);
    expect({ moment, ...(await pair.compare('t')) }).toEqual({ moment, lost: [], extra: [], doubled: [] });
  }
  expect(await pair.run()).toMatchObject({ status: 'nothing-new', totals: { deleted: 0 } });
  await pair.to.tidy();
  expect(await pair.to.leftovers()).toEqual([]);
});
