/** The same records of an API into PostgreSQL row by row, some hundred in a statement, and by Sluice; each as many as take a while. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext, BenchOutcome, Target } from './context.ts';
import { atLeast } from './context.ts';
import { createProject, postgresAt, runEngine } from './engine.ts';
import { API_PAGE, apiEndpoint, startApi } from './from-api.ts';
import { measure, type Usage } from './measure.ts';
import { count, peakMb, renderLines, renderTargets, round } from './report.ts';
import { median, summarizeUsage } from './statistics.ts';
import { emptyDatabase, targetUrl } from './to-postgres.ts';

const RECORDS = 1_000_000;
const PER_STATEMENT = 500;
/** Of a million rows one by one nobody would wait for the end. */
const STEPS = [
  { name: 'row by row', perStatement: 1, share: 0.02 },
  { name: `${PER_STATEMENT} rows in a statement`, perStatement: PER_STATEMENT, share: 0.2 },
];

interface Step {
  name: string;
  records: number;
  runs: Usage[];
}

export async function benchInsertLadder(context: BenchContext): Promise<BenchOutcome> {
  const { quick, say, server, signal, folder } = context;
  const records = quick ? 20_000 : RECORDS;
  await using api = await startApi(records);
  const url = `${api.url}/tenants?per_page=${API_PAGE}`;
  const program = fileURLToPath(new URL('./insert-records.ts', import.meta.url));
  const steps = STEPS.map((step): Step => ({ name: step.name, records: records * step.share, runs: [] }));
  const sluice: Step = { name: 'sluice', records, runs: [] };
  for (let i = 0; i < context.pairs; i++) {
    say(`round ${i + 1} of ${context.pairs}`);
    for (const [s, { perStatement }] of STEPS.entries()) {
      const step = steps[s]!;
      await emptyDatabase(server);
      const args = [program, url, targetUrl(server), String(perStatement), String(step.records)];
      const run = await measure(
        { program: process.execPath, args, output: true },
        { server: server.pid, signal },
      );
      if (Number(run.output) !== step.records) throw new Error(`${step.name}: ${run.output} records`);
      step.runs.push(run);
    }
    await emptyDatabase(server);
    const project = await createProject(join(folder, 'project'), {
      source: `{ type: rest, url: "${api.url}", endpoints: { tenants: ${apiEndpoint()} } }`,
      target: postgresAt(targetUrl(server)),
      streams: { tenants: '{ load: merge }' },
    });
    const run = await runEngine(project, { server: server.pid, signal });
    if (run.loaded !== records) throw new Error(`a run loaded ${count(run.loaded)} rows`);
    sluice.runs.push(run);
  }
  return outcome(context, steps, sluice);
}

function perMillion({ records }: Step, { seconds }: Usage): number {
  return (seconds / records) * 1_000_000;
}

function outcome({ quick }: BenchContext, steps: Step[], sluice: Step): BenchOutcome {
  const lines = [...steps, sluice].map((step) => ({ ...step, usage: summarizeUsage(step.runs) }));
  const own = lines.at(-1)!;
  const ratios = steps.map((step) =>
    median(step.runs.map((run, i) => perMillion(step, run) / perMillion(sluice, sluice.runs[i]!))),
  );
  const targets: Target[] = quick ? [] : atLeast('times as fast as row by row', ratios[0]!, 10);
  const text = [
    `insert-ladder: records of an API × 20 fields into PostgreSQL, with a key`,
    renderLines(
      lines.map(({ name, usage, records }) => ({ name, usage, rows: records, wireBytes: undefined })),
    ),
    ...steps.map(({ name }, i) => `  ${name}: takes ${ratios[i]!.toFixed(1)} times as long`),
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: 'insert-ladder',
      rows: sluice.records,
      seconds: round(own.usage.seconds, 3),
      limit_seconds: round(lines[0]!.usage.seconds, 3),
      ratio: round(1 / ratios[0]!, 4),
      peak_rss_mb: peakMb(own.usage),
      quick,
      seconds_per_million: lines.map((line) => ({
        name: line.name,
        seconds: round(perMillion(line, line.usage), 1),
      })),
      verified: 0,
      targets,
    },
  };
}
