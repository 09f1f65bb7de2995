/** Singer messages on standard input, against a program that only parses them, and against a target in Python. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atLeast, atMost, type BenchContext, type BenchOutcome } from './context.ts';
import { measure, type Usage } from './measure.ts';
import { hasProgram } from './needs.ts';
import { type Pair, pairedOutcome } from './paired.ts';
import { count, MEGABYTE, renderLines, renderTargets, round } from './report.ts';
import { writeMessages } from './singer-messages.ts';
import { emptyDatabase, TARGET, targetUrl } from './to-postgres.ts';

const RECORDS = 1_000_000;
const QUICK_RECORDS = 20_000;
/** It is so slow that a part must do; its records per second count. */
const REFERENCE_RECORDS = 50_000;
/** Of PyPI, meltanolabs-target-postgres. */
const REFERENCE = 'target-postgres';
const PEAK_MB = 300;
const TIMES = 5;

const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

interface Input {
  file: string;
  records: number;
}

export function benchSinger(to: 'pg' | 'duckdb'): (context: BenchContext) => Promise<BenchOutcome> {
  return async (context) => {
    const { quick, say, folder } = context;
    const all: Input = { file: join(folder, 'messages.jsonl'), records: quick ? QUICK_RECORDS : RECORDS };
    say(`writing ${count(all.records)} messages`);
    await writeMessages(all.file, all.records);
    const pairs: Pair[] = [];
    for (let i = 0; i < context.pairs; i++) {
      say(`pair ${i + 1} of ${context.pairs}`);
      const limit = await parse(all, context);
      const usage = await load(all, to, context);
      const engine = { ...usage, rows: all.records, loaded: all.records, wireBytes: 0, writtenBytes: 0 };
      pairs.push({ limit, engine });
    }
    const outcome = pairedOutcome({
      bench: to === 'pg' ? 'singer-to-pg' : 'singer-to-duckdb',
      quick,
      pairs,
      title: `${count(all.records)} records × 20 fields on standard input, with a key`,
      figures: { rows: all.records },
      moved: all.records,
      limit: { name: 'JSON.parse of each line' },
      verified: all.records,
      compared: (compared) => `${compared} records counted`,
      targets: ({ peakBytes }) =>
        atMost('peak MB', peakBytes === undefined ? undefined : peakBytes / MEGABYTE, PEAK_MB),
    });
    return to === 'pg' ? withReference(outcome, context) : outcome;
  };
}

async function parse({ file, records }: Input, { server, signal }: BenchContext): Promise<Usage> {
  const program = fileURLToPath(new URL('./parse-messages.ts', import.meta.url));
  const found = await measure(
    { program: process.execPath, args: [program], input: file, output: true },
    { server: server.pid, signal },
  );
  if (Number(found.output) !== records) throw new Error(`there were ${found.output} records`);
  return found;
}

async function load(
  { file, records }: Input,
  to: 'pg' | 'duckdb',
  { server, signal, folder }: BenchContext,
): Promise<Usage> {
  const cwd = join(folder, 'target');
  await rm(cwd, { recursive: true, force: true });
  await mkdir(cwd);
  if (to === 'pg') await emptyDatabase(server);
  const into = to === 'pg' ? targetUrl(server) : './target.duckdb';
  const run = await measure(
    { program: process.execPath, args: [COMMAND, 'singer-target', into], cwd, input: file, output: true },
    { server: server.pid, signal },
  );
  const state = `{"bookmarks": {"tenants": {"id": ${records}}}}`;
  if (run.output.trim().split('\n').at(-1) !== state) throw new Error(`the last state is ${run.output}`);
  if (to === 'pg') await expectRows(server, 'public', records);
  return run;
}

async function expectRows(server: BenchContext['server'], schema: string, records: number): Promise<void> {
  const [found] = await server.queryIn<{ n: string }>(TARGET, `SELECT count(*) AS n FROM ${schema}.tenants`);
  if (Number(found?.n) !== records) throw new Error(`${found?.n} rows are there`);
}

/** The same by the usual target in Python, on fewer records. */
async function withReference(outcome: BenchOutcome, context: BenchContext): Promise<BenchOutcome> {
  const { server, folder, quick, signal, say } = context;
  if (!hasProgram(REFERENCE))
    return { ...outcome, text: `${outcome.text}\n  ${REFERENCE} is not here, and was not compared with` };
  const some: Input = { file: join(folder, 'some.jsonl'), records: quick ? 2000 : REFERENCE_RECORDS };
  say(`${count(some.records)} messages into ${REFERENCE}`);
  await writeMessages(some.file, some.records);
  await emptyDatabase(server);
  const { hostname: host, port, pathname } = new URL(targetUrl(server));
  const config = join(folder, 'reference.json');
  const own = { host, port: Number(port), user: 'postgres', password: 'x', database: pathname.slice(1) };
  await writeFile(config, JSON.stringify({ ...own, default_target_schema: 'reference' }));
  const reference = await measure(
    { program: REFERENCE, args: ['--config', config], input: some.file, output: false },
    { server: server.pid, signal },
  );
  await expectRows(server, 'reference', some.records);
  const times = outcome.result.rows / outcome.result.seconds / (some.records / reference.seconds);
  const targets = quick ? [] : atLeast(`times as fast as ${REFERENCE}`, times, TIMES);
  const lines = [
    outcome.text,
    renderLines([{ name: REFERENCE, usage: reference, rows: some.records, wireBytes: undefined }]),
    `  ${times.toFixed(1)} times as fast as ${REFERENCE}`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: lines.join('\n'),
    result: {
      ...outcome.result,
      targets: [...outcome.result.targets, ...targets],
      reference_seconds: round(reference.seconds, 3),
      reference_rows: some.records,
      reference_times: round(times, 1),
    },
  };
}
