/** Sluice as a user starts it: the built command, in a project folder with a `sluice.yaml`. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure, type MeasureContext, type Usage } from './measure.ts';

const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const LAKE = 'lake';

export interface EngineProject {
  folder: string;
  lake: string;
}

/** What a run did, from its own report. */
export interface EngineRun extends Usage {
  /** Rows read. */
  rows: number;
  /** Rows that are in the lake now and were not before. */
  loaded: number;
  /** Bytes of COPY data. */
  wireBytes: number;
  /** Bytes of new Parquet files. */
  writtenBytes: number;
}

/**
 * An empty project; what was in the folder is gone. Options of the stream, and the connection that is written to, are in YAML's
 * flow form; all else is default.
 */
export async function createProject(
  folder: string,
  url: string,
  streams: Record<string, string>,
  target: string = `{ type: lake, path: ./${LAKE} }`,
): Promise<EngineProject> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const yaml = [
    'connections:',
    `  source: { type: postgres, url: "${url}" }`,
    `  target: ${target}`,
    'pipelines:',
    '  bench:',
    '    from: source',
    '    to: target',
    '    streams:',
    ...Object.entries(streams).map(([table, options]) => `      public.${table}: ${options}`),
    '',
  ];
  await writeFile(join(folder, 'sluice.yaml'), yaml.join('\n'));
  return { folder, lake: join(folder, LAKE) };
}

interface Report {
  status: string;
  streams: { totals: { rows: number; bytes: number; loaded: number; written: number } }[];
}

export async function runEngine(
  project: EngineProject,
  context: MeasureContext,
  args: readonly string[] = [],
): Promise<EngineRun> {
  const { output, ...usage } = await measure(
    {
      program: process.execPath,
      args: [COMMAND, 'run', '--json', ...args],
      cwd: project.folder,
      output: true,
    },
    context,
  );
  const report = JSON.parse(output.trim().split('\n').at(-1) ?? '') as Report;
  if (report.status !== 'succeeded') throw new Error(`the run did not succeed: ${output}`);
  const sum = (what: 'rows' | 'bytes' | 'loaded' | 'written'): number =>
    report.streams.reduce((total, { totals }) => total + totals[what], 0);
  return {
    ...usage,
    rows: sum('rows'),
    loaded: sum('loaded'),
    wireBytes: sum('bytes'),
    writtenBytes: sum('written'),
  };
}
