/** As many rows again into a table with four indexes: taken away and made again, against the same load with the indexes on. */
import { join } from 'node:path';
import { atMost, type BenchContext, type BenchOutcome } from './context.ts';
import { createProject, postgresAt, type EngineRun, runEngine } from './engine.ts';
import { expectLoaded } from './incremental.ts';
import { count, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { makeTable } from './server.ts';
import { median, summarizeUsage } from './statistics.ts';
import { EVENTS, type TableShape } from './tables.ts';
import { compareTables, emptyDatabase, targetUrl } from './to-postgres.ts';

const ROWS = 2_000_000;
/** As few as indexes are taken away for. */
const QUICK_ROWS = 200_000;
const RATIO = 0.8;
/** What the target is before each run. */
const BEFORE = 'bench_before';

const SHAPE: TableShape = {
  ...EVENTS,
  after: [
    'ALTER TABLE events ADD PRIMARY KEY (id)',
    ...['customer_id', 'note', 'amount, status', 'created_at'].map(
      (list) => `CREATE INDEX ON events (${list})`,
    ),
  ],
};

interface Pair {
  on: EngineRun;
  off: EngineRun;
}

export async function benchIndexes(context: BenchContext): Promise<BenchOutcome> {
  const { server, quick, say, signal } = context;
  const rows = quick ? QUICK_ROWS : ROWS;
  say(`making ${SHAPE.name}: ${count(rows)} rows × ${SHAPE.columns.length} columns, with indexes`);
  await makeTable(server, SHAPE, rows, signal);
  await emptyDatabase(server);
  const project = await createProject(join(context.folder, 'project'), {
    source: postgresAt(server.url),
    target: postgresAt(targetUrl(server)),
    streams: { [`public.${SHAPE.name}`]: '{ load: merge, cursor: id }' },
  });
  const run = async (args: readonly string[]): Promise<EngineRun> =>
    expectLoaded(await runEngine(project, { server: server.pid, signal }, args), rows);
  say('first load, and as many rows again');
  await run([]);
  const target = new URL(targetUrl(server)).pathname.slice(1);
  await server.query(`DROP DATABASE IF EXISTS ${BEFORE}`);
  await server.query(`CREATE DATABASE ${BEFORE} TEMPLATE ${target}`);
  const values = SHAPE.columns.map((column) => column.value).join(', ');
  await server.query(
    `INSERT INTO ${SHAPE.name} SELECT ${values} FROM generate_series(${rows + 1}, ${rows * 2}) AS i`,
  );
  await server.query(`VACUUM (FREEZE, ANALYZE) ${SHAPE.name}`);
  const again = async (args: readonly string[]): Promise<EngineRun> => {
    await server.query(`DROP DATABASE ${target}`);
    await server.query(`CREATE DATABASE ${target} TEMPLATE ${BEFORE}`);
    await server.query('CHECKPOINT');
    return run(args);
  };
  const pairs: Pair[] = [];
  for (let i = 0; i < context.pairs; i++) {
    say(`pair ${i + 1} of ${context.pairs}`);
    pairs.push({ on: await again(['--keep-indexes']), off: await again([]) });
  }
  const verified = await compareTables(server, SHAPE);
  const [indexes] = await server.queryIn<{ n: string }>(
    target,
    `SELECT count(*)::text AS n FROM pg_indexes WHERE tablename = '${SHAPE.name}'`,
  );
  if (Number(indexes!.n) !== SHAPE.after.length) throw new Error(`the table has ${indexes!.n} indexes`);
  await server.query(`DROP TABLE ${SHAPE.name}`);
  return outcome(context, { rows, pairs, verified });
}

function outcome(
  { quick }: BenchContext,
  { rows, pairs, verified }: { rows: number; pairs: readonly Pair[]; verified: number },
): BenchOutcome {
  const off = summarizeUsage(pairs.map((pair) => pair.off));
  const on = summarizeUsage(pairs.map((pair) => pair.on));
  const ratios = pairs.map((pair) => pair.off.seconds / pair.on.seconds);
  const ratio = median(ratios);
  const targets = quick ? [] : atMost('ratio', ratio, RATIO);
  const text = [
    `indexes: ${count(rows)} rows merged into ${count(rows)} with ${SHAPE.after.length - 1} indexes and a key`,
    renderLines([
      { name: 'sluice', usage: off, rows, wireBytes: undefined },
      { name: 'sluice --keep-indexes', usage: on, rows, wireBytes: undefined },
    ]),
    `  ${ratio.toFixed(2)} × the time with the indexes on (pairs: ${ratios.map((each) => each.toFixed(2)).join(' ')})`,
    `  ${count(verified)} rows of both sides compared, all equal`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: 'indexes',
      rows,
      seconds: round(off.seconds, 3),
      limit_seconds: round(on.seconds, 3),
      ratio: round(ratio, 3),
      peak_rss_mb: peakMb(off),
      quick,
      verified,
      targets,
      ...usageFields('', off),
    },
  };
}
