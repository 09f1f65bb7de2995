import { mkdir, mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { withFrugalAllocator } from '../duckdb/allocator.ts';
import { duckError } from '../duckdb/errors.ts';
import { duckText, literalPattern } from '../duckdb/types.ts';

export interface EngineOptions {
  /** Folder (or URL) that queries may read, and nothing else. */
  root: string;
  /** For data that does not fit into memory; removed at the end, with all in it. Where it cannot be made, the system's folder serves. */
  tempDirectory: string | undefined;
  memoryBytes: number;
  threads: number;
}

/** DuckDB for queries by people: it can read the lake's folder, its settings are locked, its times are UTC. */
export class Engine {
  readonly #instance: DuckDBInstance;
  readonly #tempDirectory: string;

  private constructor(instance: DuckDBInstance, tempDirectory: string) {
    this.#instance = instance;
    this.#tempDirectory = tempDirectory;
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const tempDirectory = await scratch(options.tempDirectory);
    // Loaded here, so that a command that needs no query does not pay for it.
    const { DuckDBInstance, DuckDBTimestampTZValue } = await withFrugalAllocator(
      () => import('@duckdb/node-api'),
    );
    // The driver prints instants in the zone of the process, whatever the session's zone is.
    DuckDBTimestampTZValue.timezoneOffsetInMinutes = 0;
    try {
      const instance = await DuckDBInstance.create(':memory:', {
        threads: String(options.threads),
        memory_limit: `${Math.floor(options.memoryBytes / 1024)}KiB`,
        temp_directory: tempDirectory,
        // As in a Session.
        enable_external_file_cache: 'false',
        autoinstall_known_extensions: 'false',
        autoload_known_extensions: 'false',
      });
      const connection = await instance.connect();
      const directories = (await readable(options.root)).map(duckText).join(', ');
      for (const setting of [
        `TimeZone = 'UTC'`,
        `allowed_directories = [${directories}]`,
        'enable_external_access = false',
        'lock_configuration = true',
      ]) {
        await connection.run(`SET GLOBAL ${setting}`);
      }
      connection.closeSync();
      return new Engine(instance, tempDirectory);
    } catch (error) {
      throw duckError(error, 'starting DuckDB');
    }
  }

  connect(): Promise<DuckDBConnection> {
    return this.#instance.connect();
  }

  async close(): Promise<void> {
    this.#instance.closeSync();
    await rm(this.#tempDirectory, { recursive: true, force: true });
  }
}

async function scratch(wanted: string | undefined): Promise<string> {
  const system = (): Promise<string> => mkdtemp(path.join(tmpdir(), 'sluice-query-'));
  if (wanted === undefined) return system();
  // A lake may be read-only for us.
  return mkdir(wanted, { recursive: true }).then(() => wanted, system);
}

/**
 * DuckDB compares real paths, so where links lead has to be allowed too: the lake itself, or a table on another disk.
 * Paths are given to it as patterns, which it compares as they are before it resolves them.
 */
async function readable(root: string): Promise<string[]> {
  if (!path.isAbsolute(root)) return [root];
  const found = new Set([root, literalPattern(root)]);
  const add = async (folder: string): Promise<void> => {
    await realpath(folder).then(
      (real) => found.add(real),
      () => undefined,
    );
  };
  await add(root);
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isSymbolicLink()) await add(path.join(root, entry.name));
  return [...found].map((folder) => (folder.endsWith(path.sep) ? folder : folder + path.sep));
}
