/**
 * What a run leaves behind: its record in the history, alerts, metrics. In: what it came to. Out: the alerts. Nothing that goes
 * wrong here makes a good load a failure; it is told as a warning.
 */
import { hostname } from 'node:os';
import type { Alert } from '../core/alerts.ts';
import { asSluiceError } from '../core/errors.ts';
import { broadcast, type Listener, type RunStatus } from '../core/events.ts';
import type { Project } from '../core/project.ts';
import { shadowHistory } from '../core/side-tables.ts';
import type { RunRecord, RunStreamRecord, StateStore } from '../core/state.ts';
import { runAlerts } from '../observe/alerts.ts';
import { upToDate } from '../observe/figures.ts';
import { lastSuccesses, latestByStream, RUNS_READ } from '../observe/history.ts';
import type { Reporter } from '../observe/reporter.ts';
import { openReporters, staleOf, thresholdsOf, watchesStaleness } from './monitor.ts';
import { toRecord } from './stream-report.ts';
import type { StreamReport } from './types.ts';

export interface JournalOptions {
  project: Project;
  state: StateStore;
  run: string;
  pipeline: string;
  /** Nobody is alarmed by a shadow run. */
  shadow: boolean;
  startedAt: string;
  signal: AbortSignal;
  onEvent: Listener | undefined;
}

export interface Outcome {
  status: RunStatus;
  /** Of no stream. */
  retries: number;
  streams: readonly StreamReport[];
}

export class Journal {
  /** Tells all listeners of the run. */
  readonly emit: Listener;
  readonly #options: JournalOptions;
  readonly #reporters: readonly Reporter[];

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#reporters = options.shadow ? [] : openReporters(options);
    const listeners = this.#reporters.map(({ listener }) => listener);
    this.emit = broadcast(options.onEvent ? [...listeners, options.onEvent] : listeners);
  }

  /** The run is going on. */
  async begin(): Promise<void> {
    await this.#write(this.#record('running', []));
  }

  async end({ status, retries, streams }: Outcome): Promise<Alert[]> {
    const { project, pipeline } = this.#options;
    const finishedAt = new Date().toISOString();
    const unsettled = streams.some((stream) => !upToDate(stream.status));
    const watches = !this.#options.shadow && watchesStaleness(project, pipeline);
    const earlier = unsettled || watches ? await this.#earlier() : undefined;
    const before = lastSuccesses(earlier ?? []);
    const records = streams.map((stream): RunStreamRecord => {
      const succeededAt = upToDate(stream.status) ? finishedAt : before.get(stream.stream);
      return { ...toRecord(stream), ...(succeededAt !== undefined && { succeededAt }) };
    });
    const record = { ...this.#record(status, records), finishedAt, retries };
    // Who stops a run knows that it was stopped.
    const alerts = status === 'stopped' || this.#options.shadow ? [] : this.#alerts(record, earlier);
    await this.#write({ ...record, ...(alerts.length > 0 && { alerts }) });
    for (const alert of alerts) this.emit({ kind: 'alert', ...alert });
    for (const reporter of this.#reporters)
      for (const warning of await reporter.finish())
        this.emit({ kind: 'warning', stream: undefined, ...warning });
    return alerts;
  }

  /** Without earlier runs nobody knows what is stale. */
  #alerts(record: RunRecord, earlier: readonly RunRecord[] | undefined): Alert[] {
    const { project, pipeline } = this.#options;
    const runs = [record, ...(earlier ?? [])];
    const thresholds = thresholdsOf(project, pipeline, latestByStream(runs).keys());
    const stale = earlier ? staleOf(project, pipeline, runs) : [];
    return [...runAlerts(record, thresholds), ...stale];
  }

  get #history(): string {
    const { pipeline, shadow } = this.#options;
    return shadow ? shadowHistory(pipeline) : pipeline;
  }

  #record(status: string, streams: RunStreamRecord[]): RunRecord {
    const { run, startedAt } = this.#options;
    const who = { host: hostname(), pid: process.pid };
    return { run, pipeline: this.#history, startedAt, finishedAt: undefined, status, ...who, streams };
  }

  /** Runs before this one; undefined when the history cannot tell. */
  async #earlier(): Promise<RunRecord[] | undefined> {
    const { state, run } = this.#options;
    try {
      const runs = await state.runs({ pipeline: this.#history, limit: RUNS_READ });
      return runs.filter((each) => each.run !== run);
    } catch (error) {
      const { message } = asSluiceError(error, 'reading earlier runs');
      this.#warn('state.not_read', `earlier runs are not known: ${message}`);
      return undefined;
    }
  }

  async #write(record: RunRecord): Promise<void> {
    try {
      await this.#options.state.recordRun(record);
    } catch (error) {
      this.#warn('state.not_recorded', `the run could not be recorded: ${(error as Error).message}`);
    }
  }

  #warn(code: string, message: string): void {
    this.emit({ kind: 'warning', stream: undefined, code, message });
  }
}
