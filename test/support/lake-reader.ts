/** Reads a table of a lake as a reader of the commit log sees it. */
import path from 'node:path';
import { openTableLog } from '../../src/connectors/lake/log.ts';
import { columnsOf, scanSql } from '../../src/connectors/lake/records-sql.ts';
import { currentSchema } from '../../src/connectors/lake/records.ts';
import { withFiles } from '../../src/connectors/shared/local-files.ts';
import type { ObjectStorage } from '../../src/core/storage.ts';
import { type LogicalType, parseType } from '../../src/core/types.ts';
import { duckName } from '../../src/duckdb/types.ts';
import { Session } from '../../src/duckdb/session.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';

export class LakeReader {
  readonly #open: () => Promise<ObjectStorage>;
  readonly #scratch: string;
  #session: Promise<Session> | undefined;

  /** Each table is read by a storage that knows nothing of what others have read. */
  constructor(open: () => Promise<ObjectStorage>, scratch: string) {
    this.#open = open;
    this.#scratch = scratch;
  }

  async read(table: string): Promise<{ columns: string[]; rows: Cell[][] } | undefined> {
    const storage = await this.#open();
    const state = await openTableLog(storage, table).read();
    if (!state) return undefined;
    this.#session ??= Session.open({
      memoryBytes: 128 << 20,
      threads: 1,
      tempDirectory: path.join(this.#scratch, 'spill'),
    });
    const session = await this.#session;
    const columns = columnsOf(currentSchema(state)!).filter((column) => !column.meta);
    const cells = columns.map(
      (column, i) => `${cellSql(duckName(column.name), parseType(column.type)!)} AS c${i}`,
    );
    const rows = await withFiles({ storage, files: state.files }, () =>
      session.rows(
        `SELECT ${cells.join(', ')} FROM (${scanSql({ storage, state, files: state.files })})`,
        `reading ${table}`,
      ),
    );
    return {
      columns: columns.map((column) => column.field),
      rows: rows.map((row) => columns.map((column, i) => asCell(row[`c${i}`], column.type))),
    };
  }

  async close(): Promise<void> {
    await this.#session?.then((session) => session.close());
  }
}

function asCell(value: unknown, type: string): Cell {
  if (value === null || value === undefined) return null;
  // Both print the shortest digits that tell a number apart, in forms of their own.
  if (!type.startsWith('float')) return value as string;
  const number = type === 'float32' ? Math.fround(Number(value)) : Number(value);
  return Object.is(number, -0) ? '-0' : String(number);
}

/** A value as batch-rows.ts writes it. */
function cellSql(column: string, type: LogicalType): string {
  switch (type.kind) {
    case 'binary':
      return `lower(hex(${column}))`;
    case 'date':
      return `(${column} - DATE '1970-01-01')::VARCHAR`;
    case 'time':
      return `epoch_us(${column})::VARCHAR`;
    case 'timestamp':
      return `epoch_us(${column})::VARCHAR`;
    case 'float32':
    case 'float64':
      return `CASE WHEN isinf(${column}) THEN 'Infinity' ELSE ${column}::VARCHAR END`;
    default:
      return `${column}::VARCHAR`;
  }
}
