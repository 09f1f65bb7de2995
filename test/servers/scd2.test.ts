/** `load: scd2` between databases: what the tables hold after many runs, against a history that is kept by other means. */
import { describe, expect, it } from 'vitest';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import { Random } from '../../guarantees/random.ts';
import type { DestinationSide, SqlSide } from '../../guarantees/sides.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { FAST } from '../support/mysql-kit.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb({ settings: FAST });

type Queries = { query(sql: string): Promise<unknown> };
type Row = Record<'k' | 'line' | 'begun' | 'ended', string>;

/** What differs between the systems of this test. */
interface System {
  micros(column: string): string;
  text(column: string): string;
  now: string;
  table: string;
}

const POSTGRES: System = {
  micros: (column) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`,
  text: (column) => `${column}::text`,
  now: 'clock_timestamp()',
  table: `CREATE TABLE t (region varchar(10) NOT NULL, id int NOT NULL, note text, n numeric(10,2), rev int, at timestamptz NOT NULL, PRIMARY KEY (region, id));
    CREATE INDEX ON t (at)`,
};

const MARIADB: System = {
  micros: (column) => `DATE_FORMAT(${column}, '%Y-%m-%d %H:%i:%s.%f')`,
  text: (column) => `CAST(${column} AS CHAR)`,
  now: 'NOW(6)',
  table: `CREATE TABLE t (region varchar(10) COLLATE utf8mb4_bin NOT NULL, id int NOT NULL, note text COLLATE utf8mb4_nopad_bin, n numeric(10,2), rev int, at timestamp(6) NOT NULL, PRIMARY KEY (region, id), KEY (at))`,
};

function lineOf(system: System): string {
  const parts = ['note', system.text('n'), system.text('rev'), system.micros('at')];
  return `concat_ws('|', ${parts.map((part) => `coalesce(${part}, '~')`).join(', ')})`;
}

const KEY = `concat(region, ':', id)`;

async function rowsOf(from: Queries, sql: string): Promise<Row[]> {
  const found = await from.query(sql);
  return (Array.isArray(found) ? found : (found as { rows: Row[] }).rows) as Row[];
}

interface Version {
  line: string;
  begun: string;
  ended: string | null;
}

/** Versions of every key as they should be, from what the source showed at each run. */
class Expected {
  readonly keys: Map<string, Version[]> = new Map();

  /** `whole`: what is not shown is gone. How many keys have other versions than before. */
  seen(rows: readonly Row[], moment: string, whole: boolean): number {
    let changed = 0;
    const shown = new Map(rows.map(({ k, line }) => [k, line]));
    for (const [key, versions] of this.keys) {
      const last = versions.at(-1)!;
      if (last.ended === null && (shown.has(key) ? shown.get(key) !== last.line : whole)) {
        last.ended = moment;
        if (!shown.has(key)) changed++;
      }
    }
    for (const [key, line] of shown) {
      const versions = this.keys.get(key) ?? [];
      if (versions.length > 0 && versions.at(-1)!.ended === null) continue;
      this.keys.set(key, [...versions, { line, begun: moment, ended: null }]);
      changed++;
    }
    return changed;
  }

  /** How many versions have ended, and how many keys were gone and came back. */
  get counts(): { ended: number; back: number } {
    const all = [...this.keys.values()];
    const back = all.filter((versions) =>
      versions.some(({ ended }, i) => ended !== null && versions[i + 1] && versions[i + 1]!.begun !== ended),
    );
    return { ended: all.flat().filter(({ ended }) => ended !== null).length, back: back.length };
  }

  get lines(): string[] {
    return [...this.keys]
      .flatMap(([key, versions]) =>
        versions.map(({ line, begun, ended }) => `${key}|${line}|${begun}|${ended ?? 'now'}`),
      )
      .toSorted();
  }
}

interface Direction {
  source: System;
  target: System;
  from(): Promise<SqlSide & Queries>;
  to(): Promise<DestinationSide & Queries>;
  stream(from: SqlSide): string;
  moment: string;
}

const FROM_POSTGRES = {
  source: POSTGRES,
  from: async (): Promise<PostgresSide> => PostgresSide.open(postgres()),
  stream: (): string => 'public.t',
};
const TO_POSTGRES = {
  target: POSTGRES,
  to: async (): Promise<PostgresTargetSide & Queries> => {
    const side = await PostgresTargetSide.open(postgres());
    return Object.assign(side, { query: async (sql: string) => (await side.db.query(sql)).rows });
  },
  moment: `SELECT checkpoint AS line FROM _sluice.tables`,
};
const TO_MARIADB = {
  target: MARIADB,
  to: async (): Promise<MysqlTargetSide> => MysqlTargetSide.open(mariadb()),
  moment: 'SELECT checkpoint AS line FROM _sluice_tables',
};

const DIRECTIONS: [string, Direction][] = [
  ['PostgreSQL to PostgreSQL', { ...FROM_POSTGRES, ...TO_POSTGRES }],
  ['PostgreSQL to MariaDB', { ...FROM_POSTGRES, ...TO_MARIADB }],
  [
    'MariaDB to PostgreSQL',
    {
      ...TO_POSTGRES,
      source: MARIADB,
      from: async () => MysqlSide.open(mariadb()),
      stream: (from) => `${(from as MysqlSide).database}.t`,
    },
  ],
];

/** Changes to the source between two runs. */
function changes(random: Random, now: string): string[] {
  const region = (): string => `'${random.pick(['eu', 'EU'])}'`;
  const id = (): number => random.int(1, 10);
  const note = (): string => random.pick(['NULL', `''`, `'a'`, `'ä '`, `'a '`, `'true'`]);
  const n = (): string => random.pick(['NULL', '0', '1.5', '-1.50', '99999999.99']);
  const insert = (): string =>
    `INSERT INTO t SELECT x.region, x.id, ${note()}, ${n()}, 1, ${now} FROM (SELECT ${region()} AS region, ${id()} AS id) x
      WHERE NOT EXISTS (SELECT 1 FROM t WHERE t.region = x.region AND t.id = x.id)`;
  const kinds: (() => string)[] = [
    () => `UPDATE t SET note = ${note()}, at = ${now} WHERE region = ${region()} AND id = ${id()}`,
    () => `UPDATE t SET n = ${n()}, rev = NULL, at = ${now} WHERE region = ${region()} AND id = ${id()}`,
    // Written as it was.
    () => `UPDATE t SET note = note WHERE region = ${region()} AND id = ${id()}`,
    () => `DELETE FROM t WHERE region = ${region()} AND id = ${id()}`,
    insert,
    insert,
  ];
  return Array.from({ length: random.int(20, 60) }, () => random.pick(kinds)());
}

const OVERLAPS = (table: string): string => `SELECT ${KEY} AS k FROM (
  SELECT region, id, _sluice_valid_from AS f, _sluice_valid_to AS e, LEAD(_sluice_valid_from) OVER (PARTITION BY region, id ORDER BY _sluice_valid_from) AS next FROM ${table}) v
  WHERE e <= f OR (next IS NOT NULL AND (e IS NULL OR e > next))`;

describe.each(DIRECTIONS)('%s', (name, direction) => {
  it.runIf(mariadbPresent || !name.includes('MariaDB')).each([
    ['reading everything', false],
    ['by a cursor', true],
  ])('%s keeps the versions that there were', async (_, incremental) => {
    const { source, target } = direction;
    const from = await direction.from();
    await from.query(source.table);
    const to = await direction.to();
    const options: StreamOptions = {
      load: 'scd2',
      table: 't',
      ...(incremental && { cursor: 'at', overlap: 3600 }),
    };
    await using pair = new Pair<SqlSide, DestinationSide>(from, () => to, {
      [direction.stream(from)]: options,
    });
    const random = new Random(incremental ? 7 : 8);
    const expected = new Expected();
    for (let run = 0; run < 6; run++) {
      const statements =
        run === 0
          ? [
              `INSERT INTO t VALUES ('eu', 1, 'a', 1.50, 1, ${source.now}), ('EU', 1, NULL, NULL, NULL, ${source.now}), ('eu', 2, '', 0, 1, ${source.now})`,
            ]
          : changes(random, source.now);
      for (const sql of statements) await from.query(sql);
      // The last full refresh sees what is gone, whatever the runs before it read.
      const refresh = run === 4;
      const report = await pair.run({ fullRefresh: refresh });
      const rows = await rowsOf(from, `SELECT ${KEY} AS k, ${lineOf(source)} AS line FROM t`);
      const [checkpoint] = await rowsOf(to, direction.moment);
      const moment = micros((JSON.parse(checkpoint!.line) as { readAt: string }).readAt);
      const changed = expected.seen(rows, moment, !incremental || refresh);
      const versions = await rowsOf(
        to,
        `SELECT ${KEY} AS k, ${lineOf(target)} AS line, ${target.micros('_sluice_valid_from')} AS begun, ${target.micros('_sluice_valid_to')} AS ended FROM t`,
      );
      const lines = versions.map(({ k, line, begun, ended }) => `${k}|${line}|${begun}|${ended ?? 'now'}`);
      expect(lines.toSorted()).toEqual(expected.lines);
      expect(report.totals.loaded).toBe(changed);
      expect(await rowsOf(to, OVERLAPS('t'))).toEqual([]);
      if (run % 2 === 1) expect((await pair.run()).totals.loaded).toBe(0);
    }
    const { ended, back } = expected.counts;
    expect(ended).toBeGreaterThan(15);
    expect(back).toBeGreaterThan(incremental ? 0 : 2);
  });
});

/** `2026-07-24 00:00:00.1+00` with all digits. */
function micros(moment: string): string {
  const [, day, time, fraction = ''] = /^(\S{10})[ T](\S{8})(?:\.(\d+))?(?:Z|\+00(?::?00)?)$/.exec(moment)!;
  return `${day!} ${time!}.${fraction.padEnd(6, '0')}`;
}
