/** A whole table into an empty database, against the same rows from psql to psql. */
import { join } from 'node:path';
import { atMost, type BenchContext, type BenchOutcome } from './context.ts';
import { createProject, type EngineRun, runEngine } from './engine.ts';
import { type Command, measure, type Usage } from './measure.ts';
import { count, MEGABYTE, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { makeTable } from './server.ts';
import { median, summarizeUsage } from './statistics.ts';
import type { TableShape } from './tables.ts';

export interface ToPostgres {
  name: string;
  shape: TableShape;
  rows: number;
  quickRows: number;
  targets: { ratio: number; peakMb: number };
}

const TARGET = 'bench_target';

export async function benchToPostgres(bench: ToPostgres, context: BenchContext): Promise<BenchOutcome> {
  const { shape } = bench;
  const { server, folder, quick, say, signal } = context;
  const rows = quick ? bench.quickRows : bench.rows;
  say(`making ${shape.name}: ${count(rows)} rows × ${shape.columns.length} columns`);
  await makeTable(server, shape, rows, signal);
  const target = new URL(server.url);
  target.pathname = `/${TARGET}`;
  const create = `CREATE TABLE ${shape.name} (${shape.columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`;
  const runLimit = async (): Promise<Usage> => {
    await emptyDatabase(context);
    await context.server.queryIn(TARGET, create);
    return measure(pipe(server.url, target.href, shape.name), { server: server.pid, signal });
  };
  const runOurs = async (): Promise<EngineRun> => {
    await emptyDatabase(context);
    const project = await createProject(
      join(folder, 'project'),
      server.url,
      { [shape.name]: '{ load: replace }' },
      `{ type: postgres, url: "${target.href}" }`,
    );
    return runEngine(project, { server: server.pid, signal });
  };
  say('warming up');
  await runLimit();
  const pairs: { limit: Usage; engine: EngineRun }[] = [];
  for (let i = 0; i < context.pairs; i++) {
    say(`pair ${i + 1} of ${context.pairs}`);
    pairs.push({ limit: await runLimit(), engine: await runOurs() });
  }
  say('comparing the two tables');
  const verified = await compare(context, shape);
  await server.query(`DROP TABLE ${shape.name}`);
  return outcome(bench, context, { rows, pairs, verified });
}

async function emptyDatabase({ server }: BenchContext): Promise<void> {
  await server.query(`DROP DATABASE IF EXISTS ${TARGET}`);
  await server.query(`CREATE DATABASE ${TARGET}`);
  // What was thrown away is written out now, not while somebody is measured.
  await server.query('CHECKPOINT');
}

/** From one psql to another. */
function pipe(from: string, to: string, table: string): Command {
  const psql = (url: string, sql: string): string =>
    `psql -X -q -d '${url}?sslmode=disable&gssencmode=disable' -c "${sql}"`;
  const script = `set -o pipefail; ${psql(from, `COPY ${table} TO STDOUT (FORMAT binary)`)} | ${psql(to, `COPY ${table} FROM STDIN (FORMAT binary)`)}`;
  return { program: 'bash', args: ['-c', script], output: false };
}

/** Rows as text, added up by their hashes. */
async function compare({ server }: BenchContext, { name, columns }: TableShape): Promise<number> {
  const list = columns.map((column) => column.name).join(', ');
  const sql = `SELECT count(*)::text AS rows, sum(('x' || substr(md5(ROW(${list})::text), 1, 8))::bit(32)::int8)::text AS sum FROM ${name}`;
  const [source] = await server.query<Record<string, string>>(sql);
  const [target] = await server.queryIn<Record<string, string>>(TARGET, sql);
  if (JSON.stringify(source) !== JSON.stringify(target))
    throw new Error(`the tables differ: ${JSON.stringify(source)} and ${JSON.stringify(target)}`);
  return Number(source!['rows']);
}

function outcome(
  bench: ToPostgres,
  context: BenchContext,
  { rows, pairs, verified }: { rows: number; pairs: { limit: Usage; engine: EngineRun }[]; verified: number },
): BenchOutcome {
  const engine = summarizeUsage(pairs.map((pair) => pair.engine));
  const limit = summarizeUsage(pairs.map((pair) => pair.limit));
  const ratios = pairs.map((pair) => pair.engine.seconds / pair.limit.seconds);
  const ratio = median(ratios);
  const { wireBytes } = pairs[0]!.engine;
  const targets = context.quick
    ? []
    : [
        ...atMost('ratio', ratio, bench.targets.ratio),
        ...atMost(
          'peak MB',
          engine.peakBytes === undefined ? undefined : engine.peakBytes / MEGABYTE,
          bench.targets.peakMb,
        ),
      ];
  const text = [
    `${bench.name}: ${count(rows)} rows × ${bench.shape.columns.length} columns, ${Math.round(wireBytes / MEGABYTE)} MB on the wire`,
    renderLines([
      { name: 'sluice', usage: engine, rows, wireBytes },
      { name: 'limit: psql | psql', usage: limit, rows, wireBytes },
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
