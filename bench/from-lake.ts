/** A table of a lake into an empty database, against DuckDB, which reads the same files, and psql. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BenchContext, type BenchOutcome, rowsFor } from './context.ts';
import { createProject, postgresAt, type EngineRun, runEngine } from './engine.ts';
import { type Command, measure, type Usage } from './measure.ts';
import { boundsOf, type Pair, pairedOutcome } from './paired.ts';
import { count, MEGABYTE } from './report.ts';
import { makeTable } from './server.ts';
import { LINEITEM as shape } from './tables.ts';
import { compareTables, emptyDatabase, PLAIN, TARGET, targetUrl } from './to-postgres.ts';

const ROWS = 3_000_000;
const READER = fileURLToPath(new URL('./lake-csv.ts', import.meta.url));
const TARGETS = { ratio: 1.5, peakMb: 300 };

export async function benchFromLake(context: BenchContext): Promise<BenchOutcome> {
  const { server, signal, say, folder } = context;
  const rows = rowsFor(context, shape, ROWS);
  say(`making ${shape.name}: ${count(rows)} rows × ${shape.columns.length} columns, and a lake of it`);
  await makeTable(server, shape, rows, signal);
  const streams = { [`public.${shape.name}`]: '{ load: replace }' };
  const filled = await createProject(join(folder, 'fill'), { source: postgresAt(server.url), streams });
  await runEngine(filled, { server: server.pid, signal });
  const pairs: Pair[] = [];
  if (!context.quick) {
    say('warming up');
    await runLimit(context, filled.lake);
  }
  for (let i = 0; i < context.pairs; i++) {
    say(`pair ${i + 1} of ${context.pairs}`);
    pairs.push({ limit: await runLimit(context, filled.lake), engine: await runOurs(context, filled.lake) });
  }
  say('comparing the tables');
  const verified = await compareTables(server, shape);
  await server.query(`DROP TABLE ${shape.name}`);
  const { wireBytes, rows: loaded } = pairs[0]!.engine;
  return pairedOutcome({
    bench: 'lake-to-pg',
    quick: context.quick,
    pairs,
    title: `${count(loaded)} rows, ${Math.round(wireBytes / MEGABYTE)} MB in batches`,
    figures: { rows: loaded },
    moved: loaded,
    wireBytes,
    limit: { name: 'DuckDB | psql', wireBytes },
    verified,
    compared: (compared) => `${compared} rows of both sides compared, all equal`,
    targets: boundsOf(TARGETS),
  });
}

async function runLimit({ server, signal }: BenchContext, lake: string): Promise<Usage> {
  await emptyDatabase(server);
  const columns = shape.columns.map(({ name, type }) => `${name} ${type}`);
  await server.queryIn(TARGET, `CREATE TABLE ${shape.name} (${columns.join(', ')})`);
  const list = shape.columns.map(({ name }) => name).join(', ');
  const script = `'${process.execPath}' '${READER}' '${lake}/${shape.name}' '${list}' | psql -X -q -d '${targetUrl(server)}${PLAIN}' -c "COPY ${shape.name} FROM STDIN (FORMAT csv)"`;
  const command: Command = {
    program: 'bash',
    args: ['-c', `set -o pipefail; ${script}`],
    output: false,
  };
  return measure(command, { server: server.pid, signal });
}

async function runOurs({ server, signal, folder }: BenchContext, lake: string): Promise<EngineRun> {
  await emptyDatabase(server);
  const project = await createProject(join(folder, 'project'), {
    source: `{ type: lake, path: "${lake}" }`,
    target: postgresAt(targetUrl(server)),
    streams: { [shape.name]: '{ load: replace }' },
  });
  return runEngine(project, { server: server.pid, signal });
}
