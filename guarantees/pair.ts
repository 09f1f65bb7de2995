/** A source and a destination that belong together: runs the pipeline between them and compares the two row by row. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectors } from '../src/connectors/registry.ts';
import type { RunEvent } from '../src/core/events.ts';
import type { Project, StreamOptions } from '../src/core/project.ts';
import { openState, type ProjectContext } from '../src/engine/context.ts';
import { planPipeline } from '../src/engine/plan.ts';
import { runPipeline } from '../src/engine/run.ts';
import type { PipelinePlan, RunOptions, RunReport, StreamReport } from '../src/engine/types.ts';
import type { ApiSide } from './api-side.ts';
import type { LakeSide } from './lake-side.ts';
import type { PostgresSide } from './postgres-side.ts';
import type { DestinationSide, SourceSide, SqlSide } from './sides.ts';

export type Streams = Record<string, StreamOptions>;

export type AnyPair = Pair<SourceSide, DestinationSide>;

/** Reads a database. */
export type SqlPair = Pair<SqlSide, DestinationSide>;

/** Reads an API. */
export type ApiPair = Pair<ApiSide, DestinationSide>;

/** What a comparison found, each as lines of text; all empty when the two are equal. */
export interface Difference {
  /** In the source, not in the destination. */
  lost: string[];
  /** In the destination, not (or not so often) in the source. */
  extra: string[];
  /** More than once in the history. */
  doubled: string[];
}

export class Pair<
  S extends SourceSide = PostgresSide,
  D extends DestinationSide = LakeSide,
> implements AsyncDisposable {
  readonly from: S;
  readonly to: D;
  /** Of the project: configuration, state, and the lake. */
  readonly folder: string;
  /** May be changed between runs. */
  streams: Streams;
  /** Of the pipeline. */
  defaults: StreamOptions = {};
  memoryBytes: number = 512 << 20;
  /** Of leases and history; may be changed before the first run. */
  stateOptions: Project['state'] = { type: 'sqlite', path: '.sluice/state.db' };
  /** Of the last run. */
  events: RunEvent[] = [];

  readonly #atClose: (() => unknown)[] = [];

  constructor(from: S, to: (folder: string) => D, streams: Streams) {
    this.from = from;
    this.folder = mkdtempSync(path.join(tmpdir(), 'sluice-pair-'));
    this.to = to(this.folder);
    this.streams = streams;
  }

  async context(): Promise<ProjectContext> {
    return {
      connectors: await connectors(),
      project: {
        directory: this.folder,
        connections: { from: this.from.connection, to: this.to.connection } as never,
        pipelines: { p: { from: 'from', to: 'to', defaults: this.defaults, streams: this.streams } },
        state: this.stateOptions,
        memoryBytes: this.memoryBytes,
      },
    };
  }

  /** Runs the pipeline, whatever comes of it. */
  async attempt(options: RunOptions = {}): Promise<RunReport> {
    this.events = [];
    const onEvent = (event: RunEvent): void => {
      this.events.push(event);
      options.onEvent?.(event);
    };
    return runPipeline(await this.context(), 'p', { ...options, onEvent });
  }

  /** Runs the pipeline and throws when a stream failed. Returns the report of the first stream. */
  async run(options: RunOptions = {}): Promise<StreamReport> {
    const report = await this.attempt(options);
    const failed = report.streams.find((stream) => stream.error);
    if (failed) throw new Error(`${failed.stream}: ${failed.error!.code}: ${failed.error!.message}`);
    return report.streams[0]!;
  }

  async plan(options: RunOptions = {}): Promise<PipelinePlan> {
    return planPipeline(await this.context(), 'p', options);
  }

  /** Leases that somebody holds. */
  async leases(): Promise<readonly unknown[]> {
    const store = await openState(await this.context());
    try {
      return await store.leases();
    } finally {
      await store.close();
    }
  }

  /** Rows of the source as sorted lines of text, in the columns and types of the destination's table. */
  async sourceLines(table: string, from: string = this.from.nameOf(table)): Promise<string[]> {
    return this.from.lines(from, (await this.to.schema(table))!);
  }

  async compare(table: string, from?: string): Promise<Difference> {
    const source = await this.sourceLines(table, from);
    const current = await this.to.lines(table, 'current');
    const history = await this.to.lines(table, 'history');
    return {
      lost: without(source, current),
      extra: without(current, source),
      doubled: history.filter((line, i) => line === history[i - 1]),
    };
  }

  /** For what must not outlive the Pair, such as processes that work on it. */
  atClose(work: () => unknown): void {
    this.#atClose.push(work);
  }

  async close(): Promise<void> {
    await Promise.all(this.#atClose.map((work) => work()));
    await Promise.all([this.from.close(), this.to.close()]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Lines of one list that the other has not, or not as often. */
export function without(lines: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}
