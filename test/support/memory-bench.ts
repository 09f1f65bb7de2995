/** The engine between the two ends of the kit, which are fast and do as they are told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach } from 'vitest';
import { z } from 'zod';
import type { Connector } from '../../src/core/connector.ts';
import type { Destination } from '../../src/core/destination.ts';
import type { RunEvent } from '../../src/core/events.ts';
import type { Project, StreamOptions } from '../../src/core/project.ts';
import type { Snapshot, Source } from '../../src/core/source.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { schemaOf } from '../../src/testing/kit-load.ts';
import { MemoryDestination, MemoryStore } from '../../src/testing/memory-destination.ts';
import { MemoryDatabase, MemorySource } from '../../src/testing/memory-source.ts';
import { runPipeline } from '../../src/engine/run.ts';
import type { RunOptions, RunReport } from '../../src/engine/types.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A project with one pipeline, `p`, in a folder of its own. */
export class Bench {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), 'sluice-engine-'));
  readonly database: MemoryDatabase = new MemoryDatabase();
  readonly store: MemoryStore = new MemoryStore();
  readonly events: RunEvent[] = [];
  streams: Record<string, StreamOptions>;
  /** Of the project, beside what is always there. */
  more: Partial<Project> = {};
  source: () => Source = () => new MemorySource(this.database);
  destination: () => Destination = () => new MemoryDestination(this.store);

  constructor(streams: Record<string, StreamOptions>) {
    folders.push(this.folder);
    this.streams = streams;
    for (const name of Object.keys(streams))
      this.database.createTable(name, schemaOf('id int64, v utf8 null, at timestamptz'));
  }

  write(table: string, ...rows: [id: number, v: string][]): void {
    const transaction = this.database.begin();
    for (const [id, v] of rows) transaction.write(table, [String(id), v, String(transaction.at)]);
    transaction.commit();
  }

  #connector(): Connector {
    return {
      name: 'memory',
      title: 'Memory',
      summary: 'For tests.',
      options: z.unknown(),
      capabilities: { source: true, destination: true, atomicCommit: true },
      fromUrl: () => undefined,
      openSource: async () => this.source(),
      openDestination: async () => this.destination(),
    };
  }

  get context(): Parameters<typeof runPipeline>[0] {
    return {
      connectors: new Map([['memory', this.#connector()]]),
      project: {
        directory: this.folder,
        connections: { from: { type: 'memory' }, to: { type: 'memory' } },
        pipelines: { p: { from: 'from', to: 'to', streams: this.streams } },
        state: { type: 'sqlite', path: 'state.db' },
        memoryBytes: 512 << 20,
        ...this.more,
      },
    };
  }

  run(options: RunOptions = {}): Promise<RunReport> {
    this.events.length = 0;
    const onEvent = (event: RunEvent): void => {
      this.events.push(event);
      options.onEvent?.(event);
    };
    return runPipeline(this.context, 'p', { ...options, onEvent });
  }

  values(table: string): Cell[] {
    return (this.store.read(table)?.rows ?? [])
      .map((row) => row[1] ?? null)
      .toSorted((a, b) => (a! < b! ? -1 : 1));
  }
}

/** A source whose snapshots fail to read until they have done so `times`. */
export function failing(bench: Bench, times: number, error: Error, stream?: string): void {
  let left = times;
  bench.source = () => {
    const source = new MemorySource(bench.database);
    const open = source.open.bind(source);
    source.open = async (signal) => {
      const snapshot = await open(signal);
      const read = snapshot.read.bind(snapshot);
      snapshot.read = async (...args: Parameters<Snapshot['read']>) => {
        if ((stream === undefined || args[0].name === stream) && left-- > 0) throw error;
        return read(...args);
      };
      return snapshot;
    };
    return source;
  };
}
