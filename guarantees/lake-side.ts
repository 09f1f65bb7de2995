/** A lake on disk as a destination under attack, read as its catalog reads it. */
import { existsSync, globSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { viewNames, viewStatements } from '../src/catalog/views.ts';
import { listTables, openTableLog } from '../src/connectors/lake/log.ts';
import type { FoldedState } from '../src/connectors/lake/records.ts';
import { sweepLake, thisOwner } from '../src/connectors/lake/sweep.ts';
import { openLocalStorage } from '../src/connectors/shared/local-storage.ts';
import { schemaFromJson, type Schema } from '../src/core/schema.ts';
import type { Checkpoint } from '../src/core/stream.ts';
import { duckName } from '../src/duckdb/types.ts';
import { Session } from '../src/duckdb/session.ts';
import { duckText } from './row-text.ts';
import type { DestinationSide, ReadBy } from './sides.ts';

export class LakeSide implements DestinationSide {
  readonly type = 'lake';
  /** May be changed between runs. */
  connection: Record<string, unknown> = { type: 'lake', path: './lake' };
  readonly #folder: string;
  #session: Promise<Session> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get readBy(): ReadBy {
    return { type: 'lake', root: this.root };
  }

  get root(): string {
    return path.resolve(this.#folder, String(this.connection['path']));
  }

  /** What is committed for a table. */
  async state(table: string): Promise<FoldedState | undefined> {
    return openTableLog(openLocalStorage(this.root), table).read();
  }

  async schema(table: string): Promise<Schema | undefined> {
    const stored = (await this.state(table))?.schemas.at(-1)?.schema;
    return stored && schemaFromJson(stored);
  }

  async version(table: string): Promise<number | undefined> {
    return (await this.state(table))?.version;
  }

  /** Files know nothing of processes. */
  async settled(): Promise<void> {}

  /** Puts a checkpoint into the lake, as if an earlier run had left it there. */
  async commitCheckpoint(table: string, checkpoint: Checkpoint): Promise<void> {
    const { stream, fence, version } = (await this.state(table))!;
    const log = openTableLog(openLocalStorage(this.root), table);
    const nothing = { add: [], remove: [], slices: [] };
    const at = new Date().toISOString();
    await log.append(
      { kind: 'checkpoint', stream, run: 'test', load: 'test', fence, at, ...nothing, checkpoint },
      version,
    );
  }

  /** Rows of a query over the views `<table>` (current) and `<table>_history`, made from the live files of the log. */
  async query(table: string, sql: string): Promise<Record<string, unknown>[]> {
    this.#session ??= Session.open({
      memoryBytes: 256 << 20,
      threads: 1,
      tempDirectory: path.join(this.#folder, 'spill'),
    });
    const session = await this.#session;
    const state = await this.state(table);
    if (!state) throw new Error(`table "${table}" has no commit`);
    const storage = openLocalStorage(this.root);
    for (const statement of viewStatements(storage, state, viewNames([table]).get(table)!))
      await session.run(statement, 'making views');
    return session.rows(sql, `reading ${table}`);
  }

  async lines(
    table: string,
    view: 'current' | 'history' = 'current',
    columns?: readonly string[],
  ): Promise<string[]> {
    const { fields } = (await this.schema(table))!;
    const wanted =
      columns?.map((name) => fields.find((field) => field.name === name)!) ??
      fields.filter((field) => !field.name.startsWith('_sluice_'));
    const list = wanted.map((field) => duckText(duckName(field.name), field.type));
    const from = duckName(view === 'current' ? table : `${table}_history`);
    const rows = await this.query(
      table,
      `SELECT concat_ws('|', ${list.join(', ')}) AS line FROM main.${from}`,
    );
    return rows.map((row) => String(row['line'])).sort();
  }

  async leftovers(): Promise<string[]> {
    if (!existsSync(this.root)) return [];
    const storage = openLocalStorage(this.root);
    const known = new Set<string>();
    for (const table of await listTables(storage)) {
      const state = await openTableLog(storage, table).read();
      for (const { key } of [...(state?.files ?? []), ...(state?.removed ?? [])]) known.add(key);
    }
    const scratch = (file: string): boolean =>
      file.startsWith('_sluice/staging/') || isUnfinished(file) || !file.startsWith('_sluice/');
    return this.#files()
      .filter((file) => scratch(file) && !known.has(file))
      .toSorted();
  }

  async tidy(): Promise<void> {
    if (!existsSync(this.root)) return;
    const longAgo = Date.now() / 1000 - 48 * 3600;
    // Nobody may still be writing them; after a day the storage takes them away when it lists their folder.
    for (const file of this.#files().filter(isUnfinished))
      utimesSync(path.join(this.root, file), longAgo, longAgo);
    const { skipped } = await sweepLake(openLocalStorage(this.root), {
      owner: thisOwner('tidy'),
      graceMs: 0,
    });
    if (skipped.length > 0) throw new Error(`sweeping left tables out: ${JSON.stringify(skipped)}`);
  }

  #files(): string[] {
    return globSync('**/*', { cwd: this.root, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) =>
        path.relative(this.root, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'),
      );
  }

  async close(): Promise<void> {
    await this.#session?.then((session) => session.close());
  }
}

/** What a killed process left of an object that it had begun to write; see local-storage.ts. */
function isUnfinished(file: string): boolean {
  return path.basename(file).startsWith('.sluice-unfinished-');
}
