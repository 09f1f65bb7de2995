/** A dump into an empty PostgreSQL, against psql, which executes it. */
import { appendFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchContext, type BenchOutcome } from './context.ts';
import { createProject, type EngineRun, postgresAt, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { boundsOf, type Pair, pairedOutcome } from './paired.ts';
import { count, MEGABYTE } from './report.ts';
import { makeTable } from './server.ts';
import { LINEITEM } from './tables.ts';
import { compareTables, emptyDatabase, PLAIN, targetUrl } from './to-postgres.ts';

/** About 2 GB of text. */
const ROWS = 15_000_000;
const QUICK_ROWS = 200_000;
const TARGETS = { ratio: 1.5, peakMb: 300 };
const { name: TABLE, columns: COLUMNS } = LINEITEM;

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
  const { rows: loaded, wireBytes } = pairs[0]!.engine;
  return pairedOutcome({
    bench: 'sql-dump',
    quick: context.quick,
    pairs,
    title: `${count(size / MEGABYTE)} MB, ${count(loaded)} rows × ${COLUMNS.length} columns`,
    figures: { rows: loaded },
    moved: loaded,
    wireBytes,
    limit: { name: 'psql -f' },
    verified,
    compared: (compared) => `${compared} rows of both tables compared, all equal`,
    targets: boundsOf(TARGETS),
  });
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
