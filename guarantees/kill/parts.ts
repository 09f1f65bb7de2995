/** kill -9 in loads that are made of several commits, or of several parts; then the next run. */
import type { StreamOptions } from '../../src/core/project.ts';
import type { Arena, Attack } from '../attack.ts';
import { killAt } from '../pause.ts';
import type { SqlPair } from '../pair.ts';
import { FROM_DATABASES } from '../pairs.ts';
import type { SourceSql } from '../source-sql.ts';
import { type Both, of } from './moments.ts';
import { expectAtRest, expectSoundState, linesOf } from './rest.ts';

const ROWS = 300;
const BATCH = 50;
const table = (sql: SourceSql): string => `
  CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, pad text, at ${sql.stamp});
  CREATE INDEX t_at ON t (at);
  INSERT INTO t SELECT g, 'x', repeat('p', 1500), ${sql.later(sql.now, 'g - 3600')} FROM ${sql.numbers(ROWS)};
  ${sql.analyze('t')}`;
/** One row of the first part, one of the last, and a new one. */
const change = ({ now }: SourceSql): string => `
  UPDATE t SET v = 'y', at = ${now} WHERE id IN (3, ${ROWS - 1});
  INSERT INTO t VALUES (${ROWS + 1}, 'new', 'n', ${now})`;

interface Case {
  name: string;
  tries: string;
  options: StreamOptions;
  source: Record<string, unknown>;
  moments: Both<readonly string[]>;
  /** Throws when a reader sees what no commit may show. */
  check: (seen: readonly string[], moment: string) => void;
}

/** `after:commit:3` and `during:commit:3` → 3, `before:commit:3` → 2; undefined for other moments. */
function commitsAt(moment: string): number | undefined {
  const found = /^(before|during|after):commit:(\d+)$/.exec(moment);
  return found ? Number(found[2]) - (found[1] === 'before' ? 1 : 0) : undefined;
}

/** In the first part and its commit, and in the third. */
const BEGINNING: Both<readonly string[]> = {
  lake: ['after:acquire:1', 'before:block:1', 'event:step/staged:1', 'before:other:1', 'after:other:1'],
  sql: [
    'after:acquire:1',
    'during:note:1',
    'after:begin:1',
    'before:sent:1',
    'during:finish:1',
    'event:step/staged:1',
  ],
};
const COMMITS: Both<readonly string[]> = {
  lake: ['before:upload:1', 'after:upload:1', 'before:commit:1', 'after:commit:1'],
  sql: ['after:record-rows:1', 'before:commit:1', 'during:commit:1', 'after:commit:1'],
};
const MIDDLE: Both<readonly string[]> = {
  lake: ['event:step/staged:3', 'before:upload:3', 'after:upload:3', 'before:commit:3', 'after:commit:3'],
  sql: ['event:step/staged:3', 'during:finish:3', 'before:commit:3', 'during:commit:3', 'after:commit:3'],
};

function moments(rest: readonly string[]): Both<readonly string[]> {
  const list = (kind: 'lake' | 'sql'): string[] => [
    ...BEGINNING[kind],
    ...COMMITS[kind],
    ...MIDDLE[kind],
    ...rest,
  ];
  return { lake: list('lake'), sql: list('sql') };
}

/** Parts that wait for the last one, and then become visible with it. */
const AT_ONCE: Both<readonly string[]> = {
  lake: [...BEGINNING.lake, ...MIDDLE.lake.slice(0, 3), ...COMMITS.lake, 'before:release:1'],
  sql: [
    ...BEGINNING.sql,
    ...MIDDLE.sql.slice(0, 2),
    'after:drop:1',
    'after:move:1',
    'after:rename-table:1',
    ...COMMITS.sql,
    'before:release:1',
  ],
  mysql: [
    ...BEGINNING.sql,
    ...MIDDLE.sql.slice(0, 2),
    'after:create:1',
    'after:pending:1',
    'before:rename-table:1',
    'during:rename-table:1',
    'after:rename-table:1',
    ...COMMITS.sql,
    'before:drop-hidden:1',
    'before:release:1',
  ],
};
const CASES: readonly Case[] = [
  {
    name: 'micro-batches',
    tries: `kills a first load in small batches with SIGKILL at named steps of the first, a middle and the last one, changes rows, and runs again`,
    options: { cursor: 'at', overlap: 0, slice_rows: BATCH },
    source: {},
    moments: moments(['before:commit:6', 'after:commit:6', 'before:release:1']),
    check: (seen, moment) => {
      const commits = commitsAt(moment);
      const ids = seen.map((line) => Number(line.split('|')[0])).toSorted((a, b) => a - b);
      if (
        ids.length % BATCH !== 0 ||
        ids.some((id, i) => id !== i + 1) ||
        (commits !== undefined && ids.length !== commits * BATCH)
      )
        throw new Error(`readers see ${seen.length} rows, which are no whole batches`);
    },
  },
  {
    name: 'parts',
    tries: `kills a first load in parts that are read side by side with SIGKILL at named steps, changes rows of loaded and missing parts, and runs again`,
    options: { cursor: 'at', overlap: 0, load: 'merge' },
    source: { slice_size: 100_000 },
    moments: moments(['before:release:1']),
    check: (seen, moment) => {
      const commits = commitsAt(moment);
      if (commits !== undefined && (commits === 0) !== (seen.length === 0))
        throw new Error(`readers see ${seen.length} rows after ${commits} commits`);
    },
  },
  {
    name: 'parts-at-once',
    tries: `kills a first load in parts that become visible at once with SIGKILL at named steps, changes rows, and runs again`,
    options: { load: 'replace' },
    source: { slice_size: 100_000 },
    moments: AT_ONCE,
    check: (seen, moment) => {
      const visible = commitsAt(moment) === 1 || /release|drop-hidden/.test(moment);
      if (seen.length !== (visible ? ROWS : 0)) throw new Error(`readers see ${seen.length} rows`);
    },
  },
];

export const PART_ATTACKS: readonly Attack<SqlPair>[] = CASES.map((each) => ({
  name: each.name,
  part: 'kill',
  promise: 'whole-or-not',
  tries: each.tries,
  rounds: 1,
  pairs: FROM_DATABASES,
  brief: false,
  run: (arena) => killInParts(arena, each),
}));

async function killInParts(
  arena: Arena<SqlPair>,
  { options, source, moments: both, check }: Case,
): Promise<string> {
  // Each in a database of its own.
  let moments: readonly string[] | undefined;
  for (let i = 0; ; i++) {
    const pair = await arena.open({ t: options }, table);
    const moment = (moments ??= arena.some(of(pair, both)))[i];
    if (moment === undefined) return 'works';
    arena.say(moment);
    Object.assign(pair.from.connection, source);
    await killAt(pair, moment, { workers: 2 });
    arena.tally.kills++;
    const seen = await linesOf(pair, 't');
    try {
      check(seen, moment);
      await expectOnlySource(pair, seen);
    } catch (error) {
      throw new Error(`killed at ${moment}: ${(error as Error).message}`, { cause: error });
    }
    await expectSoundState(pair);
    await pair.from.query(change(pair.from.sql));
    const { totals } = await pair.run();
    if (seen.length > 0 && options.cursor !== undefined && totals.rows >= ROWS)
      throw new Error(`killed at ${moment}: the next run began again and read ${totals.rows} rows`);
    await arena.verify(pair, ['t']);
    await expectAtRest(pair);
  }
}

async function expectOnlySource(pair: SqlPair, seen: readonly string[]): Promise<void> {
  if (seen.length === 0) return;
  const source = new Set(await pair.sourceLines('t'));
  const history = await pair.to.lines('t', 'history');
  if (seen.some((line) => !source.has(line))) throw new Error('readers see rows that are not in the source');
  if (new Set(history).size !== history.length) throw new Error('the history has a row twice');
}
