/** The thread that has the DuckDB of a target: all its connections, and the decoders whose batches go into its tables. */
import { availableParallelism } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { DuckDBConnection, DuckDBResult, DuckDBValue } from '@duckdb/node-api';
import { RingConsumer } from '../../core/byte-ring.ts';
import type { DecoderFactory } from '../../core/decoder.ts';
import { errorToJson } from '../../core/error-json.ts';
import { schemaFromJson } from '../../core/schema.ts';
import { BatchSource } from '../../duckdb/batch-source.ts';
import { Session } from '../../duckdb/session.ts';
import { duckName } from '../../duckdb/types.ts';
import { rowLimit } from '../shared/duckdb/row-limit.ts';
import { collectGarbage, keepShapes } from '../../core/collect-garbage.ts';
import { sourceFailed } from '../shared/feed-thread.ts';
import type { ThreadReply } from '../shared/task-thread.ts';
import { duckdbError } from './errors.ts';
import { attach, OWNERS } from './file-sql.ts';
import type { EngineOptions, EngineReply, EngineTask } from './target-protocol.ts';

type Task<Kind extends EngineTask['kind'] = EngineTask['kind']> = Extract<EngineTask, { kind: Kind }> & {
  id: number;
};

interface Open {
  connection: DuckDBConnection;
  rows?: DuckDBResult;
}

const PROGRESS_MS = 200;
/** How often a row has to fit: in the batch, in vectors, in the table, and in the block that is written. */
const COPIES = 12;

/** Rows that a table of DuckDB keeps together. */
const ROW_GROUP = 122_880;

const port = parentPort!;
const { file, ...options } = workerData as EngineOptions;
const engine = await Session.open(options);
// Who has hidden tables and lives, see `tryLock` of the dialect.
await engine.run(`CREATE TABLE ${OWNERS} (owner VARCHAR PRIMARY KEY)`, 'starting DuckDB');
// A checkpoint would put groups of rows together that loads have left partly filled, and write most of the table anew for it: a
// third of the time of a large load. Small ones fill them up anyway.
await engine.run('SET max_vacuum_tasks = 0', 'starting DuckDB');
const open = new Map<number, Open>();
/** Names of table functions cannot be used again, so they are numbered. */
let sources = 0;
const reply = (message: ThreadReply | EngineReply): void => port.postMessage(message);

port.on('message', (task: Task) => {
  void run(task)
    .catch((error: unknown) =>
      reply({ kind: 'failed', id: task.id, error: errorToJson(error, 'writing to DuckDB') }),
    )
    .then(collectGarbage);
});
reply({ kind: 'ready' });

async function run(task: Task): Promise<void> {
  const { id } = task;
  switch (task.kind) {
    case 'connect':
      await connect(task);
      return reply({ kind: 'done', id });
    case 'query':
      return query(task);
    case 'load':
      return load(task);
    case 'insert':
      return insert(task);
    case 'empty-buffers':
      await engine.emptyBuffers();
      return reply({ kind: 'done', id });
    case 'begin-rows': {
      const session = open.get(task.session)!;
      session.rows = await translated(task.doing, () => session.connection.stream(task.sql));
      return reply({ kind: 'done', id });
    }
    case 'next-rows': {
      const session = open.get(task.session)!;
      const chunk = await translated(task.doing, () => session.rows!.fetchChunk());
      return reply({ kind: 'rows', id, rows: chunk && chunk.rowCount > 0 ? chunk.getRows() : [] });
    }
    case 'interrupt':
      open.get(task.session)?.connection.interrupt();
      return reply({ kind: 'done', id });
    case 'close':
      await close(task);
      return reply({ kind: 'done', id });
  }
}

async function connect({ session, attach: there }: Task<'connect'>): Promise<void> {
  const connection = await engine.connect();
  try {
    if (there) await translated(`opening "${file.path}"`, () => connection.run(attach(file)));
  } catch (error) {
    connection.closeSync();
    throw error;
  }
  open.set(session, { connection });
}

/** Without a COMMIT this undoes the transaction. */
async function close({ session, last }: Task<'close'>): Promise<void> {
  const { connection } = open.get(session)!;
  open.delete(session);
  connection.interrupt();
  connection.closeSync();
  // Written into the file what is still in its log, unless the disk is full: then the next one does it.
  if (last) await engine.run(`DETACH DATABASE IF EXISTS ${duckName(file.name)}`, 'closing the file');
}

async function query({ id, session, sql, doing, values }: Task<'query'>): Promise<void> {
  const { connection } = open.get(session)!;
  const result = await translated(doing, () =>
    connection.runAndReadAll(sql, values.length > 0 ? (values as DuckDBValue[]) : undefined),
  );
  if (result.rowsChanged > 1 && LEAVES_GAPS.test(sql)) await takeOutGaps();
  reply({ kind: 'result', id, rows: result.getRowObjectsJson(), count: result.rowsChanged });
}

/**
 * Two threads where a group of rows of each fits into half of the memory. They get a third: what is written already would take more, and
 * nobody reads it again; and of a group that is being written ever less is left.
 */
async function insert({ id, session, sql, doing, rowBytes }: Task<'insert'>): Promise<void> {
  const { connection } = open.get(session)!;
  const read = async (): Promise<number> => (await connection.run(sql)).rowsChanged;
  const inTwo = async (): Promise<number> => {
    await engine.run('SET threads = 2', doing);
    try {
      return await engine.within(options.memoryBytes / 3, read);
    } finally {
      await engine.run(`SET threads = ${options.threads}`, doing);
    }
  };
  const both = availableParallelism() > 1 && 2 * ROW_GROUP * rowBytes <= options.memoryBytes / 2;
  reply({ kind: 'inserted', id, rows: await translated(doing, both ? inTwo : read) });
}

const LEAVES_GAPS = /^\s*(DELETE|UPDATE|MERGE)\b/i;
let gaps = false;

/** Room of rows that are gone comes back only so. The books have one row for each table. */
async function takeOutGaps(): Promise<void> {
  if (!gaps) await engine.run('RESET max_vacuum_tasks', 'taking out what is gone');
  gaps = true;
}

async function load(task: Task<'load'>): Promise<void> {
  const ring = new RingConsumer(task.ring);
  const { connection } = open.get(task.session)!;
  try {
    const { decoder: spec } = task;
    const module = (await import(spec.module)) as Record<string, DecoderFactory>;
    const schema = schemaFromJson(task.schema);
    const limit = rowLimit(task.doing, options.memoryBytes, { now: COPIES, later: COPIES });
    const decoder = module[spec.name]!(ring, schema, spec.options, limit);
    let reported = performance.now();
    const source = new BatchSource(decoder);
    source.limit = () => {
      const now = performance.now();
      if (now - reported < PROGRESS_MS) return false;
      reported = now;
      const { rows, bytes } = decoder.facts();
      reply({ kind: 'progress', id: task.id, rows, bytes });
      return false;
    };
    const name = `sluice_source_${sources++}`;
    source.register(connection, name, schema);
    // Rows come from one thread, and others would ask for work all the time: twice the CPU for the same load.
    await engine.run('SET threads = 1', task.doing);
    const taken = await translated(task.doing, async () => {
      try {
        return (await connection.run(task.sql.replace('{}', `${name}()`))).rowsChanged;
      } catch (error) {
        // The reader's own error says more than DuckDB's copy of its text.
        throw source.error ?? error;
      } finally {
        source.close();
        await engine.run(`SET threads = ${options.threads}`, task.doing);
      }
    });
    if (ring.end !== 'ended') throw sourceFailed();
    // Of all threads: what was freed of pages and files lies between what is in use, and would stay while the rows are merged.
    await engine.giveBack();
    reply({ kind: 'loaded', id: task.id, facts: decoder.facts(), taken });
    keepShapes(decoder, source);
  } catch (error) {
    ring.abandon();
    throw error;
  }
}

async function translated<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw duckdbError(error, doing, options.tempDirectory);
  }
}
