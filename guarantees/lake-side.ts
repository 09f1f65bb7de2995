/** A lake on a disk or in a bucket as a destination under attack, read as its catalog reads it. */
import { randomUUID } from 'node:crypto';
import { existsSync, globSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { viewNames, viewStatements } from '../src/catalog/views.ts';
import { withFiles } from '../src/connectors/shared/local-files.ts';
import { listTables, openTableLog } from '../src/connectors/lake/log.ts';
import type { FoldedState } from '../src/connectors/lake/records.ts';
import { sweepLake } from '../src/connectors/lake/sweep.ts';
import { thisOwner } from '../src/connectors/shared/staging.ts';
import { openLocalStorage } from '../src/connectors/shared/local-storage.ts';
import { openS3Storage } from '../src/connectors/shared/s3/s3-storage.ts';
import { schemaFromJson, type Schema } from '../src/core/schema.ts';
import type { ObjectStorage } from '../src/core/storage.ts';
import type { Checkpoint } from '../src/core/stream.ts';
import { duckName } from '../src/duckdb/types.ts';
import { Session } from '../src/duckdb/session.ts';
import { duckText } from './row-text.ts';
import type { DestinationSide, ReadBy } from './sides.ts';

/** What is the same wherever the files are. */
abstract class LakeTables implements DestinationSide {
  readonly type = 'lake';
  abstract connection: Record<string, unknown>;
  abstract readonly readBy: ReadBy;
  protected readonly folder: string;
  #session: Promise<Session> | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  abstract storage(): Promise<ObjectStorage>;
  abstract leftovers(): Promise<string[]>;
  abstract tidy(): Promise<void>;

  /** What is committed for a table. */
  async state(table: string): Promise<FoldedState | undefined> {
    return openTableLog(await this.storage(), table).read();
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
    const log = openTableLog(await this.storage(), table);
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
      tempDirectory: path.join(this.folder, 'spill'),
    });
    const session = await this.#session;
    const state = await this.state(table);
    if (!state) throw new Error(`table "${table}" has no commit`);
    const storage = await this.storage();
    return withFiles({ storage, files: state.files }, async () => {
      for (const statement of viewStatements(storage, state, viewNames([table]).get(table)!))
        await session.run(statement, 'making views');
      return session.rows(sql, `reading ${table}`);
    });
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

  /** Keys of files that some commit names. */
  protected async known(): Promise<Set<string>> {
    const storage = await this.storage();
    const known = new Set<string>();
    for (const table of await listTables(storage)) {
      const state = await openTableLog(storage, table).read();
      for (const { key } of [...(state?.files ?? []), ...(state?.removed ?? [])]) known.add(key);
    }
    return known;
  }

  protected async sweep(): Promise<void> {
    const { skipped } = await sweepLake(await this.storage(), { owner: thisOwner('tidy'), graceMs: 0 });
    if (skipped.length > 0) throw new Error(`sweeping left tables out: ${JSON.stringify(skipped)}`);
  }

  async close(): Promise<void> {
    await this.#session?.then((session) => session.close());
  }
}

export class LakeSide extends LakeTables {
  /** May be changed between runs. */
  connection: Record<string, unknown> = { type: 'lake', path: './lake' };

  get readBy(): ReadBy {
    return { type: 'lake', connection: { ...this.connection, path: this.root } };
  }

  get root(): string {
    return path.resolve(this.folder, String(this.connection['path']));
  }

  async storage(): Promise<ObjectStorage> {
    return openLocalStorage(this.root);
  }

  async leftovers(): Promise<string[]> {
    if (!existsSync(this.root)) return [];
    const known = await this.known();
    const scratch = (file: string): boolean => isScratch(file) || isUnfinished(file);
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
    await this.sweep();
  }

  #files(): string[] {
    return globSync('**/*', { cwd: this.root, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) =>
        path.relative(this.root, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'),
      );
  }
}

/** In a bucket called `lake` of a server that speaks S3. */
export class BucketSide extends LakeTables {
  connection: Record<string, unknown>;
  readonly #prefix: string = randomUUID();
  readonly #endpoint: string;
  #storage: Promise<ObjectStorage> | undefined;

  constructor(folder: string, endpoint: string) {
    super(folder);
    this.#endpoint = endpoint;
    this.connection = { type: 'lake', path: `s3://lake/${this.#prefix}`, endpoint };
  }

  get readBy(): ReadBy {
    return { type: 'bucket', connection: this.connection };
  }

  storage(): Promise<ObjectStorage> {
    this.#storage ??= openS3Storage({
      bucket: 'lake',
      prefix: this.#prefix,
      endpoint: this.#endpoint,
      region: undefined,
      profile: undefined,
      forcePathStyle: true,
      // Not the copies of those that are attacked: what these have is not what lies in the bucket.
      cache: { folder: path.join(this.folder, 'side'), bytes: 64 << 20 },
    });
    return this.#storage;
  }

  async leftovers(): Promise<string[]> {
    const known = await this.known();
    const objects = await (await this.storage()).list('', { empty: true });
    return objects.map(({ key }) => key).filter((key) => isScratch(key) && !known.has(key));
  }

  tidy(): Promise<void> {
    return this.sweep();
  }
}

/** Neither the log nor the state. */
function isScratch(key: string): boolean {
  return key.startsWith('_sluice/staging/') || !key.startsWith('_sluice/');
}

/** What a killed process left of an object that it had begun to write; see local-storage.ts. */
function isUnfinished(file: string): boolean {
  return path.basename(file).startsWith('.sluice-unfinished-');
}
