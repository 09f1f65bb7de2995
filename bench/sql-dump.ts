/** A dump into an empty PostgreSQL, against psql, which executes it. */
import { appendFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { atMost, type BenchContext, type BenchOutcome } from './context.ts';
import { createProject, type EngineRun, postgresAt, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { count, MEGABYTE, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { makeTable } from './server.ts';
import { median, summarizeUsage } from './statistics.ts';
import { LINEITEM } from './tables.ts';
import { compareTables, emptyDatabase, PLAIN, targetUrl } from './to-postgres.ts';

/** About 2 GB of text. */
const ROWS = 15_000_000;
const QUICK_ROWS = 200_000;
const TARGETS = { ratio: 1.5, peakMb: 300 };
const { name: TABLE, columns: COLUMNS } = LINEITEM;

interface Pair {
  limit: Usage;
  engine: EngineRun;
}

export async function benchSqlDump(context: BenchContext): Promise<BenchOutcome> {
  const { server, quick, say, signal } = context;
  const rows = quick ? QUICK_ROWS : ROWS;
  say(`making ${TABLE}: ${count(rows)} rows × ${COLUMNS.length} columns`);
  await makeTable(server, LINEITEM, rows, signal);
  const file = join(context.folder, 'bench.sql');
  say('writing the dump');
  await writeDump(context, file);
  const { size } = await stat(file);
  const pairs: Pair[] = [];
  for (let i = 0; i < context.pairs; i++) {
    say(`pair ${i + 1} of ${context.pairs}`);
    pairs.push({ limit: await execute(context, file), engine: await load(context, file) });
  }
  say('comparing the tables');
  const verified = await compareTables(server, LINEITEM);
  await server.query(`DROP TABLE ${TABLE}`);
  await rm(file);
  return outcome(context, pairs, { verified, size });
}

/** As pg_dump writes it; that of the machine may be older than the server, and refuse. */
async function writeDump(context: BenchContext, file: string): Promise<void> {
  const { server } = context;
  const list = COLUMNS.map(({ name, type }) => `    ${name} ${type}`).join(',\n');
  const names = COLUMNS.map(({ name }) => name).join(', ');
  await writeFile(
    file,
    `--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n` +
      `CREATE TABLE public.${TABLE} (\n${list}\n);\n\nCOPY public.${TABLE} (${names}) FROM stdin;\n`,
  );
  await bash(context, `psql -X -q -d '${server.url}${PLAIN}' -c 'COPY ${TABLE} TO STDOUT' >> '${file}'`);
  await appendFile(file, '\\.\n\n--\n-- PostgreSQL database dump complete\n--\n');
}

async function execute(context: BenchContext, file: string): Promise<Usage> {
  await emptyDatabase(context.server);
  return bash(
    context,
    `psql -X -q -v ON_ERROR_STOP=1 -d '${targetUrl(context.server)}${PLAIN}' -f '${file}'`,
  );
}

async function load({ server, folder, signal }: BenchContext, file: string): Promise<EngineRun> {
  await emptyDatabase(server);
  const project = await createProject(join(folder, 'project'), {
    source: `{ type: dump, path: "${file}" }`,
    target: postgresAt(targetUrl(server)),
    streams: { [`public.${TABLE}`]: '{}' },
  });
  return runEngine(project, { server: server.pid, signal }, ['--workers', '2']);
}

function bash({ server, signal }: BenchContext, script: string): Promise<Usage> {
  return measure({ program: 'bash', args: ['-c', script], output: false }, { server: server.pid, signal });
}

function outcome(
  { quick }: BenchContext,
  pairs: readonly Pair[],
  { verified, size }: { verified: number; size: number },
): BenchOutcome {
  const engine = summarizeUsage(pairs.map((pair) => pair.engine));
  const limit = summarizeUsage(pairs.map((pair) => pair.limit));
  const ratios = pairs.map((pair) => pair.engine.seconds / pair.limit.seconds);
  const ratio = median(ratios);
  const { rows, wireBytes } = pairs[0]!.engine;
  const peak = engine.peakBytes === undefined ? undefined : engine.peakBytes / MEGABYTE;
  const targets = quick
    ? []
    : [...atMost('ratio', ratio, TARGETS.ratio), ...atMost('peak MB', peak, TARGETS.peakMb)];
  const text = [
    `sql-dump: ${count(size / MEGABYTE)} MB, ${count(rows)} rows × ${COLUMNS.length} columns`,
    renderLines([
      { name: 'sluice', usage: engine, rows, wireBytes },
      { name: 'limit: psql -f', usage: limit, rows, wireBytes: undefined },
    ]),
    `  ${ratio.toFixed(2)} × the limit (pairs: ${ratios.map((each) => each.toFixed(2)).join(' ')})`,
    `  ${count(verified)} rows of both tables compared, all equal`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: 'sql-dump',
      rows,
      seconds: round(engine.seconds, 3),
      limit_seconds: round(limit.seconds, 3),
      ratio: round(ratio, 3),
      peak_rss_mb: peakMb(engine),
      quick,
      verified,
      targets,
      ...usageFields('', engine),
    },
  };
}
