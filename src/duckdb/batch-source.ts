import { DuckDBTableFunction, type DuckDBType, type DuckDBConnection } from '@duckdb/node-api';
import * as api from '@duckdb/node-api';
import bindings from '@duckdb/node-bindings';
import type { Batch, BatchReader } from '../core/batch.ts';
import type { Schema } from '../core/schema.ts';
import type { LogicalType } from '../core/types.ts';
import { duckError } from './errors.ts';
import { sourceColumn } from './types.ts';
import { fillChunk, VECTOR_ROWS } from './vectors.ts';

/** When one scan of the source ends although the reader has more. Asked after each chunk. */
export type ScanLimit = () => boolean;

/** Whether one scan of the source ends before a batch, which the next one then begins with. */
export type ScanBorder = (batch: Batch) => boolean;

const NOTHING: BatchReader = { next: () => undefined };

/**
 * Batches as a DuckDB table: `SELECT * FROM <name>()` pulls from the reader. A statement reads until the
 * reader is empty or the limit says stop; the next statement goes on from there. The callback runs on this
 * thread while DuckDB computes on its own, so the next batch is made ready in between.
 */
export class BatchSource {
  #reader: BatchReader;
  #batch: Batch | undefined;
  #from = 0;
  #ready = false;
  #limit: ScanLimit = () => false;
  #border: ScanBorder = () => false;
  #stopped = false;
  #error: Error | undefined;
  /** Rows handed to DuckDB so far, and the bytes of their values. */
  rows = 0;
  bytes = 0;

  constructor(reader: BatchReader) {
    this.#reader = reader;
  }

  register(connection: DuckDBConnection, name: string, schema: Schema): void {
    const types = schema.fields.map((field) => duckTypeObject(field.type));
    connection.registerTableFunction(
      DuckDBTableFunction.create({
        name,
        bindFunction: (bind) => types.forEach((type, i) => bind.addResultColumn(sourceColumn(i), type)),
        initFunction: (init) => {
          init.setMaxThreads(1);
          this.#stopped = false;
        },
        mainFunction: (info, output) => {
          try {
            this.#fill(output.chunk);
          } catch (error) {
            this.#fail(error);
            bindings.data_chunk_set_size(output.chunk, 0);
            info.setError(error instanceof Error ? error.message : String(error));
          }
        },
      }),
    );
  }

  /** The first batch, so that its width can be known before a statement is written; undefined when there are no rows. */
  peek(): Batch | undefined {
    this.#prepare();
    return this.#batch;
  }

  /** Whether the reader has given everything. */
  get done(): boolean {
    return this.#ready && this.#batch === undefined;
  }

  /** What the reader threw, in its own class; DuckDB only carries the text. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Lets go of the reader and of its last batch: the engine keeps the function, and what it refers to, until its own end. */
  close(): void {
    this.#reader = NOTHING;
    this.#batch = undefined;
    this.#ready = true;
    this.#limit = () => false;
    this.#border = () => false;
  }

  set limit(limit: ScanLimit) {
    this.#limit = limit;
  }

  set border(border: ScanBorder) {
    this.#border = border;
  }

  #fail(error: unknown): void {
    this.#error ??= duckError(error, 'handing rows to DuckDB');
  }

  #prepare(): void {
    if (this.#ready) return;
    this.#batch = this.#reader.next();
    this.#from = 0;
    this.#ready = true;
  }

  #fill(chunk: api.DuckDBDataChunk['chunk']): void {
    if (this.#error !== undefined) throw this.#error;
    if (!this.#stopped) this.#prepare();
    const batch = this.#batch;
    if (batch && this.#from === 0 && this.#border(batch)) this.#stopped = true;
    if (this.#stopped || !batch) {
      bindings.data_chunk_set_size(chunk, 0);
      return;
    }
    const count = Math.min(VECTOR_ROWS, batch.rows - this.#from);
    fillChunk(chunk, batch, this.#from, count);
    this.rows += count;
    this.bytes += (batch.byteLength() * count) / batch.rows;
    this.#from += count;
    if (this.#limit()) this.#stopped = true;
    if (this.#from < batch.rows) return;
    this.#ready = false;
    // Decoded while DuckDB works on this chunk; an error is kept for the next call.
    setImmediate(() => {
      try {
        this.#prepare();
      } catch (error) {
        this.#fail(error);
      }
    });
  }
}

const SIMPLE: Partial<Record<LogicalType['kind'], DuckDBType>> = {
  bool: api.BOOLEAN,
  int16: api.SMALLINT,
  int32: api.INTEGER,
  int64: api.BIGINT,
  float32: api.FLOAT,
  float64: api.DOUBLE,
  utf8: api.VARCHAR,
  json: api.VARCHAR,
  binary: api.BLOB,
  uuid: api.UUID,
  date: api.DATE,
  time: api.TIME,
};

export function duckTypeObject(type: LogicalType): DuckDBType {
  if (type.kind === 'decimal') return api.DECIMAL(type.precision, type.scale);
  if (type.kind === 'timestamp') return type.zone ? api.TIMESTAMPTZ : api.TIMESTAMP;
  return SIMPLE[type.kind]!;
}
