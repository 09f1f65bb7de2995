/** Tables that are changed, emptied, dropped, renamed or replaced, between runs and under the eyes of a run. */
import type { RunOptions } from '../../src/engine/types.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { errorOf, expectError, meetFault, mustBeWhole, mustHeal } from './expect.ts';
import { atEvent, duringCopy, whenPlanned } from './source-moments.ts';
import { POSTGRES_SQL } from '../source-sql.ts';
import { openTables, STREAMS, tablesSql, write } from './source-tables.ts';

interface Change {
  what: string;
  /** On `merged`, and on every table of a stream that reads in whole. */
  sql: (table: string) => string;
  /** The run may fail with one of these; otherwise it has to come through. */
  codes?: readonly string[];
  /** Puts the table back where the stream can read it. */
  undo?: (table: string) => string;
}

const GONE = ['postgres.no_table', 'postgres.no_column'];

const CHANGES: readonly Change[] = [
  // The file of the table is written anew, and looks empty to an older snapshot.
  { what: 'wider type', sql: (t) => `ALTER TABLE ${t} ALTER COLUMN n TYPE bigint` },
  {
    what: 'TRUNCATE',
    sql: (t) => `TRUNCATE ${t}; INSERT INTO ${t} SELECT i, 'new', i FROM generate_series(1, 30) i`,
  },
  { what: 'ADD COLUMN', sql: (t) => `ALTER TABLE ${t} ADD COLUMN more int DEFAULT 7` },
  {
    what: 'ADD COLUMN with a rewrite',
    sql: (t) => `ALTER TABLE ${t} ADD COLUMN more double precision DEFAULT random()`,
  },
  { what: 'DROP COLUMN', sql: (t) => `ALTER TABLE ${t} DROP COLUMN note`, codes: GONE },
  { what: 'RENAME COLUMN', sql: (t) => `ALTER TABLE ${t} RENAME COLUMN note TO remark`, codes: GONE },
  {
    what: 'DROP TABLE',
    sql: (t) => `DROP TABLE ${t}`,
    codes: GONE,
    undo: (t) => createSql(t, 20),
  },
  {
    what: 'RENAME TABLE',
    sql: (t) => `ALTER TABLE ${t} RENAME TO elsewhere`,
    codes: GONE,
    undo: (t) => `ALTER TABLE elsewhere RENAME TO ${t}`,
  },
  {
    what: 'another table of the same name',
    sql: (t) => `DROP TABLE ${t}; ${createSql(t, 40)}`,
  },
  {
    what: 'a view of the same name',
    sql: (t) => `ALTER TABLE ${t} RENAME TO behind; CREATE VIEW ${t} AS SELECT * FROM behind`,
    codes: ['schema.incompatible', 'stream.strategy'],
    undo: (t) => `DROP VIEW ${t}; ALTER TABLE behind RENAME TO ${t}`,
  },
];

/** One table as {@link tablesSql} makes it. */
function createSql(table: string, rows: number): string {
  return tablesSql(rows, [table])(POSTGRES_SQL);
}

/** What a table can be loaded by, to see that it does not matter how. */
const LOADS = { merged: STREAMS['merged']!, replaced: STREAMS['replaced']! };

type Moment = 'during' | 'planned' | 'snapshot';

/** Changes one table in the midst of a run. */
async function changeMidRun(arena: Arena, pair: Pair, change: Change, moment: Moment): Promise<void> {
  const [table] = Object.keys(pair.streams) as [string];
  const other = await pair.from.session();
  let changed: Promise<unknown> | undefined;
  const work = async (): Promise<void> => {
    changed = other.query(change.sql(table));
    await changed;
  };
  await pair.from.query(`CREATE TABLE before AS TABLE ${table}`);
  const error = await runThrough(pair, moment, work);
  await changed;
  arena.tally.faults++;
  const what = `${change.what} of ${table} (${moment})`;
  if (!changed) throw new Error(`${what}: nothing was changed, so this proves nothing`);
  if (error) {
    if (!change.codes) throw new Error(`${what}: ${error.code}: ${error.message}`);
    expectError(error, { codes: change.codes, names: [table] });
    await onlyRowsOf(pair, table, 'public.before');
  }
  if (change.undo) await pair.from.query(change.undo(table));
}

/** What readers see after a run that failed: nothing, or rows as they were, none of them twice. */
async function onlyRowsOf(pair: Pair, table: string, from: string): Promise<void> {
  if (!(await pair.to.schema(table))) return;
  const { extra, doubled } = await pair.compare(table, from);
  if (extra.length > 0 || doubled.length > 0)
    throw new Error(`readers see rows that ${table} never had: ${[...extra, ...doubled][0]}`);
}

async function runThrough(pair: Pair, moment: Moment, work: () => Promise<void>): ReturnType<typeof errorOf> {
  if (moment === 'during') {
    // Most changes wait for our locks: the copy goes on a moment later.
    await using strike = await duringCopy(pair, work, 100);
    return await errorOf(pair, await strike.options());
  }
  if (moment === 'planned') {
    await using strike = await whenPlanned(pair, work);
    return await errorOf(pair, await strike.options());
  }
  const options: RunOptions = atEvent((event) => event.kind === 'stream-started', work);
  return errorOf(pair, options);
}

async function midRun(arena: Arena): Promise<string> {
  const changes = arena.brief ? CHANGES.slice(0, 1) : CHANGES;
  const moments: Moment[] = arena.brief ? ['planned'] : ['during', 'planned', 'snapshot'];
  for (const change of changes) {
    for (const moment of moments) {
      // A table that is copied whole forgets what the last run missed.
      const table = arena.brief ? 'merged' : arena.random.pick(['merged', 'merged', 'replaced'] as const);
      arena.say(`${change.what} of ${table} (${moment})`);
      // Rows of long ago are not read again by the next run, should this one have missed them.
      const sql = `${createSql(table, 1500)}; UPDATE ${table} SET updated_at = updated_at - interval '1 year'`;
      await using pair = await arena.open({ [table]: { ...LOADS[table] } }, sql);
      const { connection } = pair.from;
      pair.from.connection = { ...connection, slice_size: '128 KB' };
      await changeMidRun(arena, pair, change, moment);
      pair.from.connection = connection;
      await heal(arena, pair, table, change.what);
    }
  }
  return 'works, or postgres.no_table, postgres.no_column; then whole';
}

/**
 * What was deleted in the source stays in a table that is merged into, and a new column has no values in old rows; a full
 * refresh takes the source as it is.
 */
async function heal(arena: Arena, pair: Pair, table: string, what: string): Promise<void> {
  const error = await errorOf(pair);
  if (error) expectError(error, { codes: ['schema.incompatible'], names: [table] });
  // A first load that was disturbed begins anew, so nothing of the old table is left.
  else await sameInCommonColumns(pair);
  const whole = table === 'replaced' && !error;
  if (!whole) await pair.run({ fullRefresh: true });
  await mustBeWhole(arena, pair, [table]).catch((thrown: unknown) => {
    throw new Error(`${what}: ${(thrown as Error).message}`);
  });
}

export const CHANGED_MID_RUN: Attack = {
  name: 'changed-mid-run',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'A table is emptied, altered, dropped, renamed, made anew or replaced by a view after the snapshot, after planning, and while it is copied',
  rounds: 1,
  brief: true,
  run: midRun,
};

/** Columns that come, go, or change their type between two loads. */
async function betweenRuns(arena: Arena): Promise<string> {
  await using pair = await openTables(arena, 300);
  await mustHeal(arena, pair, Object.keys(pair.streams));
  if (!arena.brief) {
    await announced(arena, pair, 'ADD COLUMN more int', '+ more int32');
    await announced(arena, pair, 'ALTER COLUMN n TYPE bigint', 'n int32 → int64');
    await announced(arena, pair, 'DROP COLUMN more', 'more is gone from the source and becomes NULL');
  }
  await announced(arena, pair, 'RENAME COLUMN note TO remark', '+ remark utf8', 'note is gone');
  const code = await retyped(arena, pair);
  return `works and says what changed; ${code} where types do not fit, then whole`;
}

/** Changes all tables alike; every stream says so, once. */
async function announced(arena: Arena, pair: Pair, alter: string, ...texts: string[]): Promise<void> {
  arena.say(alter);
  for (const table of Object.keys(pair.streams)) await pair.from.query(`ALTER TABLE ${table} ${alter}`);
  await write(pair, 20);
  arena.tally.faults++;
  for (const expected of [true, false]) {
    const report = await pair.attempt();
    for (const { stream, changes, error } of report.streams) {
      if (error) throw new Error(`${alter}: ${stream}: ${error.message}`);
      // A whole copy begins anew.
      if (stream === 'replaced') continue;
      for (const text of texts)
        if (changes.some((change) => change.startsWith(text)) !== expected)
          throw new Error(
            `${alter}: ${stream} ${expected ? 'does not say' : 'says again'} "${text}": ${changes.join('; ')}`,
          );
    }
  }
  await sameInCommonColumns(pair);
}

/** Columns that are gone cannot be compared with the source any more; the others have to be as they are there. */
async function sameInCommonColumns(pair: Pair): Promise<void> {
  for (const table of Object.keys(pair.streams)) {
    const source = await pair.from.query(`SELECT count(*)::int AS rows, sum(n)::int AS sum FROM ${table}`);
    const lake = await pair.to.query(
      table,
      `SELECT count(*)::int AS rows, sum(n)::int AS sum FROM main.${table}`,
    );
    if (JSON.stringify(source) !== JSON.stringify(lake))
      throw new Error(`${table}: ${JSON.stringify(lake)}, in the source ${JSON.stringify(source)}`);
  }
}

async function retyped(arena: Arena, pair: Pair): Promise<string> {
  pair.streams = { merged: { ...STREAMS['merged'], schema: { incompatible: 'stop' } } };
  // What is gone from the source cannot be compared.
  await pair.run({ fullRefresh: true });
  return meetFault(arena, pair, {
    tables: ['merged'],
    inject: async () => void (await pair.from.query('ALTER TABLE merged ALTER COLUMN n TYPE text')),
    expected: { codes: ['schema.incompatible'], names: ['merged', '"n"', 'int'] },
    heal: async () =>
      void (await pair.from.query('ALTER TABLE merged ALTER COLUMN n TYPE bigint USING n::bigint')),
  });
}

export const CHANGED_BETWEEN_RUNS: Attack = {
  name: 'changed-between-runs',
  part: 'faults',
  promise: 'faults-heal',
  tries: 'Columns are added, widened, dropped, renamed, or given a type that does not fit, between two runs',
  rounds: 1,
  brief: true,
  run: betweenRuns,
};
