/** What the records of runs say of streams. Records come newest first. */
import type { RunRecord, RunStreamRecord } from '../core/state.ts';
import { upToDate } from './figures.ts';

/** A run may select few streams: the last word on the others stands in earlier runs, of which so many are looked at. */
export const RUNS_READ = 50;

export interface StreamWord {
  run: RunRecord;
  stream: RunStreamRecord;
}

/** The newest word on each stream. */
export function latestByStream(runs: readonly RunRecord[]): Map<string, StreamWord> {
  const latest = new Map<string, StreamWord>();
  for (const run of runs)
    for (const stream of run.streams)
      if (!latest.has(stream.stream)) latest.set(stream.stream, { run, stream });
  return latest;
}

/** When each stream was last brought up to date, ISO 8601. */
export function lastSuccesses(runs: readonly RunRecord[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const run of runs)
    for (const { stream, status, succeededAt } of run.streams) {
      // Records of earlier versions do not say it of earlier runs.
      const at = succeededAt ?? (upToDate(status) ? run.finishedAt : undefined);
      if (at !== undefined && !found.has(stream)) found.set(stream, at);
    }
  return found;
}

/** Before this the records say nothing; undefined when they are all that there is. */
export function horizonOf(runs: readonly RunRecord[]): string | undefined {
  return runs.length < RUNS_READ ? undefined : runs.at(-1)?.startedAt;
}
