/** Changed rows of a large table merged into its copy in another database, against the same by psql and SQL. */
import { join } from 'node:path';
import { atMost, type BenchContext, type BenchOutcome } from './context.ts';
import { createProject, postgresAt, type EngineRun, runEngine } from './engine.ts';
import { changeRows, expectLoaded, sizeFor } from './incremental.ts';
import { measure, type Usage } from './measure.ts';
import { type Pair, pairedOutcome } from './paired.ts';
import { count } from './report.ts';
import { makeTable } from './server.ts';
import { EVENTS } from './tables.ts';
import { compareTables, emptyDatabase, PLAIN, targetUrl } from './to-postgres.ts';

const FULL = { rows: 5_000_000, changed: 100_000 };
const SECONDS = 3;
/** The copy that the limit merges into. */
const OTHER = 'bench_other';

export async function benchMerge(context: BenchContext): Promise<BenchOutcome> {
  const { server, say, signal } = context;
  const size = sizeFor(context, FULL);
  say(`making ${EVENTS.name}: ${count(size.rows)} rows × ${EVENTS.columns.length} columns, with indexes`);
  await makeTable(server, EVENTS, size.rows, signal);
  await emptyDatabase(server);
  const project = await createProject(join(context.folder, 'project'), {
    source: postgresAt(server.url),
    target: postgresAt(targetUrl(server)),
    streams: { [`public.${EVENTS.name}`]: '{ load: merge, cursor: updated_at }' },
  });
  const run = (): Promise<EngineRun> => runEngine(project, { server: server.pid, signal });
  say('first loads');
  expectLoaded(await run(), size.rows);
  await server.query(`DROP DATABASE IF EXISTS ${OTHER}`);
  await server.query(`CREATE DATABASE ${OTHER} TEMPLATE ${new URL(targetUrl(server)).pathname.slice(1)}`);
  const pairs: Pair[] = [];
  for (let i = 0; i < context.pairs; i++) {
    say(`${count(size.changed)} changed rows, ${i + 1} of ${context.pairs}`);
    const since = await changeRows(context, size, i);
    const limit = await runLimit(context, since);
    pairs.push({ limit, engine: expectLoaded(await run(), size.changed) });
  }
  const verified = await compareTables(server, EVENTS);
  await server.query(`DROP TABLE ${EVENTS.name}`);
  return pairedOutcome({
    bench: 'merge',
    quick: context.quick,
    pairs,
    title: `${count(size.changed)} changed rows into ${count(size.rows)}`,
    figures: { rows: size.rows, changed_rows: size.changed },
    moved: size.changed,
    limit: { name: 'psql | psql, ON CONFLICT' },
    verified,
    compared: (compared) => `${compared} rows of both sides compared, all equal`,
    targets: ({ seconds }) => atMost('seconds', seconds, SECONDS),
  });
}

/** The changed rows into a temporary table, then INSERT … ON CONFLICT. */
function runLimit({ server, signal }: BenchContext, since: string): Promise<Usage> {
  const target = new URL(server.url);
  target.pathname = `/${OTHER}`;
  const names = EVENTS.columns.map(({ name }) => name);
  const set = names.map((name) => `${name} = excluded.${name}`).join(', ');
  const merge = `INSERT INTO ${EVENTS.name} SELECT * FROM stage ON CONFLICT (id) DO UPDATE SET ${set}`;
  const script = [
    'set -o pipefail',
    `psql -X -q -d '${server.url}${PLAIN}' -c "COPY (SELECT * FROM events WHERE updated_at > ${since}) TO STDOUT (FORMAT binary)" | psql -X -q -d '${target.href}${PLAIN}' -c 'CREATE TEMP TABLE stage (LIKE ${EVENTS.name})' -c 'COPY stage FROM STDIN (FORMAT binary)' -c '${merge}'`,
  ].join('; ');
  return measure({ program: 'bash', args: ['-c', script], output: false }, { server: server.pid, signal });
}
