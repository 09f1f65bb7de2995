/** A table of PostgreSQL as a file of CSV, against psql with `\copy`. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchContext, type BenchOutcome, rowsFor } from './context.ts';
import { createProject, postgresAt, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { boundsOf, type Pair, pairedOutcome } from './paired.ts';
import { count, MEGABYTE } from './report.ts';
import { makeTable } from './server.ts';
import { LINEITEM as shape } from './tables.ts';
import { compareTables, emptyDatabase, PLAIN, TARGET, targetUrl } from './to-postgres.ts';

const ROWS = 3_000_000;
const TARGETS = { ratio: 1.5, peakMb: 300 };
const FILE = `${shape.name}.csv`;

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
  const { rows: loaded, wireBytes, writtenBytes } = pairs[0]!.engine;
  return pairedOutcome({
    bench: 'export',
    quick: context.quick,
    pairs,
    title: `${count(loaded)} rows × ${shape.columns.length} columns, ${count(writtenBytes / MEGABYTE)} MB of CSV`,
    figures: { rows: loaded },
    moved: loaded,
    wireBytes,
    limit: { name: 'psql \\copy' },
    verified,
    compared: (compared) => `the file was loaded by psql, and ${compared} rows compared, all equal`,
    targets: boundsOf(TARGETS),
  });
}

function copy({ server, signal }: BenchContext, statement: string, url: string = server.url): Promise<Usage> {
  const args = ['-X', '-q', '-d', `${url}${PLAIN}`, '-c', statement];
  return measure({ program: 'psql', args, output: false }, { server: server.pid, signal });
}
