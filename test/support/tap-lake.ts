/** A tap that does what a test says, and a lake that one of its streams, called `t`, is loaded into. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { StreamOptions } from '../../src/core/project.ts';
import type { ProjectDefinition } from '../../src/index.ts';
import { FileLake } from './file-lake.ts';

/** What the tap was started with. */
export interface Seen {
  args: string[];
  state: string | undefined;
  catalog: { streams: Record<string, unknown>[] } | undefined;
  pid: number;
}

export const TAP: readonly string[] = [process.execPath, path.join(import.meta.dirname, 'tap.mjs')];

export const schema = (
  properties: Record<string, unknown>,
  key: string[] = ['id'],
): Record<string, unknown> => ({
  type: 'SCHEMA',
  stream: 't',
  schema: { type: 'object', properties },
  key_properties: key,
});
export const record = (row: Record<string, unknown>, more: object = {}): Record<string, unknown> => ({
  type: 'RECORD',
  stream: 't',
  record: row,
  ...more,
});
export const state = (value: unknown): Record<string, unknown> => ({ type: 'STATE', value });

export class TapLake extends FileLake {
  /** What it says, see tap.mjs. */
  say: unknown[] = [];
  config: Record<string, unknown> = {};
  /** Streams beside that one. */
  others: Record<string, StreamOptions> = {};

  override get project(): ProjectDefinition {
    const { connections, pipelines } = super.project;
    const config: Record<string, unknown> = { say: this.say, seen: this.#seen, ...this.config };
    const discover = config['streams'] !== undefined || config['catalog'] !== undefined;
    const tap = { type: 'singer', command: [...TAP], config, discover, ...this.connection };
    const p = { ...pipelines!['p']!, streams: { t: this.stream, ...this.others } };
    return { connections: { ...connections, files: tap }, pipelines: { p } };
  }

  get #seen(): string {
    return path.join(this.folder, 'seen.jsonl');
  }

  /** Its runs, but for those that asked what it has. */
  get seen(): Seen[] {
    if (!existsSync(this.#seen)) return [];
    const lines = readFileSync(this.#seen, 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as Seen);
  }
}
