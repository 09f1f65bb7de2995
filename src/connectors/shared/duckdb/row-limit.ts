/** The largest row that an engine has room for. */
import type { RowLimit } from '../../../core/decoder.ts';
import { DataError } from '../../../core/errors.ts';
import { budgetFor } from '../../../core/memory.ts';
import { formatBytes } from '../../../core/units.ts';

const MEBIBYTE = 1 << 20;
const ROUNDING = 64 * MEBIBYTE;

/** How often a row has to fit into the memory that DuckDB is told, as measured. */
interface Copies {
  now: number;
  /** In later loads, which are compared with what is there. */
  later: number;
}

/** For rows of a stream, whose name is given where it is known, with the error that says what a larger one needs. */
export function rowLimit(
  doing: string,
  memoryBytes: number,
  copies: Copies,
  details: { stream?: string } = {},
): RowLimit {
  const bytes = Math.floor(memoryBytes / copies.now);
  return {
    bytes,
    error(row) {
      const memory = `${Math.ceil(budgetFor(row.bytes * copies.later) / ROUNDING) * (ROUNDING / MEBIBYTE)}MiB`;
      const room = `the memory budget has room for rows of up to ${formatBytes(bytes)}`;
      const more = `run it with --memory ${memory} --workers 1 (or \`memory: ${memory}\` in the project)`;
      if ('place' in row)
        return new DataError(
          `${doing}: a record has more than ${formatBytes(row.bytes)}, ${row.place}; ${room}`,
          {
            code: 'data.row_too_large',
            remedy: `does a quote or a line break go wrong there? If not, ${more}`,
            details: { ...details, bytes: row.bytes, memory },
          },
        );
      return new DataError(
        `${doing}: a row has ${formatBytes(row.bytes)}, of which ${formatBytes(row.columnBytes)} are in column "${row.column}"; ${room}`,
        {
          code: 'data.row_too_large',
          remedy: `${more}, or leave the column out with \`columns: { exclude: [${JSON.stringify(row.column)}] }\``,
          details: { ...details, column: row.column, bytes: row.bytes, memory },
        },
      );
    },
  };
}
