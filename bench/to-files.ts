/** A table of PostgreSQL as a file of CSV, against psql with `\copy`. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { atMost, type BenchContext, type BenchOutcome, rowsFor } from './context.ts';
import { createProject, type EngineRun, postgresAt, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { count, MEGABYTE, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { makeTable } from './server.ts';
import { median, summarizeUsage } from './statistics.ts';
import { LINEITEM as shape } from './tables.ts';
import { compareTables, emptyDatabase, PLAIN, TARGET, targetUrl } from './to-postgres.ts';

const ROWS = 3_000_000;
const TARGETS = { ratio: 1.5, peakMb: 300 };
const FILE = `${shape.name}.csv`;

interface Pair {
  limit: Usage;
  engine: EngineRun;
}

export async function benchExport(context: BenchContext): Promise<BenchOutcome> {
  const { server, signal, say, folder } = context;
  const rows = rowsFor(context, shape, ROWS);
  say(`making ${shape.name}: ${count(rows)} rows × ${shape.columns.length} columns`);
  await makeTable(server, shape, rows, signal);
  const project = await createProject(join(folder, 'project'), {
    source: postgresAt(server.url),
    target: '{ type: files, path: ./out }',
    streams: { [`public.${shape.name}`]: `{ export: ${FILE} }` },
  });
  const out = join(project.folder, 'out');
  const pairs: Pair[] = [];
  for (let i = 0; i < context.pairs; i++) {
    say(`pair ${i + 1} of ${context.pairs}`);
    const limit = await copy(
      context,
      `\\copy ${shape.name} to '${join(folder, FILE)}' with (format csv, header)`,
    );
    await rm(join(folder, FILE));
    await rm(out, { recursive: true, force: true });
    pairs.push({ limit, engine: await runEngine(project, { server: server.pid, signal }) });
  }
  const left = await readdir(out);
  if (left.join() !== FILE) throw new Error(`there is more than the file: ${left.join(', ')}`);
  say('loading the file and comparing the tables');
  await emptyDatabase(server);
  const columns = shape.columns.map(({ name, type }) => `${name} ${type}`);
  await server.queryIn(TARGET, `CREATE TABLE ${shape.name} (${columns.join(', ')})`);
  const back = `\\copy ${shape.name} from '${join(out, FILE)}' with (format csv, header)`;
  await copy(context, back, targetUrl(server));
  const verified = await compareTables(server, shape);
  await server.query(`DROP TABLE ${shape.name}`);
  return outcome(context, pairs, verified);
}

function copy({ server, signal }: BenchContext, statement: string, url: string = server.url): Promise<Usage> {
  const args = ['-X', '-q', '-d', `${url}${PLAIN}`, '-c', statement];
  return measure({ program: 'psql', args, output: false }, { server: server.pid, signal });
}

function outcome({ quick }: BenchContext, pairs: readonly Pair[], verified: number): BenchOutcome {
  const engine = summarizeUsage(pairs.map((pair) => pair.engine));
  const limit = summarizeUsage(pairs.map((pair) => pair.limit));
  const ratios = pairs.map((pair) => pair.engine.seconds / pair.limit.seconds);
  const ratio = median(ratios);
  const { rows, wireBytes, writtenBytes } = pairs[0]!.engine;
  const peak = engine.peakBytes === undefined ? undefined : engine.peakBytes / MEGABYTE;
  const targets = quick
    ? []
    : [...atMost('ratio', ratio, TARGETS.ratio), ...atMost('peak MB', peak, TARGETS.peakMb)];
  const text = [
    `export: ${count(rows)} rows × ${shape.columns.length} columns, ${count(writtenBytes / MEGABYTE)} MB of CSV`,
    renderLines([
      { name: 'sluice', usage: engine, rows, wireBytes },
      { name: 'limit: psql \\copy', usage: limit, rows, wireBytes: undefined },
    ]),
    `  ${ratio.toFixed(2)} × the limit (pairs: ${ratios.map((each) => each.toFixed(2)).join(' ')})`,
    `  the file was loaded by psql, and ${count(verified)} rows compared, all equal`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: 'export',
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
