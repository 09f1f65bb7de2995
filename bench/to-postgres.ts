/** Tables into an empty database, against the same rows by PostgreSQL's own programs. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres } from '../src/testing/postgres-server.ts';
import { atMost, type BenchContext, type BenchOutcome, rowsFor } from './context.ts';
import { createProject, postgresAt, type EngineRun, runEngine } from './engine.ts';
import { type Command, measure, type Usage } from './measure.ts';
import { count, MEGABYTE, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { type BenchServer, makeTable, openServer } from './server.ts';
import { median, summarizeUsage } from './statistics.ts';
import type { TableShape } from './tables.ts';

export interface ToPostgres {
  name: string;
  tables: readonly { shape: TableShape; rows: number }[];
  /** `copy`: psql to psql, each table as one binary COPY; `dump`: pg_dump to psql, with keys and indexes. */
  limit: 'copy' | 'dump';
  /** Options of each stream in YAML's flow form, and of the command; whole tables when absent. */
  stream?: string;
  args?: readonly string[];
  targets: { ratio: number; peakMb: number };
}

export const TARGET = 'bench_target';
/** Without encryption, for a URL. */
export const PLAIN = '?sslmode=disable&gssencmode=disable';

interface Pair {
  limit: Usage;
  engine: EngineRun;
}

export async function benchToPostgres(bench: ToPostgres, context: BenchContext): Promise<BenchOutcome> {
  await using server = await serverFor(bench, context);
  const tables = bench.tables.map(({ shape, rows }) => ({
    shape,
    rows: rowsFor(context, shape, rows),
  }));
  for (const { shape, rows } of tables) {
    context.say(`making ${shape.name}: ${count(rows)} rows × ${shape.columns.length} columns`);
    await makeTable(server, shape, rows, context.signal);
  }
  const run = { bench, context, server };
  if (!context.quick) {
    context.say('warming up');
    await runLimit(run);
  }
  const pairs: Pair[] = [];
  for (let i = 0; i < context.pairs; i++) {
    context.say(`pair ${i + 1} of ${context.pairs}`);
    pairs.push({ limit: await runLimit(run), engine: await runOurs(run) });
  }
  context.say('comparing the tables');
  let verified = 0;
  for (const { shape } of tables) verified += await compareTables(server, shape);
  for (const { shape } of tables) await server.query(`DROP TABLE ${shape.name}`);
  return outcome(run, pairs, verified);
}

interface Bench {
  bench: ToPostgres;
  context: BenchContext;
  server: BenchServer;
}

/** pg_dump refuses servers that are newer than itself: then the installed one is measured for both. */
async function serverFor({ limit }: ToPostgres, { server, signal }: BenchContext): Promise<BenchServer> {
  const shared = { ...server, [Symbol.asyncDispose]: async () => {} };
  if (limit === 'copy') return shared;
  const run = promisify(execFile);
  const { stdout: version } = await run('pg_dump', ['--version']);
  if (Number(/\d+/.exec(version)![0]) >= Number.parseInt(server.version)) return shared;
  const { stdout: binaries } = await run('pg_config', ['--bindir']);
  return openServer((settings) => startPostgres({ settings, binaries: binaries.trim() }), signal);
}

export function targetUrl(server: BenchServer): string {
  const url = new URL(server.url);
  url.pathname = `/${TARGET}`;
  return url.href;
}

export async function emptyDatabase(server: BenchServer): Promise<void> {
  await server.query(`DROP DATABASE IF EXISTS ${TARGET}`);
  await server.query(`CREATE DATABASE ${TARGET}`);
  // What was thrown away is written out now, not while somebody is measured.
  await server.query('CHECKPOINT');
}

async function runLimit({ bench, context, server }: Bench): Promise<Usage> {
  await emptyDatabase(server);
  const [from, to] = [server.url, targetUrl(server)].map((url) => `${url}${PLAIN}`);
  if (bench.limit === 'copy') {
    for (const { shape } of bench.tables)
      await server.queryIn(
        TARGET,
        `CREATE TABLE ${shape.name} (${shape.columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`,
      );
  }
  const copies = bench.tables.map(
    ({ shape: { name } }) =>
      `psql -X -q -d '${from}' -c "COPY ${name} TO STDOUT (FORMAT binary)" | psql -X -q -d '${to}' -c "COPY ${name} FROM STDIN (FORMAT binary)"`,
  );
  const script =
    bench.limit === 'copy' ? copies.join(' && ') : `pg_dump -d '${from}' | psql -X -q -d '${to}' >/dev/null`;
  const command: Command = { program: 'bash', args: ['-c', `set -o pipefail; ${script}`], output: false };
  return measure(command, { server: server.pid, signal: context.signal });
}

async function runOurs({ bench, context, server }: Bench): Promise<EngineRun> {
  await emptyDatabase(server);
  const streams = Object.fromEntries(
    bench.tables.map(({ shape }) => [`public.${shape.name}`, bench.stream ?? '{ load: replace }']),
  );
  const project = await createProject(join(context.folder, 'project'), {
    source: postgresAt(server.url),
    target: postgresAt(targetUrl(server)),
    streams,
  });
  return runEngine(project, { server: server.pid, signal: context.signal }, [
    '--workers',
    '2',
    ...(bench.args ?? []),
  ]);
}

/** Rows as text, added up by their hashes. */
export async function compareTables(server: BenchServer, { name, columns }: TableShape): Promise<number> {
  const list = columns.map((column) => column.name).join(', ');
  const sql = `SELECT count(*)::text AS rows, sum(('x' || substr(md5(ROW(${list})::text), 1, 8))::bit(32)::int8)::text AS sum FROM ${name}`;
  const [source] = await server.query<Record<string, string>>(sql);
  const [target] = await server.queryIn<Record<string, string>>(TARGET, sql);
  if (JSON.stringify(source) !== JSON.stringify(target))
    throw new Error(`${name} differs: ${JSON.stringify(source)} and ${JSON.stringify(target)}`);
  return Number(source!['rows']);
}

function outcome({ bench, context }: Bench, pairs: readonly Pair[], verified: number): BenchOutcome {
  const engine = summarizeUsage(pairs.map((pair) => pair.engine));
  const limit = summarizeUsage(pairs.map((pair) => pair.limit));
  const ratios = pairs.map((pair) => pair.engine.seconds / pair.limit.seconds);
  const ratio = median(ratios);
  const { wireBytes, rows } = pairs[0]!.engine;
  const peak = engine.peakBytes === undefined ? undefined : engine.peakBytes / MEGABYTE;
  const targets = context.quick
    ? []
    : [...atMost('ratio', ratio, bench.targets.ratio), ...atMost('peak MB', peak, bench.targets.peakMb)];
  const text = [
    `${bench.name}: ${count(rows)} rows of ${bench.tables.length} tables, ${Math.round(wireBytes / MEGABYTE)} MB on the wire`,
    renderLines([
      { name: 'sluice', usage: engine, rows, wireBytes },
      {
        name: `limit: ${bench.limit === 'copy' ? 'psql | psql' : 'pg_dump | psql'}`,
        usage: limit,
        rows,
        wireBytes,
      },
    ]),
    `  ${ratio.toFixed(2)} × the limit (pairs: ${ratios.map((each) => each.toFixed(2)).join(' ')})`,
    `  ${count(verified)} rows of both sides compared, all equal`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: bench.name,
      rows,
      seconds: round(engine.seconds, 3),
      limit_seconds: round(limit.seconds, 3),
      ratio: round(ratio, 3),
      peak_rss_mb: peakMb(engine),
      quick: context.quick,
      verified,
      targets,
      ...usageFields('', engine),
    },
  };
}
