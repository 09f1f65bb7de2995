import { DuckDBTableFunction, type DuckDBPreparedStatement } from '@duckdb/node-api';
import bindings from '@duckdb/node-bindings';
import type { Batch, Column } from '../core/batch.ts';
import type { Schema } from '../core/schema.ts';
import { duckTypeObject } from './batch-source.ts';
import { duckError } from './errors.ts';
import { ChunkRows } from './read-vectors.ts';
import type { Session } from './session.ts';
import { sourceColumn } from './types.ts';
import { fillVector, invalidText } from './vectors.ts';

/** What the table function hands to DuckDB next. */
interface Given {
  batch: Batch | undefined;
  error: unknown;
}

/** Names of table functions cannot be used again. */
let queries = 0;

/**
 * A projection that is computed for one batch at a time: a row of the result for each row of the batch, in their order. Only the
 * columns that it names go into DuckDB.
 */
export class BatchQuery {
  readonly #doing: string;
  readonly #statement: DuckDBPreparedStatement;
  readonly #given: Given;

  private constructor(doing: string, statement: DuckDBPreparedStatement, given: Given) {
    this.#doing = doing;
    this.#statement = statement;
    this.#given = given;
  }

  /** `sql` makes the query for a table whose columns are called as {@link sourceColumn} says; `doing` begins messages. */
  static async open(
    session: Session,
    schema: Schema,
    sql: (table: string) => string,
    doing: string,
  ): Promise<BatchQuery> {
    const name = `sluice_batch_${queries++}`;
    const given: Given = { batch: undefined, error: undefined };
    let wanted: number[] = [];
    session.connection.registerTableFunction(
      DuckDBTableFunction.create({
        name,
        supportsProjectionPushdown: true,
        bindFunction: (bind) =>
          schema.fields.forEach(({ type }, i) => bind.addResultColumn(sourceColumn(i), duckTypeObject(type))),
        initFunction: (init) => {
          init.setMaxThreads(1);
          wanted = init.getColumnIndexes();
        },
        mainFunction: (info, { chunk }) => {
          const { batch } = given;
          given.batch = undefined;
          bindings.data_chunk_set_size(chunk, batch?.rows ?? 0);
          if (!batch) return;
          try {
            for (const [place, index] of wanted.entries()) {
              const column = batch.columns[index];
              // A query without a column asks for one that there is not, and does not look into it.
              if (!column) continue;
              const vector = bindings.data_chunk_get_vector(chunk, place);
              if (!fillVector(vector, column, 0, batch.rows)) throw invalidText(schema.fields[index]!.name);
            }
          } catch (error) {
            given.error = error;
            bindings.data_chunk_set_size(chunk, 0);
            info.setError(error instanceof Error ? error.message : String(error));
          }
        },
      }),
    );
    try {
      return new BatchQuery(doing, await session.connection.prepare(sql(`${name}()`)), given);
    } catch (error) {
      throw duckError(error, doing);
    }
  }

  /** Fills `into`, columns for as many rows as the batch has: at most as many as a vector of DuckDB. */
  async run(batch: Batch, into: readonly Column[]): Promise<void> {
    this.#given.batch = batch;
    for (const column of into) column.reset();
    try {
      const chunk = await (await this.#statement.run()).fetchChunk();
      if (chunk?.rowCount !== batch.rows) throw new Error(`${chunk?.rowCount ?? 0} rows for ${batch.rows}`);
      const found = new ChunkRows(chunk.chunk, into);
      found.read(into, 0, found.rows);
      found.release();
    } catch (error) {
      throw duckError(this.#given.error ?? error, this.#doing);
    }
  }
}
