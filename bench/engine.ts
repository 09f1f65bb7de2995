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

export interface BenchProject {
  /** Connections in YAML's flow form. */
  source: string;
  target?: string;
  /** Options of each stream in the same form; all else is default. */
  streams: Record<string, string>;
}

/** A connection to a PostgreSQL, in YAML. */
export function postgresAt(url: string): string {
  return `{ type: postgres, url: "${url}" }`;
}

/** An empty project, into a lake unless a target is named; what was in the folder is gone. */
export async function createProject(
  folder: string,
  { source, target = `{ type: lake, path: ./${LAKE} }`, streams }: BenchProject,
): Promise<EngineProject> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const yaml = [
    'connections:',
    `  source: ${source}`,
    `  target: ${target}`,
    'pipelines:',
    '  bench:',
    '    from: source',
    '    to: target',
    '    streams:',
    ...Object.entries(streams).map(([name, options]) => `      ${name}: ${options}`),
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
