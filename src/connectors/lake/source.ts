import type { Comparable } from '../../core/compare.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import { ConfigError, DataError, throwIfAborted, TransientError } from '../../core/errors.ts';
import { sourceEngineMemory } from '../../core/memory.ts';
import type {
  BatchesReader,
  Loaded,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { Checkpoint, RunWindow, Slice, StreamConfig } from '../../core/stream.ts';
import { duckError } from '../../duckdb/errors.ts';
import { readQuery } from '../shared/duckdb/slice-reader.ts';
import { closed, SourceEngine } from '../shared/duckdb/source-engine.ts';
import { splitName } from '../shared/stream-name.ts';
import { AskingFiles } from '../shared/duckdb/asking-files.ts';
import { describeTable } from './describe.ts';
import { inParallel, listTables, openTableLog, type TableLog } from './log.ts';
import type { LakeOptions } from './options.ts';
import { currentSchema, type DataFile, type FoldedState } from './records.ts';
import { compareLake } from './source-compare.ts';
import {
  advance,
  type Lake,
  type LakeSurvey,
  type PinnedTable,
  sliceQuery,
  survey,
} from './source-survey.ts';

const HISTORY = '_history';

export class LakeSource implements Source {
  readonly #storage: ObjectStorage;
  readonly #partBytes: number;
  readonly #context: ConnectorContext;
  readonly #open = new Set<SourceEngine>();

  constructor(storage: ObjectStorage, options: LakeOptions, context: ConnectorContext) {
    this.#storage = storage;
    this.#partBytes = options.slice_size;
    this.#context = context;
  }

  async check(signal: AbortSignal): Promise<SourceFacts> {
    throwIfAborted(signal);
    const tables = await listTables(this.#storage);
    return {
      title: `${this.#storage.describe()}, ${tables.length} ${tables.length === 1 ? 'table' : 'tables'}`,
      warnings: [],
    };
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    throwIfAborted(signal);
    const found = await inParallel(await listTables(this.#storage), (table) =>
      openTableLog(this.#storage, table).read(),
    );
    return found.filter((state) => state !== undefined && currentSchema(state)).map((s) => describeTable(s!));
  }

  async open(signal: AbortSignal): Promise<Snapshot> {
    throwIfAborted(signal);
    const names = await listTables(this.#storage);
    // Where the folder is not there, or its drive is not mounted, every table would look as if it were gone.
    if (names.length === 0 && (await this.#storage.list('_sluice/')).length === 0) throw this.#missing();
    const tables = await inParallel(names, async (table): Promise<Pinned> => {
      const log = openTableLog(this.#storage, table);
      // A table that cannot be read says so to those who want it.
      return [table, { log, state: await log.read().catch((error: unknown) => error as Error) }];
    });
    const engine = new SourceEngine({
      memoryBytes: sourceEngineMemory(this.#context.memoryBytes),
      threads: Math.max(1, this.#context.workers),
    });
    this.#open.add(engine);
    return new LakeSnapshot({ storage: this.#storage, engine, partBytes: this.#partBytes }, new Map(tables));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((engine) => engine.close()));
  }

  #missing(): ConfigError {
    return new ConfigError(`reading the lake: there is none in ${this.#storage.describe()}`, {
      code: 'lake.missing',
      remedy: 'correct its path, or load something into it first; is its drive mounted?',
    });
  }
}

function miscounted({ name }: StreamConfig, found: number, said: number): DataError {
  return new DataError(`reading ${name}: its files have ${found} rows where the log says ${said}`, {
    code: 'lake.row_count',
    remedy: '`sluice catalog check` names files that are not as they were written',
  });
}

type Pinned = [string, { log: TableLog; state: FoldedState | Error | undefined }];

/** The commits that were there when it was made. Their files stay for the lake's `retention` when newer ones replace them. */
class LakeSnapshot implements Snapshot {
  readonly at: string;
  readonly #lake: Lake;
  readonly #tables: ReadonlyMap<string, Pinned[1]>;
  #closed = false;

  constructor(lake: Lake, tables: ReadonlyMap<string, Pinned[1]>) {
    this.#lake = lake;
    this.#tables = tables;
    // Never before a commit that is seen, whatever the clock of this machine says.
    const commits = [...tables.values()].map(({ state }) =>
      state === undefined || state instanceof Error ? 0 : state.last.wallMs,
    );
    const at = new Date(commits.reduce((a, b) => Math.max(a, b), Date.now()));
    this.at = at.toISOString().replace('T', ' ').replace('Z', '000+00');
  }

  async survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<Survey> {
    this.#alive(signal);
    const table = this.#table(stream);
    const doing = `looking at ${stream.name}`;
    try {
      return await survey({
        stream,
        checkpoint,
        window,
        table,
        signal,
        at: this.at,
        lake: this.#lake,
      });
    } catch (error) {
      throw duckError(await this.#explain(error, stream, table.state.files), doing);
    }
  }

  async read(
    stream: StreamConfig,
    surveyed: Survey,
    slice: Slice,
    signal: AbortSignal,
  ): Promise<BatchesReader> {
    this.#alive(signal);
    const { relation, all } = surveyed as LakeSurvey;
    const explain = (error: unknown): Promise<unknown> => this.#explain(error, stream, all.files);
    try {
      const { sql, files, exact } = await sliceQuery(surveyed as LakeSurvey, slice.range, this.#lake, signal);
      const { schema, cursor } = relation;
      return readQuery(
        {
          stream: stream.name,
          schema,
          sql,
          cursor: cursor && { type: cursor.type, columns: cursor.names.length },
          exact:
            exact === undefined
              ? undefined
              : { rows: exact, differs: (found) => miscounted(stream, found, exact) },
        },
        new AskingFiles(this.#lake, files),
        signal,
        explain,
      );
    } catch (error) {
      throw duckError(await explain(error), `reading ${stream.name}`);
    }
  }

  advance(loaded: Loaded): Checkpoint {
    return advance(loaded, this.at);
  }

  compare(stream: StreamConfig, surveyed: Survey): Comparable {
    return compareLake(surveyed as LakeSurvey, stream.nullCursor === 'skip', (sql, { signal }) =>
      this.#rows(stream, surveyed as LakeSurvey, sql, signal),
    );
  }

  async *#rows(
    stream: StreamConfig,
    surveyed: LakeSurvey,
    sql: string,
    signal: AbortSignal,
  ): AsyncGenerator<readonly unknown[][]> {
    this.#alive(signal);
    try {
      yield* new AskingFiles(this.#lake, surveyed.all.files).chunks(sql, signal);
    } catch (error) {
      throw duckError(await this.#explain(error, stream, surveyed.all.files), `comparing ${stream.name}`);
    }
  }

  async alive(): Promise<boolean> {
    return !this.#closed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    void this.#lake.engine.end();
  }

  #alive(signal: AbortSignal): void {
    throwIfAborted(signal);
    if (this.#closed) throw closed();
  }

  /** `orders` are the current rows, `orders_history` all versions, unless there is a table of that name. */
  #table(stream: StreamConfig): PinnedTable {
    const parts = splitName(stream.name);
    const plain = parts.length === 1 ? parts[0]! : stream.name;
    const base = plain.endsWith(HISTORY) ? plain.slice(0, -HISTORY.length) : undefined;
    const history = !this.#tables.has(plain) && base !== undefined;
    const name = history ? base : plain;
    const found = this.#tables.get(name);
    if (found?.state instanceof Error) throw found.state;
    if (!found?.state || !currentSchema(found.state))
      throw new ConfigError(`reading ${stream.name}: the lake has no such table`, {
        code: 'lake.no_table',
        remedy: '`sluice discover` lists what is there',
        details: { stream: stream.name },
      });
    const { state, log } = found;
    return { name, state, history, since: (seq) => log.since(seq, state.version) };
  }

  /** A file that is gone was replaced, and swept when its time was over. */
  async #explain(error: unknown, stream: StreamConfig, files: readonly DataFile[]): Promise<unknown> {
    if (files.length === 0 || (error instanceof Error && error.name === 'CancelledError')) return error;
    const there = await this.#lake.storage.list(folderOf(files)).catch(() => undefined);
    const keys = new Set(there?.map(({ key }) => key));
    const gone = there && files.find(({ key }) => !keys.has(key));
    if (!gone) return error;
    return new TransientError(`reading ${stream.name}: file "${gone.key}" is gone`, {
      code: 'engine.old_snapshot',
      remedy:
        'newer loads have replaced it and its `retention` was over: raise that in the connection of the lake; otherwise `sluice catalog check` tells more',
      cause: error,
    });
  }
}

/** All files of a table are below one folder. */
function folderOf([first]: readonly DataFile[]): string {
  return first!.key.slice(0, first!.key.indexOf('/') + 1);
}
