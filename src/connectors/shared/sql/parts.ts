/** Indexes and foreign keys as what a table can be without for a while; what differs between systems. */
import type { ForeignKeyStructure } from '../../../core/structure.ts';
import type { ShapeJob, SqlSession, SqlSystem } from './system.ts';

export interface TablePart {
  /** The one that has it, quoted. */
  table: string;
  kind: 'index' | 'foreign key';
  name: string;
  /** The whole statement that makes it. */
  sql: string;
  /** The table that a foreign key refers to, quoted. */
  refers?: string | undefined;
  /** The first column of an index; undefined for an expression. */
  column?: string | undefined;
  /**
   * Of an index: all that it does is to find rows. Of a foreign key: it changes or deletes rows when those that they refer
   * to are deleted or changed.
   */
  loose: boolean;
}

export interface PartsDialect {
  /** Quoted name of the table of what is missing, with the columns of {@link MISSING}. */
  readonly books: string;
  /** Has a row when they are there; `SqlDialect.setUp` makes them. */
  readonly booksExist: string;
  /**
   * Indexes and foreign keys of a table, given quoted, and the foreign keys that refer to it; undefined when there is no such
   * table. Foreign keys that are derived from others are left out.
   */
  list(session: SqlSession, table: string): Promise<TablePart[] | undefined>;
  /** Takes parts of one table away, and waits for locks as long as others can be kept waiting. */
  drop(table: string, parts: readonly TablePart[]): readonly string[];
  /** Makes parts of one table. */
  add(table: string, parts: readonly Pick<TablePart, 'kind' | 'sql'>[]): readonly string[];
  /** One statement for all indexes of a table goes through its rows once; else each is made by a session of its own. */
  readonly atOnce: boolean;
  /** Has a row when a foreign key is there that does not hold, on systems that do not look when it is made. */
  readonly broken?: (part: { table: string; sql: string }) => string;
  /** Statements for indexes of a new table that come after its rows; empty where a commit makes them. */
  later(job: ShapeJob): { name: string; sql: string }[];
  /** The statement for a foreign key of the source; undefined where columns of such types cannot have one. */
  foreignKey(key: NamedForeignKey): string | undefined;
}

export interface NamedForeignKey extends Pick<
  ForeignKeyStructure,
  'onDelete' | 'onUpdate' | 'deferrable' | 'full'
> {
  name: string;
  /** Quoted. */
  table: string;
  columns: readonly string[];
  /** SQL types of the columns. */
  types: readonly string[];
  refers: string;
  referred: readonly string[];
}

/** Columns of the books; `taken`: it was there, and a load took it away. */
export const MISSING = ['name', 'kind', 'part', 'statement', 'refers', 'taken'] as const;

/** From the options of a connection. */
export function givenBy(options: {
  indexes: boolean;
  foreign_keys: boolean;
  keep_indexes: boolean;
}): SqlSystem['gives'] {
  const { indexes, foreign_keys: foreignKeys, keep_indexes: keeps } = options;
  return { indexes, foreignKeys, spare: !keeps };
}
