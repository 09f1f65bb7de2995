/** What is appended from an API and comes again is in the table once, whatever the target is: told by its key, or as a whole. */
import { expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide } from '../../guarantees/sides.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { RestSide } from '../support/rest-side.ts';
import { useServer } from '../support/server.ts';

type To = (folder: string) => DestinationSide;

const postgres = useServer();
const mariadb = useMariadb();

const targets: [string, () => Promise<To>][] = [
  ['PostgreSQL', () => PostgresTargetSide.open(postgres()).then((side) => () => side)],
  ['DuckDB', async () => (folder) => new DuckdbSide(folder)],
];
if (mariadbPresent)
  targets.push(['MariaDB', () => MysqlTargetSide.open(mariadb()).then((side) => () => side)]);

it.each(targets)('into %s', async (_, open) => {
  for (const keyed of [true, false]) {
    const from = await RestSide.open();
    if (!keyed) from.endpoint['key'] = undefined;
    // More than one slice: they are compared when all of them are there.
    const wide = 'x'.repeat(40_000);
    await using pair = new Pair(from, await open(), { t: { load: 'append', cursor: 'seq' } });
    for (let run = 0; run < 2; run++) {
      from.padding = run === 1 ? wide : '';
      from.write(from.records.size + 1, from.records.size + 500);
      await pair.run();
      if (run === 1) {
        // So that all of it comes again.
        const [{ seq }] = [...from.records.values()].slice(-1000) as unknown as [{ seq: number }];
        from.since = seq;
        from.write(from.records.size + 1, from.records.size + 500);
        expect(await pair.run()).toMatchObject({ totals: { loaded: 500 } });
        from.since = undefined;
      }
      // The API gives the last record again each time.
      expect(await pair.run()).toMatchObject({ totals: { loaded: 0 } });
      expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
    }
  }
});
