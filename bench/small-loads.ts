/** One more file of few records, as comes every some minutes, into tables of databases by statements and in bulk. */
import { utimesSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mariadbMissing, startMariadb } from '../src/testing/mariadb-server.ts';
import type { BenchContext, BenchOutcome } from './context.ts';
import { createProject, type EngineProject, postgresAt, runEngine } from './engine.ts';
import type { Usage } from './measure.ts';
import { count, peakMb, renderLines, round } from './report.ts';
import { median, summarizeUsage } from './statistics.ts';
import { fileName, makeFiles } from './tenant-files.ts';
import { emptyDatabase, targetUrl } from './to-postgres.ts';

const SIZES = [10, 1000, 10_000];
const QUICK_SIZES = [10, 1000];
const METHODS = ['statements', 'bulk'] as const;

interface Step {
  name: string;
  rows: number;
  runs: Record<(typeof METHODS)[number], Usage[]>;
}

export async function benchSmallLoads(context: BenchContext): Promise<BenchOutcome> {
  const { server, quick, say } = context;
  const steps: Step[] = [];
  for (const rows of quick ? QUICK_SIZES : SIZES) {
    say(`${count(rows)} records into PostgreSQL`);
    await emptyDatabase(server);
    const runs = await takeTurns(context, rows, postgresAt(targetUrl(server)));
    steps.push({ name: `${count(rows)} into PostgreSQL`, rows, runs });
  }
  const missing = mariadbMissing();
  if (missing !== undefined) say(missing);
  else {
    await using mariadb = await startMariadb({ settings: ['--local-infile=1'] });
    for (const rows of quick ? QUICK_SIZES : SIZES) {
      say(`${count(rows)} records into MariaDB`);
      const url = await mariadb.createDatabase(`small_${rows}`);
      const runs = await takeTurns(context, rows, `{ type: mysql, url: "${url}" }`);
      steps.push({ name: `${count(rows)} into MariaDB`, rows, runs });
    }
  }
  return outcome(context, steps);
}

/** The first file makes the table; each one after it is one load. */
async function takeTurns(context: BenchContext, rows: number, target: string): Promise<Step['runs']> {
  const folder = join(context.folder, 'small');
  await rm(folder, { recursive: true, force: true });
  const project = await createProject(join(context.folder, 'project'), {
    source: `{ type: files, path: "${folder}" }`,
    target,
    streams: { tenants: '{ files: "tenants_*.csv", load: append }' },
  });
  const runs: Step['runs'] = { statements: [], bulk: [] };
  let day = 0;
  const load = async (method: keyof Step['runs']): Promise<Usage> => {
    await makeFiles({ folder, files: 1, rows }, day);
    // Nobody waits for a file that was written long ago.
    const then = Date.now() / 1000 - 60;
    utimesSync(join(folder, fileName(day++)), then, then);
    return loadOne(context, project, { method, rows });
  };
  await load('bulk');
  for (let i = 0; i < context.pairs; i++) for (const method of METHODS) runs[method].push(await load(method));
  return runs;
}

async function loadOne(
  { server, signal }: BenchContext,
  project: EngineProject,
  { method, rows }: { method: string; rows: number },
): Promise<Usage> {
  const run = await runEngine(project, { server: server.pid, signal }, ['--load-method', method]);
  if (run.loaded !== rows) throw new Error(`a run loaded ${count(run.loaded)} of ${count(rows)} rows`);
  return run;
}

function outcome({ quick }: BenchContext, steps: Step[]): BenchOutcome {
  const lines = steps.flatMap(({ name, rows, runs }) =>
    METHODS.map((method) => ({
      name: `${name}, ${method}`,
      usage: summarizeUsage(runs[method]),
      rows,
      wireBytes: undefined,
    })),
  );
  const ratios = steps.map(({ runs }) =>
    median(runs.statements.map((run, i) => run.seconds / runs.bulk[i]!.seconds)),
  );
  const text = [
    'small-loads: one more file of so many records × 20 columns, from the shell',
    renderLines(lines),
    ...steps.map(({ name }, i) => `  ${name}: statements take ${ratios[i]!.toFixed(2)} × as long as in bulk`),
  ];
  const first = steps[0]!;
  return {
    text: text.join('\n'),
    result: {
      bench: 'small-loads',
      rows: first.rows,
      seconds: round(lines[0]!.usage.seconds, 3),
      limit_seconds: round(lines[1]!.usage.seconds, 3),
      ratio: round(ratios[0]!, 3),
      peak_rss_mb: peakMb(lines[0]!.usage),
      quick,
      steps: lines.map(({ name, usage }) => ({ name, seconds: round(usage.seconds, 3) })),
      verified: 0,
      targets: [],
    },
  };
}
