import { availableParallelism } from 'node:os';
import { asBytes } from '../../../core/batch-wire.ts';
import { CancelledError } from '../../../core/errors.ts';
import { schemaToJson } from '../../../core/schema.ts';
import { throwIfAborted } from '../../../core/errors.ts';
import type { BytesReader, DecodeFacts, FilesForm, SliceReader } from '../../../core/source.ts';
import { frugalAllocator } from '../../../duckdb/allocator.ts';
import { scanQuery, expectScanned, partsOfScan, scanError } from '../duckdb/files-scan.ts';
import { feedThread } from '../feed-thread.ts';
import { type OnProgress, TaskThread } from '../task-thread.ts';
import { ThreadPool } from '../thread-pool.ts';
import { textRowBytes } from './row-groups.ts';
import type {
  CopyTask,
  Done,
  Matched,
  MatchTask,
  StagedFile,
  StageTask,
  Task,
  WorkerOptions,
} from './lane-protocol.ts';

/** Files that are read at once: nobody else is at work while DuckDB reads them. */
const READERS = Math.min(2, availableParallelism());

type Distribute<T> = T extends { id: number } ? Omit<T, 'id'> : never;
type Staged = Extract<Done, { kind: 'staged' }>;

export type StageRequest = Pick<StageTask, 'stream' | 'data' | 'meta' | 'minus' | 'files'>;

/** One worker thread with its DuckDB. Tasks of one lane run one after the other. */
export class Lane {
  readonly #thread: TaskThread<Distribute<Task>, Done>;

  constructor(options: WorkerOptions) {
    // DuckDB is loaded before the first message comes.
    this.#thread = new TaskThread('./worker', import.meta.url, options, frugalAllocator());
  }

  /** Feeds the reader's bytes to the worker, which writes them. */
  async stage(
    task: StageRequest,
    slice: SliceReader,
    onRows: OnProgress,
    signal: AbortSignal,
  ): Promise<{ facts: DecodeFacts; files: StagedFile[] }> {
    const reader = slice.format === 'bytes' ? slice : asBytes(slice);
    const { direct } = reader;
    if (direct?.format === 'plain-files' && !task.minus)
      return this.#read(task, { ...reader, direct }, onRows, signal);
    const schema = schemaToJson(reader.schema);
    const { facts, files } = await feedThread(
      reader,
      (ring) =>
        this.#thread.send(
          { kind: 'stage', ring, schema, decoder: reader.decoder, ...task },
          onRows,
        ) as Promise<Staged>,
      signal,
    );
    return { facts: slice.format === 'bytes' ? facts : { ...slice.facts(), rows: facts.rows }, files };
  }

  /** DuckDB reads the files, which takes no thread of ours. */
  async #read(
    task: StageRequest,
    { direct, schema }: BytesReader & { direct: FilesForm },
    onRows: OnProgress,
    signal: AbortSignal,
  ): Promise<{ facts: DecodeFacts; files: StagedFile[] }> {
    throwIfAborted(signal);
    const { scan } = direct;
    const facts = direct.facts();
    const select = task.meta === undefined ? task.data : `${task.data}, ${task.meta}`;
    // To take partitions out of their rows, a writer needs the memory of all.
    const readers = task.files.partitions.length > 0 ? 1 : READERS;
    const queries = partsOfScan(scan, readers).map(
      (part) => `SELECT ${select} FROM (${scanQuery({ scan: part, schema })})`,
    );
    const rowBytes = textRowBytes(schema, facts);
    const stop = (): void => void this.#thread.send({ kind: 'interrupt' }).catch(() => undefined);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const done = await this.#thread.send({ kind: 'read', queries, rowBytes, files: task.files });
      const { files } = done as Staged;
      const rows = files.reduce((sum, file) => sum + file.rows, 0);
      await expectScanned(direct, rows);
      onRows(rows, facts.bytes);
      return { facts, files };
    } catch (error) {
      throwIfAborted(signal);
      throw scanError(direct, error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  get alive(): boolean {
    return this.#thread.alive;
  }

  async copy(task: Omit<CopyTask, 'id' | 'kind'>): Promise<StagedFile[]> {
    return ((await this.#thread.send({ kind: 'copy', ...task })) as Staged).files;
  }

  async match(task: Omit<MatchTask, 'id' | 'kind'>): Promise<Matched> {
    return (await this.#thread.send({ kind: 'match', ...task })) as Extract<Done, { kind: 'matched' }>;
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return ((await this.#thread.send({ kind: 'query', sql })) as Extract<Done, { kind: 'rows' }>).rows;
  }

  close(): Promise<void> {
    return this.#thread.close(new CancelledError('the lane is closed', { code: 'lake.closed' }));
  }
}

/** DuckDB takes every file in its folder for its own, and makes that folder, but not the one above it: each lane has its own. */
export function lanePool(options: WorkerOptions, size: number): ThreadPool<Lane> {
  let started = 0;
  return new ThreadPool(
    () => new Lane({ ...options, tempDirectory: `${options.tempDirectory}-${started++}` }),
    size,
  );
}
