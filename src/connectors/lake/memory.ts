/** The largest row that a lane has room for. */
import { DataError } from '../../core/errors.ts';
import { budgetFor } from '../../core/memory.ts';
import { formatBytes } from '../../core/units.ts';
import type { RowLimit } from '../../core/decoder.ts';
import type { StageTask } from './lane-protocol.ts';

const MEBIBYTE = 1 << 20;
const ROUNDING = 64 * MEBIBYTE;

/**
 * How often a row has to fit into the memory of its lane, as measured: DuckDB's string, whose buffer may be twice as large, the
 * row group, the page that is compressed, and some of them for the row before; the bytes of the wire and the batch besides.
 */
const COPIES = 7;
/** Divided into partitions, or compared with what the table holds, it is there more often. */
const COPIES_MORE = 12;

/** The largest row that a task may read, with the error that says what a larger one needs. */
export function rowLimit(lane: number, task: Pick<StageTask, 'stream' | 'minus' | 'files'>): RowLimit {
  const copies = task.minus !== undefined || task.files.partitions.length > 0 ? COPIES_MORE : COPIES;
  const bytes = Math.floor(lane / copies);
  return {
    bytes,
    error(row) {
      // Also for later loads, which are compared.
      const memory = `${Math.ceil(budgetFor(row.bytes * COPIES_MORE) / ROUNDING) * (ROUNDING / MEBIBYTE)}MiB`;
      return new DataError(
        `reading stream "${task.stream}": a row has ${formatBytes(row.bytes)}, of which ${formatBytes(row.columnBytes)} are in column "${row.column}"; the memory budget has room for rows of up to ${formatBytes(bytes)}`,
        {
          code: 'data.row_too_large',
          remedy: `run it with --memory ${memory} --workers 1 (or \`memory: ${memory}\` in the project), or leave the column out with \`columns: { exclude: [${JSON.stringify(row.column)}] }\``,
          details: { stream: task.stream, column: row.column, bytes: row.bytes, memory },
        },
      );
    },
  };
}
