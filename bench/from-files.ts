/** Daily CSV files: all of them at first, then one more, and files with records that do not fit. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { utimesSync } from 'node:fs';
import { atMost, type BenchContext, type BenchOutcome, type Target } from './context.ts';
import { COLUMNS, fileName, HEADER, makeFiles } from './tenant-files.ts';
import { createProject, type EngineProject, type EngineRun, postgresAt, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { count, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { median, summarizeUsage } from './statistics.ts';

const FILES = 261;
const ROWS = 40_000;
const PEAK_MB = 300;

interface Measured {
  limit: Usage;
  engine: EngineRun;
}

interface Line {
  name: string;
  limit: string;
  pairs: Measured[];
  rows: number;
  bound: number;
}

interface FilesPlace {
  context: BenchContext;
  folder: string;
  files: number;
  rows: number;
}

async function madeFiles(context: BenchContext): Promise<FilesPlace> {
  const [files, rows] = context.quick ? [6, 500] : [FILES, ROWS];
  const folder = join(context.folder, 'files');
  context.say(`making ${files} files of ${count(rows)} records × 20 columns`);
  await makeFiles({ folder, files, rows });
  return { context, folder, files, rows };
}

function project(
  { context, folder }: FilesPlace,
  name: string,
  target: string | undefined,
  stream: string = '{ files: "tenants_*.csv" }',
): Promise<EngineProject> {
  return createProject(join(context.folder, name), {
    source: `{ type: files, path: ${JSON.stringify(folder)} }`,
    ...(target !== undefined && { target }),
    streams: { tenants: stream },
  });
}

async function load(
  place: FilesPlace,
  made: EngineProject,
  expected: number = place.files * place.rows,
): Promise<EngineRun> {
  const { server, signal } = place.context;
  const run = await runEngine(made, { server: server.pid, signal });
  if (run.loaded !== expected)
    throw new Error(`a run loaded ${count(run.loaded)} rows where ${count(expected)} were expected`);
  return run;
}

/** psql with `\copy`, one file after the other, into a table that is there. */
async function copyAll({ context, folder, files }: FilesPlace): Promise<Usage> {
  const { server, signal } = context;
  await server.query(`DROP TABLE IF EXISTS limit_tenants; CREATE TABLE limit_tenants (${COLUMNS})`);
  const script = join(context.folder, 'copy.sql');
  const lines = Array.from(
    { length: files },
    (_, day) => `\\copy limit_tenants (${HEADER}) from '${join(folder, fileName(day))}' csv header`,
  );
  await writeFile(script, lines.join('\n'));
  const url = `${server.url}?sslmode=disable&gssencmode=disable`;
  const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', url, '-f', script];
  return measure({ program: 'psql', args, output: false }, { server: server.pid, signal });
}

export async function benchFilesToPostgres(context: BenchContext): Promise<BenchOutcome> {
  const place = await madeFiles(context);
  const { server, say } = context;
  const pairs: Measured[] = [];
  for (let i = 0; i < context.pairs; i++) {
    say(`pair ${i + 1} of ${context.pairs}`);
    const limit = await copyAll(place);
    await server.query('DROP TABLE IF EXISTS tenants');
    await server.query('DROP SCHEMA IF EXISTS _sluice CASCADE');
    pairs.push({ limit, engine: await load(place, await project(place, 'project', postgresAt(server.url))) });
  }
  const [same] = await server.query<{ same: boolean }>(
    `SELECT (SELECT (count(*), sum(rent), sum(id), sum(score), count(note), count(city), sum(length(email)), max(updated_at), sum(moved_in - born))::text FROM tenants)
       = (SELECT (count(*), sum(rent), sum(id), sum(score), count(note), count(city), sum(length(email)), max(updated_at), sum(moved_in - born))::text FROM limit_tenants) AS same`,
  );
  if (!same!.same) throw new Error('the rows of psql and of Sluice differ');
  await server.query('DROP TABLE tenants, limit_tenants');
  const rows = place.files * place.rows;
  const line = { name: 'into PostgreSQL', limit: 'psql \\copy', pairs, rows, bound: 1.5 };
  return outcome('files-to-pg', place, [line], 9);
}

export async function benchFilesToLake(context: BenchContext): Promise<BenchOutcome> {
  const place = await madeFiles(context);
  const rows = place.files * place.rows;
  const lines: Line[] = [];
  const program = fileURLToPath(new URL('./duckdb-load.ts', import.meta.url));
  const pattern = join(place.folder, 'tenants_*.csv');
  for (const [name, file, target] of [
    ['into a lake', 'limit.parquet', undefined],
    ['into DuckDB', 'limit.duckdb', '{ type: duckdb, path: ./target.duckdb }'],
  ] as const) {
    const pairs: Measured[] = [];
    for (let i = 0; i < context.pairs; i++) {
      context.say(`${name}, pair ${i + 1} of ${context.pairs}`);
      const args = [program, pattern, join(context.folder, `${i}-${file}`)];
      const measured = { server: context.server.pid, signal: context.signal };
      const limit = await measure({ program: process.execPath, args, output: false }, measured);
      pairs.push({ limit, engine: await load(place, await project(place, 'project', target)) });
    }
    lines.push({ name, limit: 'DuckDB by itself', pairs, rows, bound: 1.2 });
  }
  return outcome('files-to-lake', place, lines, 0);
}

/** One more file when hundreds, or twenty thousand, are loaded. */
export async function benchFilesDaily(context: BenchContext): Promise<BenchOutcome> {
  const place = await madeFiles(context);
  const made = await project(place, 'project', undefined);
  await load(place, made);
  const known = context.quick ? 200 : 20_000;
  const many: FilesPlace = { ...place, folder: join(context.folder, 'many'), files: known, rows: 1 };
  context.say(`making ${count(known)} files of one record`);
  await makeFiles(many);
  const manyMade = await project(many, 'many-project', undefined);
  await load(many, manyMade);
  const daily: EngineRun[] = [];
  const nothing: EngineRun[] = [];
  const manyDaily: EngineRun[] = [];
  for (let i = 0; i < context.pairs; i++) {
    context.say(`one more file, ${i + 1} of ${context.pairs}`);
    for (const each of [place, many]) {
      await makeFiles({ ...each, files: 1 }, each.files + i);
      // Nobody waits for a file that was written long ago.
      const then = Date.now() / 1000 - 60;
      utimesSync(join(each.folder, fileName(each.files + i)), then, then);
    }
    daily.push(await load(place, made, place.rows));
    nothing.push(await load(place, made, 0));
    manyDaily.push(await load(many, manyMade, 1));
  }
  const [one, none, large] = [daily, nothing, manyDaily].map((runs) => summarizeUsage(runs));
  const targets: Target[] = context.quick
    ? []
    : [
        ...atMost(`seconds with one new file beside ${place.files}`, one!.seconds, 1),
        ...atMost('seconds with nothing new', none!.seconds, 0.5),
        ...atMost(`seconds with one new file beside ${count(known)}`, large!.seconds, 2),
      ];
  const line = (name: string, usage: Usage, rows: number): Parameters<typeof renderLines>[0][number] => ({
    name,
    usage,
    rows,
    wireBytes: undefined,
  });
  const text = [
    `files-daily: ${place.files} files of ${count(place.rows)} records are loaded, and ${count(known)} of one record`,
    renderLines([
      line('one more file', one!, place.rows),
      line('nothing new', none!, 0),
      line(`one more beside ${count(known)}`, large!, 1),
    ]),
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: 'files-daily',
      rows: place.rows,
      seconds: round(one!.seconds, 3),
      limit_seconds: round(none!.seconds, 3),
      ratio: round(one!.seconds / none!.seconds, 3),
      peak_rss_mb: peakMb(one!),
      quick: context.quick,
      nothing_new_seconds: round(none!.seconds, 3),
      known_files: known,
      known_files_seconds: round(large!.seconds, 3),
      ...usageFields('', one!),
      verified: 0,
      targets,
    },
  };
}

/** A file with one bad record in a hundred against the same without. */
export async function benchBadRows(context: BenchContext): Promise<BenchOutcome> {
  const rows = context.quick ? 2000 : 1_000_000;
  const types = '{ files: "tenants_*.csv", types: { rent: "decimal(8,2)" }, max_bad: "50 %" }';
  const good: FilesPlace = { context, folder: join(context.folder, 'good'), files: 1, rows };
  const bad: FilesPlace = { ...good, folder: join(context.folder, 'bad') };
  context.say(`making two files of ${count(rows)} records`);
  await makeFiles(good);
  const broken = await makeFiles({ ...bad, broken: 0.01 });
  const { server } = context;
  const pairs: Measured[] = [];
  for (let i = 0; i < context.pairs; i++) {
    context.say(`pair ${i + 1} of ${context.pairs}`);
    const runs: EngineRun[] = [];
    for (const [place, expected] of [
      [good, rows],
      [bad, rows - broken],
    ] as const) {
      await server.query('DROP TABLE IF EXISTS tenants');
      await server.query('DROP SCHEMA IF EXISTS _sluice CASCADE');
      runs.push(await load(place, await project(place, 'project', postgresAt(server.url), types), expected));
    }
    pairs.push({ limit: runs[0]!, engine: runs[1]! });
  }
  await server.query('DROP TABLE tenants');
  const line = { name: '1 % bad, into PostgreSQL', limit: 'none bad', pairs, rows, bound: 1.3 };
  return outcome('bad-rows', good, [line], 0);
}

function outcome(bench: string, place: FilesPlace, lines: Line[], verified: number): BenchOutcome {
  const { context, files, rows } = place;
  const found = lines.map((line) => {
    const ratios = line.pairs.map(({ engine, limit }) => engine.seconds / limit.seconds);
    return {
      ...line,
      engine: summarizeUsage(line.pairs.map((pair) => pair.engine)),
      against: summarizeUsage(line.pairs.map((pair) => pair.limit)),
      ratios,
      ratio: median(ratios),
    };
  });
  const targets = context.quick
    ? []
    : found.flatMap(({ name, ratio, bound, engine }) => [
        ...atMost(`${name}: ratio to the limit`, ratio, bound),
        ...atMost(`${name}: peak MB`, peakMb(engine) ?? undefined, PEAK_MB),
      ]);
  const text = [
    `${bench}: ${files} files of ${count(rows)} records × 20 columns`,
    renderLines(
      found.flatMap(({ name, limit, engine, against, rows: all }) => [
        { name, usage: engine, rows: all, wireBytes: undefined },
        { name: `limit: ${limit}`, usage: against, rows: all, wireBytes: undefined },
      ]),
    ),
    ...found.map(
      ({ name, ratio, ratios }) =>
        `  ${name}: ${ratio.toFixed(2)} × the limit (pairs: ${ratios.map((each) => each.toFixed(2)).join(' ')})`,
    ),
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  const [first] = found;
  return {
    text: text.join('\n'),
    result: {
      bench,
      rows: first!.rows,
      seconds: round(first!.engine.seconds, 3),
      limit_seconds: round(first!.against.seconds, 3),
      ratio: round(first!.ratio, 3),
      peak_rss_mb: peakMb(first!.engine),
      quick: context.quick,
      files,
      lines: found.map(({ name, engine, against, ratio }) => ({
        name,
        seconds: round(engine.seconds, 3),
        limit_seconds: round(against.seconds, 3),
        ratio: round(ratio, 3),
        peak_rss_mb: peakMb(engine),
      })),
      verified,
      targets,
    },
  };
}
