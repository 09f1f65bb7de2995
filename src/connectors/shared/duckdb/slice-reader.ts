/** A query of DuckDB as batches: chunks become columns without a value of JavaScript for each. */
import type { DuckDBConnection } from '@duckdb/node-api';
import { Batch, Column } from '../../../core/batch.ts';
import { type DataError, throwIfAborted } from '../../../core/errors.ts';
import type { Schema } from '../../../core/schema.ts';
import type { BatchesReader, DecodeFacts } from '../../../core/source.ts';
import type { LogicalType } from '../../../core/types.ts';
import { duckError } from '../../../duckdb/errors.ts';
import { HighWater } from '../high-water.ts';
import type { Asking } from './source-engine.ts';

const BATCH_ROWS = 2048;
const BATCH_BYTES = 8 << 20;

export interface SliceQuery {
  stream: string;
  schema: Schema;
  /** Columns of the schema, then those of the cursor. */
  sql: string;
  /** Of the cursor's columns. */
  cursor: { type: LogicalType; columns: number } | undefined;
  /** How many rows there are, where it is known, and the error for when as many were read instead. */
  exact: { rows: number; differs(found: number): DataError } | undefined;
}

/** `explain` says more of an error that came while reading. */
export function readQuery(
  query: SliceQuery,
  engine: Asking,
  signal: AbortSignal,
  explain: (error: unknown) => Promise<unknown>,
): BatchesReader {
  const facts: DecodeFacts = { rows: 0, bytes: 0, high: undefined, coerced: {} };
  let reading: AsyncGenerator<Batch> | undefined;
  const batches = (): AsyncGenerator<Batch> => (reading = explained());
  async function* explained(): AsyncGenerator<Batch> {
    try {
      yield* engine.using(signal, (connection) => stream(query, { connection, signal }, facts));
    } catch (error) {
      throw duckError(await explain(error), `reading ${query.stream}`);
    }
  }
  // Who stops in the middle leaves it to us to end the query.
  const close = async (): Promise<void> => void (await reading?.return(undefined).catch(() => undefined));
  return { format: 'batches', schema: query.schema, batches, facts: () => facts, close };
}

async function* stream(
  query: SliceQuery,
  { connection, signal }: { connection: DuckDBConnection; signal: AbortSignal },
  facts: DecodeFacts,
): AsyncGenerator<Batch> {
  const { ChunkRows } = await import('../../../duckdb/read-vectors.ts');
  const { schema, sql, cursor, exact } = query;
  const batch = new Batch(schema, BATCH_ROWS);
  const marks = Array.from({ length: cursor?.columns ?? 0 }, () => new Column(cursor!.type, BATCH_ROWS));
  const waters = marks.map((column) => new HighWater(column));
  const columns = [...batch.columns, ...marks];
  const result = await connection.stream(sql);
  let next = result.fetchChunk();
  try {
    for (;;) {
      const chunk = await next;
      if (!chunk || chunk.rowCount === 0) break;
      // DuckDB goes on while this chunk is used.
      next = result.fetchChunk();
      next.catch(() => undefined);
      const rows = new ChunkRows(chunk.chunk, columns);
      for (let from = 0; from < rows.rows;) {
        throwIfAborted(signal);
        const to = rows.cut(from, BATCH_BYTES);
        for (const column of columns) column.reset();
        rows.read(columns, from, to);
        batch.rows = to - from;
        for (const water of waters) water.look(0, batch.rows);
        facts.rows += batch.rows;
        facts.bytes += batch.byteLength();
        from = to;
        yield batch;
      }
      rows.release();
    }
  } finally {
    // The connection is closed when nobody is in it any more.
    connection.interrupt();
    await next.catch(() => undefined);
  }
  facts.high = waters.length === 0 ? undefined : HighWater.greatest(waters);
  if (exact && facts.rows !== exact.rows) throw exact.differs(facts.rows);
}
