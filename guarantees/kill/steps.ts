/** kill -9 at every named step of a load, for each way to load; then the next run. */
import type { StreamOptions } from '../../src/core/project.ts';
import type { Arena, Attack } from '../attack.ts';
import type { ChildTask } from '../child-run.ts';
import { killAt } from '../pause.ts';
import type { SqlPair } from '../pair.ts';
import { FROM_DATABASES, PAIRS } from '../pairs.ts';
import type { SourceSql } from '../source-sql.ts';
import {
  after,
  all,
  before,
  BEFORE_COMMIT,
  type Both,
  type Moments,
  of,
  type Seen,
  SWAP_APART,
  whole,
} from './moments.ts';
import { expectAtRest, expectSoundState, linesOf, same } from './rest.ts';

/** Wide enough for several messages of the server, so that a copy has a beginning, a middle and an end. */
const table = (sql: SourceSql): string => `
  CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, pad text, day date NOT NULL, at ${sql.stamp});
  CREATE INDEX t_at ON t (at);
  INSERT INTO t SELECT g, 'x', repeat('p', 1500), ${sql.laterDay(`date '2026-01-01'`, 'g % 3')}, ${sql.later(sql.now, 'g - 3600')}
    FROM ${sql.numbers(600)};
  ${sql.analyze('t')}`;
const change = ({ now }: SourceSql): string => `
  UPDATE t SET v = v || 'y', at = ${now};
  INSERT INTO t SELECT max(id) + 1, 'new', repeat('n', 1500), '2026-01-02', ${now} FROM t`;

/** Rows go to other partitions; those that are replaced day by day would be in two days for a moment. */
const move = ({ laterDay }: SourceSql): string =>
  `UPDATE t SET day = ${laterDay(`date '2026-01-01'`, '(id + length(v)) % 3')}`;

const BRIEF: ReadonlySet<string> = new Set(['before:commit:1', 'after:commit:1']);

interface Way {
  name: string;
  says: string;
  options: StreamOptions;
  moments: Both<Moments>;
  pairs?: readonly string[];
  brief?: boolean;
  run?: ChildTask['options'];
}

const DAYS = { window: { from: '2026-01-01', to: '2026-01-04' } };
/** Each day is seen before or after, and after the first commit the first one is there. */
const DAY_BY_DAY = [
  ...whole('after:commit:1', 'before:commit:2', 'after:commit:2'),
  ...after('after:commit:3'),
];

const IN_WINDOWS = [
  ...before('during:delete-rows:1', 'after:delete-rows:1'),
  ...DAY_BY_DAY,
  ...whole('during:commit:1', 'after:delete-rows:2', 'during:finish:2', 'during:commit:2'),
  ...after('during:commit:3'),
];

const WAYS: readonly Way[] = [
  {
    name: 'append',
    says: 'an append',
    options: { cursor: 'at', overlap: 0 },
    moments: all({
      sql: before('during:lock-record:2', 'after:commit-aside:1', 'during:begin:2', 'after:begin:2'),
    }),
  },
  {
    name: 'merge',
    says: 'a merge',
    options: { cursor: 'at', overlap: 0, load: 'merge' },
    moments: all({
      sql: before(
        'during:stage:1',
        'after:stage:1',
        'during:index:1',
        'before:update:1',
        'during:update:1',
        'after:update:1',
      ),
      mysql: before(
        'during:stage:1',
        'after:stage:1',
        'after:begin:2',
        'after:commit-aside:1',
        'during:commit-aside:2',
        'after:begin:4',
        'after:lock-record:2',
        'before:update:1',
        'during:update:1',
        'after:update:1',
        'during:insert:1',
        'after:insert:1',
      ),
    }),
  },
  {
    name: 'replace',
    says: 'a replacement of the whole table',
    options: { load: 'replace' },
    moments: {
      ...all({
        sql: [
          ...before(
            'during:hidden:1',
            'after:hidden:1',
            'during:commit-aside:1',
            'after:commit-aside:1',
            'during:key:1',
            'after:key:1',
            'during:drop:1',
            'after:drop:1',
            'during:move:1',
            'after:move:1',
            'during:rename-table:1',
            'after:rename-table:1',
          ),
          ...after('before:drop-hidden:1', 'after:drop-hidden:1'),
        ],
      }),
      mysql: SWAP_APART,
    },
    brief: true,
  },
  {
    name: 'partitioned',
    says: 'a merge into partitions',
    options: { cursor: 'at', overlap: 0, load: 'merge', partition_by: { column: 'day', by: 'day' } },
    moments: all({ lake: before('after:upload:2', 'before:upload:3') }),
    pairs: [PAIRS[0].name],
  },
  {
    name: 'delete-insert',
    says: 'a replacement of three days, each with a commit of its own',
    options: { date: 'day' },
    moments: {
      lake: [...BEFORE_COMMIT.lake, ...DAY_BY_DAY],
      bucket: [...BEFORE_COMMIT.bucket, ...DAY_BY_DAY],
      sql: [...BEFORE_COMMIT.sql, ...IN_WINDOWS],
      mysql: [...BEFORE_COMMIT.mysql, ...IN_WINDOWS],
    },
    run: DAYS,
  },
];

export const STEP_ATTACKS: readonly Attack<SqlPair>[] = WAYS.map((way) => ({
  name: `steps-${way.name}`,
  part: 'kill',
  promise: 'whole-or-not',
  tries: `kills a run with SIGKILL at named steps of ${way.says} (${stepsOf(way.moments)}), looks at once, and runs again`,
  rounds: 1,
  pairs: way.pairs ?? FROM_DATABASES,
  brief: way.brief === true,
  run: (arena) => killAtSteps(arena, way),
}));

function stepsOf({ lake, sql, mysql = sql }: Both<Moments>): string {
  return `${lake.length} for a lake, ${sql.length} for PostgreSQL, ${mysql.length} for MariaDB`;
}

async function killAtSteps(arena: Arena<SqlPair>, way: Way): Promise<string> {
  const pair = await arena.open({ t: way.options }, table);
  await pair.run(way.run);
  const all = of(pair, way.moments).filter(([moment]) => !arena.brief || BRIEF.has(moment));
  for (const [moment, seen] of arena.some(all)) {
    arena.say(moment);
    const { sql } = pair.from;
    await pair.from.query(way.options.date === undefined ? `${change(sql)}; ${move(sql)}` : change(sql));
    const was = await linesOf(pair, 't');
    await killAt(pair, moment, way.run);
    arena.tally.kills++;
    await expectSeen(pair, was, seen).catch((error: Error) => {
      throw new Error(`killed at ${moment}: ${error.message}`);
    });
    await expectSoundState(pair);
    await pair.run(way.run).catch((error: Error) => {
      throw new Error(`after a kill at ${moment}: ${error.message}`);
    });
    await arena.verify(pair, ['t']);
  }
  await expectAtRest(pair);
  return 'works';
}

async function expectSeen(pair: SqlPair, before: readonly string[], seen: Seen): Promise<void> {
  const now = await linesOf(pair, 't');
  const after = await pair.from.lines(pair.from.nameOf('t'), (await pair.to.schema('t'))!);
  const describe = `readers see ${now.length} rows, before there were ${before.length}, then ${after.length}`;
  if (seen === 'whole') {
    // Each day is that of before or that of after.
    const [was, is, will] = [before, now, after].map((lines) => Map.groupBy(lines, dayOf));
    for (const day of will!.keys()) {
      const days = [was, is, will].map((each) => each!.get(day) ?? []);
      if (!same(days[1]!, days[0]!) && !same(days[1]!, days[2]!))
        throw new Error(`half of the day ${day}: ${describe}`);
    }
  } else if (!same(now, seen === 'before' ? before : after)) {
    throw new Error(`not the table ${seen} the load: ${describe}`);
  }
}

function dayOf(line: string): string {
  return /\|(\d{4}-\d\d-\d\d)\|/.exec(line)![1]!;
}
