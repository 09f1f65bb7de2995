/** Runs into MariaDB that are killed around their commits: what a reader sees is whole, and the next run completes it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { pauseAt } from '../../guarantees/pause.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { FAST } from '../support/mysql-kit.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb({ settings: FAST });

const ROUNDS = 5;
const ROWS = 3000;
/** A commit takes some tens of milliseconds. */
const MOST_MS = 80;

it.runIf(mariadbPresent).each(['replace', 'merge', 'append'] as const)(
  '%s survives kills around its commit',
  async (load) => {
    const from = await PostgresSide.open(server());
    await from.db.query(
      `CREATE TABLE t (id int PRIMARY KEY, round int, v text); INSERT INTO t SELECT i, 0, 'text ' || i FROM generate_series(1, ${ROWS}) i`,
    );
    const to = await MysqlTargetSide.open(mariadb());
    await using pair = new Pair(from, () => to, {
      'public.t': load === 'replace' ? { load } : { load, cursor: 'xmin' },
    });
    await pair.run();
    for (let round = 1; round <= ROUNDS; round++) {
      await from.db.query(`UPDATE t SET round = ${round}`);
      const child = await pauseAt(pair, 'event:step/publish:1');
      const ended = child.goOn().catch(() => undefined);
      await sleep((MOST_MS * round) / ROUNDS);
      await child.kill().catch(() => undefined);
      await ended;
      // What is held by connections of the dead ends when the server has noticed.
      await sleep(100);
      const seen = await to.query('SELECT round, COUNT(*) AS n FROM t GROUP BY round');
      // Loads are there as a whole or not at all.
      expect(seen.filter((row) => Number(row['n']) !== ROWS)).toEqual([]);
      if (load !== 'append') expect(seen).toHaveLength(1);
      const report = await pair.attempt();
      expect(report.streams.map(({ error }) => error)).toEqual([undefined]);
      expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
      expect(await to.query('SELECT pending FROM _sluice_tables')).toEqual([{ pending: null }]);
    }
    await pair.run();
    expect(await to.leftovers()).toEqual([]);
  },
);
