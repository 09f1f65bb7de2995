/** What plan and run share: the opened ends of a pipeline and its streams. */
import { availableParallelism } from 'node:os';
import { resolveStreams } from '../config/resolve-streams.ts';
import { isWildcard } from '../config/stream-name.ts';
import type { Destination } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import {
  besideRules,
  checkBatchBytes,
  checkMemory,
  engineMemory,
  lanesWithin,
  sourceMemory,
} from '../core/memory.ts';
import type { PipelineConfig } from '../core/project.ts';
import type { SideTables } from '../core/side-tables.ts';
import type { Source, StreamInfo } from '../core/source.ts';
import type { StreamConfig } from '../core/stream.ts';
import {
  acceptedBy,
  hasEngine,
  openDestination,
  openSource,
  pipelineOf,
  type ProjectContext,
  type Resources,
} from './context.ts';
import { hasNoChoice } from './load-method.ts';
import type { RunOptions } from './types.ts';

export interface PipelineSession {
  config: PipelineConfig;
  source: Source;
  /** What is loaded: the tables of readers, or those of a place beside them. */
  destination: Destination;
  /** The same, but for shadow runs. */
  readers: Destination;
  /** Names of leases and quarantine are told apart by it: ` (shadow)`; empty for the tables of readers. */
  aside: string;
  /** Wire forms that the destination takes without decoding. */
  accepts: readonly string[];
  resources: Resources;
}

/** For both ends: a source with an engine of its own takes its part from what the lanes have. */
export function resourcesOf(
  context: ProjectContext,
  pipeline: PipelineConfig,
  options: Pick<RunOptions, 'memoryBytes' | 'workers' | 'batchBytes'>,
): { source: Resources; destination: Resources } {
  const whole = options.memoryBytes ?? context.project.memoryBytes;
  const part = hasEngine(context, pipeline) ? sourceMemory(whole) : 0;
  checkMemory(whole, part);
  const cores = Math.max(1, Math.floor(availableParallelism() / 2));
  const most = options.workers ?? Math.min(lanesWithin(whole - part), cores, 4);
  const ruled = anyRules(pipeline);
  const { lanes, budget: memoryBytes } = ruled
    ? besideRules(whole - part, most)
    : { lanes: most, budget: whole - part };
  const workers = options.workers ?? lanes;
  const batchBytes = options.batchBytes ?? context.project.batchBytes;
  if (batchBytes !== undefined) checkBatchBytes(batchBytes);
  const both = { workers, batchBytes };
  return {
    source: {
      memoryBytes: part || whole,
      ...both,
      ...(ruled && { rules: { threads: lanes, laneBytes: engineMemory(memoryBytes, lanes) } }),
    },
    destination: { memoryBytes, ...both },
  };
}

/** Whether rows of any stream have to be looked at. */
function anyRules({ defaults, streams }: PipelineConfig): boolean {
  return [defaults, ...Object.values(streams)].some(
    (options) => options !== false && (options?.checks !== undefined || options?.compute !== undefined),
  );
}

export async function openPipeline(
  context: ProjectContext,
  name: string,
  options: RunOptions,
): Promise<PipelineSession> {
  const config = pipelineOf(context, name);
  const resources = resourcesOf(context, config, options);
  const [source, readers] = await Promise.all([
    openSource(context, config.from, resources.source),
    openDestination(context, config.to, resources.destination),
  ]);
  const accepts = acceptedBy(context, config.to);
  const ends = { config, source, readers, accepts, resources: resources.destination };
  const { into } = options;
  if (into === undefined) return { ...ends, destination: readers, aside: '' };
  try {
    return { ...ends, destination: await sideTablesOf(readers).at(into), aside: ` (${into})` };
  } catch (error) {
    await Promise.allSettled([source.close(), readers.close()]);
    throw error;
  }
}

export function sideTablesOf({ beside }: Destination): SideTables {
  if (beside) return beside;
  throw new ConfigError('opening shadow tables: the destination cannot put tables in the place of others', {
    code: 'shadow.unsupported',
    remedy: 'docs/concepts/shadow-runs.md lists the systems that can',
  });
}

/** Two pipelines that load one table exclude each other, wherever they are started. */
export function leaseName(
  { config, aside }: Pick<PipelineSession, 'config' | 'aside'>,
  table: string,
): string {
  return `${config.to}${aside}/${table}`;
}

/** The streams that are wanted now; throws one ConfigError with all that is wrong with their names. */
export async function streamsOf(
  session: PipelineSession,
  name: string,
  options: RunOptions,
  signal: AbortSignal,
): Promise<StreamConfig[]> {
  return (await chooseStreams(session, name, options, signal)).streams;
}

/** The same, and all of the pipeline beside them. */
export async function chooseStreams(
  session: PipelineSession,
  name: string,
  options: RunOptions,
  signal: AbortSignal,
): Promise<{ streams: StreamConfig[]; all: StreamConfig[] }> {
  const { config, source } = session;
  const names = Object.keys(config.streams);
  const patterns = names.some((each) => /[*?]/.test(each));
  // Reading a large catalog takes a while, so it is done only for wildcards; a wrong name shows when it is looked at.
  const available = patterns
    ? withArrays(await source.discover(signal), names)
    : names.map((each) => ({ name: each }));
  const { streams, all, mistakes } = resolveStreams(config, available, options.select ?? []);
  if (mistakes.length > 0) {
    throw new ConfigError(`choosing the streams of ${name}: ${mistakes.join('; ')}`, {
      code: 'config.streams',
      remedy: '`sluice discover` lists what the source has',
      details: { mistakes },
    });
  }
  session.destination.accept?.(all);
  source.expect?.(streams);
  const { loadMethod: way } = options;
  if (way === undefined || hasNoChoice(session.destination, way)) return { streams, all };
  const asked = { loadMethod: way === 'auto' ? undefined : way };
  return { streams: streams.map((each) => ({ ...each, ...asked })), all };
}

/** What wildcards stand for, and arrays within records that are named: not every record has them. */
function withArrays(found: readonly StreamInfo[], names: readonly string[]): { name: string }[] {
  const own = found.filter(({ parent }) => parent === undefined);
  const within = own.filter(({ kind }) => kind === 'endpoint').map(({ name }) => `${name}.`);
  const named = names.filter((name) => !isWildcard(name) && within.some((begin) => name.startsWith(begin)));
  return [...own, ...named.map((name) => ({ name }))];
}

export async function closePipeline(session: PipelineSession): Promise<void> {
  const { source, destination, readers } = session;
  await Promise.allSettled([source, ...new Set([destination, readers])].map((each) => each.close()));
}
