/** The thread that owns one DuckDB: it decodes, compares and writes Parquet, one task at a time. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { RingConsumer } from '../../../core/byte-ring.ts';
import type { Decoder, DecoderFactory } from '../../../core/decoder.ts';
import { errorToJson } from '../../../core/error-json.ts';
import { schemaFromJson } from '../../../core/schema.ts';
import type { DecodeFacts } from '../../../core/source.ts';
import { BatchSource } from '../../../duckdb/batch-source.ts';
import { duckError } from '../../../duckdb/errors.ts';
import { Session } from '../../../duckdb/session.ts';
import { collectGarbage, keepShapes } from '../../../core/collect-garbage.ts';
import { sourceFailed } from '../feed-thread.ts';
import type {
  CopyTask,
  Minus,
  ReadTask,
  Reply,
  StagedFile,
  StageTask,
  Task,
  WorkerOptions,
} from './lane-protocol.ts';
import { fileScan, HASH, hashParts, partsFor } from './hash-split.ts';
import { matchKeys } from './key-match.ts';
import { TextWriter } from './text-writer.ts';
import { ParquetWriter } from './parquet-writer.ts';
import { rowLimit } from './lane-limit.ts';
import { batchRowBytes, queryRowBytes } from './row-groups.ts';
import { hasSignedZeros } from './signed-zeros.ts';

const port = parentPort!;
const session = await Session.open(workerData as WorkerOptions);
const reply = (message: Reply): void => port.postMessage(message);
/** Names of table functions cannot be reused, so they are numbered. */
let sources = 0;

port.on('message', (task: Task) => {
  void run(task)
    .catch((error: unknown) =>
      reply({ kind: 'failed', id: task.id, error: errorToJson(error, 'writing files') }),
    )
    .then(collectGarbage);
});
reply({ kind: 'ready' });

async function run(task: Task): Promise<void> {
  switch (task.kind) {
    case 'stage':
      return stage(task);
    case 'read':
      return read(task);
    case 'interrupt':
      interrupt();
      return reply({ kind: 'rows', id: task.id, rows: [] });
    case 'copy':
      return copy(task);
    case 'match':
      return reply({ kind: 'matched', id: task.id, ...(await matchKeys(session, task)) });
    case 'query':
      return reply({ kind: 'rows', id: task.id, rows: await session.rows(task.sql, 'querying files') });
  }
}

async function stage(task: StageTask): Promise<void> {
  const ring = new RingConsumer(task.ring);
  try {
    const module = (await import(task.decoder.module).catch((error: unknown) => {
      throw duckError(error, 'loading the decoder');
    })) as Record<string, DecoderFactory>;
    const schema = schemaFromJson(task.schema);
    const limit = rowLimit(session.memoryBytes, task);
    const decoder = module[task.decoder.name]!(ring, schema, task.decoder.options, limit);
    const source = new BatchSource(decoder);
    const name = `sluice_source_${sources++}`;
    source.register(session.connection, name, schema);
    const files = await writeStaged(task, source, decoder, name);
    if (ring.end !== 'ended') throw sourceFailed();
    reply({ kind: 'staged', id: task.id, facts: decoder.facts(), files });
    keepShapes(decoder, source);
  } catch (error) {
    ring.abandon();
    throw error;
  }
}

async function writeStaged(
  task: StageTask,
  source: BatchSource,
  decoder: Decoder,
  name: string,
): Promise<StagedFile[]> {
  const progress = (): void => report(task.id, decoder.facts());
  try {
    const first = source.peek();
    const { text, empty } = task.files;
    if (!first && !text && empty !== true) return [];
    const rowBytes = first ? batchRowBytes(first) : 1;
    if (task.minus !== undefined) {
      const writer = new ParquetWriter(session, task.files, rowBytes);
      return await writeMinus(task, task.minus, writer, { source, name });
    }
    const writer = text
      ? new TextWriter(session, task.files, text)
      : new ParquetWriter(session, task.files, rowBytes);
    const select = task.meta === undefined ? task.data : `${task.data}, ${task.meta}`;
    let signedZeros = first?.negativeZero ?? false;
    // Without rows there is a file all the same.
    do {
      const full = writer.fullCheck();
      source.limit = () => {
        progress();
        return full();
      };
      // Files are written without dictionaries from the first -0 on, and with them before.
      const plain = signedZeros;
      source.border = (batch) => writer.splits && !plain && batch.negativeZero;
      await writer.write(`SELECT ${select} FROM ${name}()`, plain);
      const next = source.peek();
      if (next) writer.rowBytes = batchRowBytes(next);
      signedZeros ||= next?.negativeZero ?? false;
    } while (!source.done);
    return await writer.finish();
  } catch (error) {
    // The reader's own error says more than DuckDB's copy of its text.
    throw source.error ?? error;
  } finally {
    source.close();
  }
}

async function writeMinus(
  task: StageTask,
  minus: Minus,
  writer: ParquetWriter,
  { source, name }: { source: BatchSource; name: string },
): Promise<StagedFile[]> {
  let signedZeros = false;
  source.border = (batch) => {
    signedZeros ||= batch.negativeZero;
    return false;
  };
  const scratch = (query: string): Promise<string> => writer.writeScratch(query, true);
  const incoming = await scratch(
    `SELECT *, ${minus.hash} AS ${HASH} FROM (SELECT ${task.data} FROM ${name}())`,
  );
  const sides = {
    left: fileScan(incoming),
    right: `SELECT *, ${minus.hash} AS ${HASH} FROM (${minus.committed})`,
  };
  const bytes = Math.max(source.bytes, source.rows * writer.rowBytes);
  const parts = partsFor(bytes, session.memoryBytes);
  const fresh: string[] = [];
  for await (const { left, right } of hashParts(sides, parts, scratch)) {
    const doing = 'comparing rows with those that are loaded';
    await session.run(`CREATE OR REPLACE TEMP VIEW sluice_incoming AS ${left}`, doing);
    await session.run(`CREATE OR REPLACE TEMP VIEW sluice_committed AS ${right}`, doing);
    fresh.push(await scratch(signedZeros ? minus.signed : minus.plain));
  }
  const select = task.meta === undefined ? '*' : `*, ${task.meta}`;
  await writer.write(`SELECT ${select} FROM (${fileScan(...fresh)})`, signedZeros);
  for (const file of [incoming, ...fresh]) rmSync(file, { force: true });
  return writer.files;
}

/** For statements that run beside others. */
const beside: Session[] = [];
let reading = false;
let stopping: NodeJS.Timeout | undefined;
const STOP_MS = 50;

/** Until the end of what is read: nothing is stopped by it that begins a moment later. */
function interrupt(): void {
  if (!reading) return;
  for (const each of [session, ...beside]) each.connection.interrupt();
  stopping ??= setInterval(interrupt, STOP_MS);
}

async function read(task: ReadTask): Promise<void> {
  reading = true;
  try {
    const files = await session.keepingFreed(() => readAll(task));
    reply({ kind: 'staged', id: task.id, facts: NO_FACTS, files });
  } finally {
    reading = false;
    clearInterval(stopping);
    stopping = undefined;
  }
}

async function readAll({ queries, rowBytes, files: options }: ReadTask): Promise<StagedFile[]> {
  while (beside.length < queries.length - 1) beside.push(await session.beside());
  const sessions = [session, ...beside];
  const written = await Promise.allSettled(
    queries.map(async (query, i) => {
      const directory = join(options.directory, String(i));
      const writer = new ParquetWriter(sessions[i]!, { ...options, directory }, rowBytes);
      // What was read plainly has no -0.
      await writer.write(query, false);
      return writer.files;
    }),
  );
  // All have ended by now: nobody writes into the folder any more.
  return written.flatMap((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

const NO_FACTS: DecodeFacts = { rows: 0, bytes: 0, high: undefined, coerced: {} };

async function copy(task: CopyTask): Promise<void> {
  const writer = new ParquetWriter(session, task.files, await queryRowBytes(session, task.query));
  await writer.write(task.query, await hasSignedZeros(session, task.query));
  reply({ kind: 'staged', id: task.id, facts: NO_FACTS, files: writer.files });
}

let reported = 0;
function report(id: number, facts: DecodeFacts): void {
  const now = performance.now();
  if (now - reported < 200) return;
  reported = now;
  reply({ kind: 'progress', id, rows: facts.rows, bytes: facts.bytes });
}
