/** What a project wants to be told of, and who is told: thresholds of its pipelines, and reporters of a run. */
import path from 'node:path';
import { resolveStreams } from '../config/resolve-streams.ts';
import { isWildcard } from '../config/stream-name.ts';
import type { Alert } from '../core/alerts.ts';
import type { PipelineConfig, Project } from '../core/project.ts';
import type { RunRecord, StateStore } from '../core/state.ts';
import type { StreamConfig } from '../core/stream.ts';
import { limitsOf, staleAlerts, type Thresholds } from '../observe/alerts.ts';
import { horizonOf, lastSuccesses, latestByStream, RUNS_READ } from '../observe/history.ts';
import { createMetricsFile } from '../observe/metrics-file.ts';
import type { PipelineMetrics } from '../observe/prometheus.ts';
import type { Reporter } from '../observe/reporter.ts';
import { createWebhook } from '../observe/webhook.ts';

/** `known`: streams that the history has; those that the pipeline names in full are added, those it does not load are not. */
export function thresholdsOf(project: Project, pipeline: string, known: Iterable<string>): Thresholds {
  const { webhook: _, ...shared } = project.alerts ?? {};
  const config = project.pipelines[pipeline];
  if (!config) return { run: limitsOf(shared), streams: new Map() };
  const streams = streamsOf(config, known).map(({ name, alerts }) => {
    const limits = { own: limitsOf(alerts), all: limitsOf(shared, config.alerts, alerts) };
    return [name, limits] as const;
  });
  return { run: limitsOf(shared, config.alerts), streams: new Map(streams) };
}

function streamsOf(config: PipelineConfig, known: Iterable<string>): StreamConfig[] {
  const named = Object.keys(config.streams).filter((name) => !isWildcard(name));
  const names = [...new Set([...known, ...named])].map((name) => ({ name }));
  return resolveStreams(config, names, []).all;
}

/** Whether anybody wants to know of streams that were not loaded: only then earlier runs have to be read. */
export function watchesStaleness(project: Project, pipeline: string): boolean {
  const config = project.pipelines[pipeline];
  const levels = [
    project.alerts,
    config?.alerts,
    ...Object.values(config?.streams ?? {}).map((stream) => stream !== false && stream.alerts),
  ];
  return levels.some((level) => level !== false && typeof level?.staleness === 'number');
}

/** Streams of a pipeline that were not loaded for too long; `runs` are its last ones, newest first. */
export function staleOf(project: Project, pipeline: string, runs: readonly RunRecord[]): Alert[] {
  const thresholds = thresholdsOf(project, pipeline, latestByStream(runs).keys());
  const known = { succeeded: lastSuccesses(runs), horizon: horizonOf(runs) };
  return staleAlerts(pipeline, thresholds, known, Date.now());
}

export interface Reported {
  project: Project;
  state: StateStore;
  run: string;
  pipeline: string;
  signal: AbortSignal;
}

/** Those that the project asks for. */
export function openReporters({ project, state, run, pipeline, signal }: Reported): Reporter[] {
  const reporters: Reporter[] = [];
  const { prometheus } = project.metrics ?? {};
  if (prometheus !== undefined)
    reporters.push(
      createMetricsFile(path.resolve(project.directory, prometheus), () => readMetrics(project, state)),
    );
  const { webhook } = project.alerts ?? {};
  if (webhook) reporters.push(createWebhook(webhook, { run, pipeline }, signal));
  return reporters;
}

async function readMetrics(project: Project, state: StateStore): Promise<PipelineMetrics[]> {
  const metrics: PipelineMetrics[] = [];
  for (const [pipeline, config] of Object.entries(project.pipelines)) {
    const runs = await state.runs({ pipeline, limit: RUNS_READ });
    const finished = runs.filter(({ finishedAt }) => finishedAt !== undefined);
    const latest = latestByStream(finished);
    const streams = streamsOf(config, latest.keys()).flatMap(({ name }) => latest.get(name) ?? []);
    metrics.push({ pipeline, source: config.from, destination: config.to, last: finished[0], streams });
  }
  return metrics;
}
