/** A large table that hardly changes: the run that finds nothing, and the run after some rows have changed. */
import { join } from 'node:path';
import { atMost, type BenchContext, type BenchOutcome, rowsFor, type Target } from './context.ts';
import { createProject, postgresAt, type EngineProject, type EngineRun, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { count, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { makeTable } from './server.ts';
import { median, summarizeUsage } from './statistics.ts';
import { EVENTS } from './tables.ts';
import { verify } from './verify.ts';

const ROWS = 5_000_000;
const CHANGED_ROWS = 10_000;
const NOTHING_NEW_SECONDS = 0.5;
const CHANGED_SECONDS = 1.5;
/** Newer than anything the table is made with, older than any change. */
const NEVER_SEEN = `(SELECT max(updated_at) FROM events)`;

interface Size {
  rows: number;
  changed: number;
}

interface Measured {
  full: EngineRun;
  nothing: { limit: Usage; engine: EngineRun }[];
  changed: { limit: Usage; engine: EngineRun }[];
  /** Nothing new, but the rows changed a moment ago are still within the overlap and are looked at again. */
  overlap: EngineRun[];
  merged: EngineRun[];
  verified: number;
}

export async function benchIncremental(context: BenchContext): Promise<BenchOutcome> {
  const { server, say, signal } = context;
  const size = sizeFor(context, { rows: ROWS, changed: CHANGED_ROWS });
  say(`making ${EVENTS.name}: ${count(size.rows)} rows × ${EVENTS.columns.length} columns, with indexes`);
  await makeTable(server, EVENTS, size.rows, signal);
  const project = await createProject(join(context.folder, 'project'), {
    source: postgresAt(server.url),
    streams: { [`public.${EVENTS.name}`]: '{ cursor: updated_at }' },
  });
  const merging = await createProject(join(context.folder, 'merging'), {
    source: postgresAt(server.url),
    streams: { [`public.${EVENTS.name}`]: '{ cursor: updated_at, load: merge }' },
  });
  say('first loads');
  const full = expectLoaded(await run(project, context), size.rows);
  expectLoaded(await run(merging, context), size.rows);
  say('runs with nothing new');
  const nothing: Measured['nothing'] = [];
  await run(project, context);
  for (let i = 0; i < context.pairs; i++) {
    const limit = await runLimit(context, NEVER_SEEN);
    nothing.push({ limit, engine: expectLoaded(await run(project, context), 0) });
  }
  const measured: Measured = { full, nothing, changed: [], overlap: [], merged: [], verified: 0 };
  for (let i = 0; i < context.pairs; i++) {
    say(`${count(size.changed)} changed rows, ${i + 1} of ${context.pairs}`);
    const since = await changeRows(context, size, i);
    const limit = await runLimit(context, since);
    measured.changed.push({ limit, engine: expectLoaded(await run(project, context), size.changed) });
    measured.overlap.push(expectLoaded(await run(project, context), 0));
    measured.merged.push(expectLoaded(await run(merging, context), size.changed));
  }
  say('comparing both lakes with the source');
  for (const { lake } of [project, merging]) measured.verified += await verify(server, EVENTS, lake);
  await server.query(`DROP TABLE ${EVENTS.name}`);
  return outcome(context, size, measured);
}

function run(project: EngineProject, { server, signal }: BenchContext): Promise<EngineRun> {
  return runEngine(project, { server: server.pid, signal });
}

/** psql asks for the same rows through the same index. */
function runLimit({ server, limit, signal }: BenchContext, since: string): Promise<Usage> {
  const what = `(SELECT * FROM events WHERE updated_at > ${since})`;
  return measure(limit.command(server.url, what), { server: server.pid, signal });
}

/** Of EVENTS: all that is measured, or as small a part of both. */
export function sizeFor(context: BenchContext, { rows, changed }: Size): Size {
  const made = rowsFor(context, EVENTS, rows);
  return { rows: made, changed: Math.ceil((changed * made) / rows) };
}

export function expectLoaded(found: EngineRun, rows: number): EngineRun {
  if (found.loaded !== rows)
    throw new Error(`a run loaded ${count(found.loaded)} rows where ${count(rows)} were expected`);
  return found;
}

/** Changes rows that lie all over the table, other ones each time; gives a moment before the change, as SQL. */
export async function changeRows(
  { server }: BenchContext,
  { rows, changed }: Size,
  round: number,
): Promise<string> {
  const step = Math.floor(rows / changed);
  const [{ before } = { before: '' }] = await server.query<{ before: string }>(
    'SELECT clock_timestamp()::text AS before',
  );
  await server.query(
    `UPDATE events SET status = 'changed', amount = amount + 1, updated_at = clock_timestamp()
      WHERE id IN (SELECT g * ${step} + ${round + 1} FROM generate_series(0, ${changed - 1}) AS g)`,
  );
  return `'${before}'`;
}

function outcome({ quick, limit }: BenchContext, { rows, changed }: Size, measured: Measured): BenchOutcome {
  const nothing = summarizeUsage(measured.nothing.map((pair) => pair.engine));
  const nothingLimit = summarizeUsage(measured.nothing.map((pair) => pair.limit));
  const change = summarizeUsage(measured.changed.map((pair) => pair.engine));
  const changeLimit = summarizeUsage(measured.changed.map((pair) => pair.limit));
  const overlap = summarizeUsage(measured.overlap);
  const merged = summarizeUsage(measured.merged);
  const { full } = measured;
  const ratio = median(measured.changed.map((pair) => pair.engine.seconds / pair.limit.seconds));
  const targets: Target[] = quick
    ? []
    : [
        ...atMost('seconds with nothing new', nothing.seconds, NOTHING_NEW_SECONDS),
        ...atMost(`seconds with ${count(changed)} changed rows`, change.seconds, CHANGED_SECONDS),
      ];
  const lines = [
    { name: 'first load', usage: full, rows, wireBytes: full.wireBytes },
    { name: 'nothing new', usage: nothing, rows: 0, wireBytes: undefined },
    { name: `limit: ${limit.name}`, usage: nothingLimit, rows: 0, wireBytes: undefined },
    { name: `${count(changed)} changed rows`, usage: change, rows: changed, wireBytes: undefined },
    { name: `limit: ${limit.name}`, usage: changeLimit, rows: changed, wireBytes: undefined },
    { name: 'nothing new, right after a change', usage: overlap, rows: 0, wireBytes: undefined },
    {
      name: `${count(changed)} changed rows, load: merge`,
      usage: merged,
      rows: changed,
      wireBytes: undefined,
    },
  ];
  const text = [
    `incremental: ${count(rows)} rows × ${EVENTS.columns.length} columns, index on updated_at`,
    renderLines(lines),
    `  ${ratio.toFixed(2)} × the limit for changed rows; ${measured.verified} figures of two lakes and the source compared, all equal`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: 'incremental',
      rows,
      seconds: round(change.seconds, 3),
      limit_seconds: round(changeLimit.seconds, 3),
      ratio: round(ratio, 3),
      peak_rss_mb: peakMb(change),
      quick,
      full_rows: full.rows,
      full_seconds: round(full.seconds, 3),
      full_peak_rss_mb: peakMb(full),
      nothing_new_seconds: round(nothing.seconds, 3),
      nothing_new_limit_seconds: round(nothingLimit.seconds, 3),
      nothing_new_peak_rss_mb: peakMb(nothing),
      changed_rows: changed,
      changed_seconds: round(change.seconds, 3),
      overlap_seconds: round(overlap.seconds, 3),
      merge_changed_seconds: round(merged.seconds, 3),
      merge_changed_peak_rss_mb: peakMb(merged),
      ...usageFields('', change),
      ...usageFields('limit_', changeLimit),
      verified: measured.verified,
      targets,
    },
  };
}
