/** A folder of files and a lake that they are loaded into. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadProject } from '../../src/config/load-project.ts';
import { connectors } from '../../src/connectors/registry.ts';
import type { ProjectContext } from '../../src/engine/context.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import {
  type ConnectionConfig,
  openCatalog,
  plan,
  type PipelinePlan,
  type ProjectDefinition,
  run,
  type RunReport,
  type StreamReport,
} from '../../src/index.ts';

export class FileLake implements AsyncDisposable {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), 'sluice-files-'));
  readonly files: string = path.join(this.folder, 'in');
  stream: StreamOptions;
  /** Options of the connection. */
  connection: Record<string, unknown> = {};
  /** Where they go, under the name `lake`. */
  target: ConnectionConfig = { type: 'lake', path: './lake' };

  constructor(stream: StreamOptions) {
    this.stream = stream;
    mkdirSync(this.files);
  }

  /** A file that nobody writes to any more. */
  write(name: string, content: string | Uint8Array): void {
    const file = path.join(this.files, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
    this.age(name);
  }

  age(name: string, seconds: number = 60): void {
    const then = Date.now() / 1000 - seconds;
    utimesSync(path.join(this.files, name), then, then);
  }

  get project(): ProjectDefinition {
    return {
      connections: {
        files: { type: 'files', path: './in', ...this.connection },
        lake: this.target,
      },
      pipelines: { p: { from: 'files', to: 'lake', streams: { t: this.stream } } },
    };
  }

  /** The same as the command line opens. */
  async context(): Promise<ProjectContext> {
    const file = path.join(this.folder, 'sluice.yaml');
    writeFileSync(file, JSON.stringify(this.project));
    const known = await connectors();
    return { project: await loadProject({ file, connectors: known }), connectors: known };
  }

  plan(options: Parameters<typeof plan>[2] = {}): Promise<PipelinePlan> {
    return plan(this.project, 'p', { directory: this.folder, ...options });
  }

  report(options: Parameters<typeof run>[2] = {}): Promise<RunReport> {
    return run(this.project, 'p', { directory: this.folder, ...options });
  }

  /** A run that succeeds; what it says of the only stream. */
  async run(options: Parameters<typeof run>[2] = {}): Promise<StreamReport> {
    const stream = (await this.report(options)).streams[0]!;
    if (stream.error) throw new Error(`${stream.error.code}: ${stream.error.message}`);
    return stream;
  }

  async query(sql: string): Promise<unknown[][]> {
    const catalog = await openCatalog(path.join(this.folder, 'lake'));
    try {
      const rows: unknown[][] = [];
      for await (const batch of (await catalog.select(sql)).batches) rows.push(...(batch as unknown[][]));
      return rows;
    } finally {
      await catalog.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
