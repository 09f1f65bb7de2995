/**
 * The two ends of what is attacked. The attacks of races, kills and values know nothing of a system but this; attacks on
 * one system's own weaknesses (its server, its files) use the class behind it.
 */
import type { Schema } from '../src/core/schema.ts';
import type { SourceSql } from './source-sql.ts';

/** A session of the source with a transaction of its own. */
export interface SqlSession {
  query(sql: string): Promise<Record<string, unknown>[]>;
}

export interface SourceSide {
  readonly type: string;
  /** Options of the connection in the project file; may be changed between runs. */
  connection: Record<string, unknown>;
  /** What `lines` knows a table of the destination by. */
  nameOf(table: string): string;
  /** Rows as sorted lines of text, in the columns and types of the destination's table. */
  lines(from: string, schema: Schema): Promise<string[]>;
  close(): Promise<void>;
}

/** A database that is read. */
export interface SqlSide extends SourceSide {
  readonly sql: SourceSql;
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** Another session, closed with the side; `role` logs in as somebody else. */
  session(role?: string): Promise<SqlSession>;
  /** The database's URL for another role. */
  urlOf(role: string): string;
}

export type ReadBy =
  /** Options of a connection that can be used from everywhere; `bucket` is a lake, too. */
  | { type: 'lake' | 'bucket'; connection: Record<string, unknown> }
  | { type: 'postgres' | 'mysql'; url: string };

export interface DestinationSide {
  readonly type: string;
  /** May be changed between runs. */
  connection: Record<string, unknown>;
  /** How a process of its own reads the tables, see kill/reader.ts. */
  readonly readBy: ReadBy;
  /** Of a table as it is now; undefined when nothing was committed. */
  schema(table: string): Promise<Schema | undefined>;
  /** Rows as a reader sees them, as sorted lines of text: the newest version of each, or all. */
  lines(table: string, view: 'current' | 'history', columns?: readonly string[]): Promise<string[]>;
  /** Counts commits of a table; undefined when there was none. */
  version(table: string): Promise<number | undefined>;
  /** Resolves when the system has noticed that processes of ours are gone, which were killed. */
  settled(): Promise<void>;
  /** What lies about that no reader sees and nothing needs, by name: files, temporary tables. */
  leftovers(): Promise<string[]>;
  /** Removes leftovers without waiting for the time after which the product does it by itself. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

/** A session of a database that is written to. */
export interface TargetSession {
  query(sql: string): Promise<Record<string, unknown>[]>;
  end(): Promise<unknown>;
}

/** By orderly shutdown, or as after a crash. */
export type Restart = 'orderly' | 'crash';

/** A database that is written to, for attacks that do something to its tables. */
export interface TargetSide extends DestinationSide {
  /** Also begins the codes of its errors. */
  readonly type: 'postgres' | 'mysql';
  readonly server: { readonly host: string; readonly port: number; readonly pid: number };
  readonly url: string;
  /** Runs statements and returns the rows of the last one. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** Another session; whoever asks for it ends it. */
  session(): Promise<TargetSession>;
  /** Restarts the server and connects anew. */
  restart(how: Restart): Promise<void>;
  /** The database's URL for another role. */
  urlOf(role: string): string;
}
