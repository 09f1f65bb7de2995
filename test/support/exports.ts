/** A pipeline from one connection into a folder of files. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ConnectionConfig, PipelineDefinition, ProjectDefinition, RunReport } from '../../src/index.ts';
import { plan, run } from '../../src/index.ts';

type Streams = PipelineDefinition['streams'];

export class Exports implements AsyncDisposable {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), 'sluice-exports-'));
  readonly out: string = path.join(this.folder, 'out');
  readonly from: ConnectionConfig;
  streams: Streams;
  /** Where they go, under the name `exports`. */
  to: ConnectionConfig = { type: 'files', path: './out' };
  timezone: string | undefined;

  constructor(from: ConnectionConfig, streams: Streams) {
    this.from = from;
    this.streams = streams;
  }

  get project(): ProjectDefinition {
    return {
      connections: { source: this.from, exports: this.to },
      pipelines: {
        p: {
          from: 'source',
          to: 'exports',
          streams: this.streams,
          ...(this.timezone !== undefined && { timezone: this.timezone }),
        },
      },
    };
  }

  plan(options: Parameters<typeof plan>[2] = {}): ReturnType<typeof plan> {
    return plan(this.project, 'p', { directory: this.folder, ...options });
  }

  report(options: Parameters<typeof run>[2] = {}): Promise<RunReport> {
    return run(this.project, 'p', { directory: this.folder, ...options });
  }

  /** A run of which every stream succeeds. */
  async run(options: Parameters<typeof run>[2] = {}): Promise<RunReport> {
    const report = await this.report(options);
    for (const { stream, error } of report.streams)
      if (error) throw new Error(`${stream}: ${error.code}: ${error.message}`);
    return report;
  }

  /** What lies in the folder, without what is Sluice's own. */
  files(): string[] {
    return this.everything().filter((file) => !file.startsWith('_sluice/'));
  }

  everything(): string[] {
    mkdirSync(this.out, { recursive: true });
    return readdirSync(this.out, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(this.out, path.join(entry.parentPath, entry.name)))
      .sort();
  }

  /** The text of a file, unpacked. */
  text(file: string): string {
    const bytes = readFileSync(path.join(this.out, file));
    if (file.endsWith('.gz')) return gunzipSync(bytes).toString();
    return (file.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString();
  }

  write(file: string, content: string): void {
    const full = path.join(this.folder, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, content);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Rows of a query in an engine of its own, each as a list of texts. */
export async function ask(sql: string): Promise<(string | null)[][]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`SET TimeZone = 'UTC'`);
    return (await connection.runAndReadAll(sql)).getRowsJson() as (string | null)[][];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
