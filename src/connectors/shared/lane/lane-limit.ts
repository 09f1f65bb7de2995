/** The largest row that a lane has room for. */
import type { RowLimit } from '../../../core/decoder.ts';
import { rowLimit as limitOf } from '../duckdb/row-limit.ts';
import type { StageTask } from './lane-protocol.ts';

/**
 * How often a row has to fit into the memory of its lane, as measured: DuckDB's string, whose buffer may be twice as large, the
 * row group, the page that is compressed, and some of them for the row before; the bytes of the wire and the batch besides.
 */
const COPIES = 7;
/** Divided into partitions, compared with what the table holds, or put together as a line, it is there more often. */
const COPIES_MORE = 12;

/** The largest row that a task may read, with the error that says what a larger one needs. */
export function rowLimit(lane: number, task: Pick<StageTask, 'stream' | 'minus' | 'files'>): RowLimit {
  const { partitions, text } = task.files;
  const more = task.minus !== undefined || partitions.length > 0 || text !== undefined;
  const now = more ? COPIES_MORE : COPIES;
  const { stream } = task;
  return limitOf(`reading stream "${stream}"`, lane, { now, later: COPIES_MORE }, { stream });
}
