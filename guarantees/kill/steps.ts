/** kill -9 at every named step of a load, for each way to load; then the next run. */
import type { StreamOptions } from '../../src/core/project.ts';
import type { Arena, Attack } from '../attack.ts';
import type { ChildTask } from '../child-run.ts';
import { killAt } from '../pause.ts';
import type { AnyPair } from '../pair.ts';
import { expectAtRest, expectSoundState, linesOf, same } from './rest.ts';

/** Wide enough for several messages of the server, so that a copy has a beginning, a middle and an end. */
const TABLE = `
  CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, pad text, day date NOT NULL, at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, 'x', repeat('p', 1500), date '2026-01-01' + g % 3, now() - interval '1 hour' + g * interval '1 second'
    FROM generate_series(1, 600) g;
  ANALYZE t`;
const CHANGE = `
  UPDATE t SET v = v || 'y', at = clock_timestamp();
  INSERT INTO t SELECT max(id) + 1, 'new', repeat('n', 1500), '2026-01-02', clock_timestamp() FROM t`;

/** Rows go to other partitions; those that are replaced day by day would be in two days for a moment. */
const MOVE = `UPDATE t SET day = date '2026-01-01' + (id + length(v)) % 3`;

/** What a reader sees after a kill: the table before, the whole load, or either with nothing in between. */
type Seen = 'before' | 'after' | 'whole';
type Moments = readonly (readonly [moment: string, seen: Seen])[];

/** In the order in which a run comes by. */
const BEFORE_COMMIT: Moments = [
  ['before:acquire:1', 'before'],
  ['after:acquire:1', 'before'],
  ['event:step/lease:1', 'before'],
  ['event:step/snapshot:1', 'before'],
  ['event:stream-planned:1', 'before'],
  ['event:slice-started:1', 'before'],
  ['before:block:1', 'before'],
  ['after:block:2', 'before'],
  ['before:end:1', 'before'],
  ['event:step/staged:1', 'before'],
  ['event:step/publish:1', 'before'],
  ['before:upload:1', 'before'],
  ['after:upload:1', 'before'],
  ['before:commit:1', 'before'],
  // The first one is that of the staging folder's owner.
  ['before:link:2', 'before'],
];
const AFTER_COMMIT: Moments = [
  ['after:link:2', 'after'],
  ['after:commit:1', 'after'],
  ['event:step/published:1', 'after'],
  ['event:slice-committed:1', 'after'],
  ['event:stream-finished:1', 'after'],
  ['before:release:1', 'after'],
  ['after:release:1', 'after'],
  ['before:record:2', 'after'],
  ['after:record:2', 'after'],
  ['event:run-finished:1', 'after'],
  ['before:delete:1', 'after'],
];
const ALL: Moments = [['before:record:1', 'before'], ...BEFORE_COMMIT, ...AFTER_COMMIT];
/** With several commits or files: the same, in between. */
const BETWEEN: Moments = [
  ['after:upload:2', 'before'],
  ['before:upload:3', 'before'],
];
const BRIEF: ReadonlySet<string> = new Set(['before:commit:1', 'after:commit:1']);

interface Way {
  name: string;
  says: string;
  options: StreamOptions;
  moments: Moments;
  brief?: boolean;
  run?: ChildTask['options'];
}

const DAYS = { window: { from: '2026-01-01', to: '2026-01-04' } };

const WAYS: readonly Way[] = [
  { name: 'append', says: 'an append', options: { cursor: 'at', overlap: 0 }, moments: ALL },
  { name: 'merge', says: 'a merge', options: { cursor: 'at', overlap: 0, load: 'merge' }, moments: ALL },
  {
    name: 'replace',
    says: 'a replacement of the whole table',
    options: { load: 'replace' },
    moments: ALL,
    brief: true,
  },
  {
    name: 'partitioned',
    says: 'a merge into partitions',
    options: { cursor: 'at', overlap: 0, load: 'merge', partition_by: { column: 'day', by: 'day' } },
    moments: [...ALL, ...BETWEEN],
  },
  {
    name: 'delete-insert',
    says: 'a replacement of three days, each with a commit of its own',
    options: { date: 'day' },
    // Each day is seen before or after, and after the first commit the first one is there.
    moments: [
      ...BEFORE_COMMIT,
      ...['after:commit:1', 'before:commit:2', 'after:commit:2'].map(whole),
      ['after:commit:3', 'after'],
    ],
    run: DAYS,
  },
];

function whole(moment: string): readonly [string, Seen] {
  return [moment, 'whole'];
}

export const STEP_ATTACKS: readonly Attack[] = WAYS.map((way) => ({
  name: `steps-${way.name}`,
  part: 'kill',
  promise: 'whole-or-not',
  tries: `kills a run with SIGKILL at ${way.moments.length} named steps of ${way.says}, looks at once, and runs again`,
  rounds: 1,
  brief: way.brief === true,
  run: (arena) => killAtSteps(arena, way),
}));

async function killAtSteps(arena: Arena, way: Way): Promise<string> {
  const pair = await arena.open({ 'public.t': way.options }, TABLE);
  await pair.run(way.run);
  const moments = way.moments.filter(([moment]) => !arena.brief || BRIEF.has(moment));
  for (const [moment, seen] of moments) {
    arena.say(moment);
    await pair.from.query(way.options.date === undefined ? `${CHANGE}; ${MOVE}` : CHANGE);
    const before = await linesOf(pair, 't');
    await killAt(pair, moment, way.run);
    arena.tally.kills++;
    await expectSeen(pair, before, seen).catch((error: Error) => {
      throw new Error(`killed at ${moment}: ${error.message}`);
    });
    await expectSoundState(pair);
    await pair.run(way.run);
    await arena.verify(pair, ['t']);
  }
  await expectAtRest(pair);
  return 'works';
}

async function expectSeen(pair: AnyPair, before: readonly string[], seen: Seen): Promise<void> {
  const now = await linesOf(pair, 't');
  const after = await pair.from.lines('public.t', (await pair.to.schema('t'))!);
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
