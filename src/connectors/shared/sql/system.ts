/** What the writer of SQL tables asks of a database: sessions, and SQL text for what differs between systems. */
import type { KeepingRule, Within } from '../../../core/compare.ts';
import type { Limit } from '../../../core/diagnose.ts';
import type { History, LoadedBy, LoadSizes, Supersede } from '../../../core/destination.ts';
import type { Schema } from '../../../core/schema.ts';
import type { BytesReader, DecodeFacts } from '../../../core/source.ts';
import type { LoadMethod } from '../../../core/stream.ts';
import type { TableStructure } from '../../../core/structure.ts';
import type { LogicalType } from '../../../core/types.ts';
import type { CompareDialect } from '../compare-relation.ts';
import type { OnProgress } from '../task-thread.ts';
import type { PartsDialect } from './parts.ts';

/** One connection, in a transaction or not. Every method throws SluiceErrors only. */
export interface SqlSession {
  /** Runs one statement and returns its rows and how many it has changed. `doing` begins the message of an error. */
  query(sql: string, doing: string, values?: readonly unknown[]): Promise<SqlResult>;
  /** Loads rows, all or none, and returns what is known of them. */
  load(into: LoadTarget, reader: BytesReader, onRows: OnProgress, signal: AbortSignal): Promise<LoadedRows>;
  /** Rows of a query in a transaction, in batches. `many`: they do not fit memory. */
  batches(
    sql: string,
    how: { doing: string; many: boolean; signal: AbortSignal },
  ): AsyncGenerator<readonly unknown[][]>;
  /** Ends the connection and with it a transaction that was not committed; never throws. */
  close(): Promise<void>;
}

export interface SqlResult {
  rows: Record<string, unknown>[];
  count: number;
}

export interface LoadedRows {
  facts: DecodeFacts;
  /** Where there are two ways. */
  by?: LoadedBy;
}

export interface LoadTarget {
  /** Begins the message of an error: the user knows nothing of tables that are ours. */
  doing: string;
  /** Quoted. */
  table: string;
  columns: readonly TargetColumn[];
  /** It has columns of ours, for the mark of the transaction. */
  stamped: (LoadMark & { stamp: History }) | undefined;
  /** Of the two ways of {@link SqlDialect.loadSizes}, what the user wants. */
  method?: LoadMethod | undefined;
}

/** A column of the destination's table. */
export interface TargetColumn {
  /** Name in the stream's schema. */
  field: string;
  /** Name in the table, which may have to be shorter. */
  name: string;
  /** SQL type. */
  type: string;
  nullable: boolean;
}

/** A table that exists. */
export interface FoundTable {
  columns: { name: string; type: string; nullable: boolean }[];
  /** Whether it holds any row. */
  filled: boolean;
  bytes: number;
}

/** The system that tables are written to; opened once per run. */
export interface SqlSystem {
  readonly dialect: SqlDialect;
  /** How many sessions may be at work at once. */
  readonly workers: number;
  /** What tables that are made get of their source, and whether large loads may do without indexes. */
  readonly gives: { indexes: boolean; foreignKeys: boolean; spare: boolean };
  title(signal: AbortSignal): Promise<string>;
  connect(signal: AbortSignal): Promise<SqlSession>;
  close(): Promise<void>;
}

/** How tables are compared with their sources. */
export interface SqlComparison {
  /** Begins a transaction of the session that sees one moment, with all settings of ours. */
  begin(session: SqlSession): Promise<SqlMoment>;
  /** How rows are hashed there, in any transaction with all settings of ours. */
  dialect(session: SqlSession): Promise<CompareDialect>;
  /** Reading takes locks, which going back to a savepoint gives back. */
  readonly savepoints: boolean;
  /** What the canonical text of a column is made of; `column` has the type that the table has now. */
  value(column: TargetColumn, type: LogicalType): string;
  within(column: TargetColumn, within: Omit<Within, 'column'>): string;
}

/** A transaction that sees one moment. */
export interface SqlMoment {
  readonly dialect: CompareDialect;
  readonly keeping: ReadonlySet<KeepingRule>;
  /** Whether the rows that it sees are still those of the table: it may have been swapped or emptied since. */
  unchanged(table: string): Promise<boolean>;
}

export interface SqlDialect {
  /** Value of `Schema.dialect` whose native types are taken as they are. */
  readonly name: string;
  /** Most bytes of a name. */
  readonly nameBytes: number;
  /** Names that differ in capitals only are the same. */
  readonly foldsNames: boolean;
  /** Names have characters of the Basic Multilingual Plane only, and do not end with a space. */
  readonly plainNames: boolean;
  /** Set where a statement that makes, changes or renames a table ends the transaction. */
  readonly ddlApart: DdlApart | undefined;
  /**
   * A transaction sees what was committed before its first statement, and not what came since. So loads of one table that
   * stay in a transaction until their commit come one after the other, and what a commit makes it makes by itself.
   */
  readonly snapshots: boolean;
  /** Absent where rows are loaded in one way, whatever their number. */
  readonly loadSizes?: LoadSizes;
  /** Columns of text and of bytes have the lengths of the schema. */
  readonly lengths?: true;
  /** A key is an index that refuses doubles; else they are looked for. */
  readonly enforcesKeys: boolean;
  /** Ends a query whose row is to be locked; empty where whoever changes it second is refused. */
  readonly rowLock: string;
  /** Statements that make a transaction with all settings of ours. */
  begin(load: LoadMark | undefined): readonly string[];
  /** Columns of a {@link LoadMark} that an INSERT has to name, with their values; none where defaults bring them. */
  readonly stamps: Readonly<Record<History, readonly { column: string; value: string }[]>>;
  /**
   * `claim` says in a transaction that it works on a table under a fence; `evict` ends sessions that do so under an older
   * one: a process that was stopped, or whose machine is gone, holds locks for as long as the server takes it for alive.
   */
  readonly claims: {
    claim(session: SqlSession, table: string, fence: number): Promise<unknown>;
    evict(session: SqlSession, table: string, fence: number): Promise<unknown>;
  };
  /**
   * First statement of a commit: from here on others wait for us, so the server shall end a session that says nothing
   * for half a minute, as that of a process that was stopped.
   */
  readonly hurry?: string;
  /** Makes what the bookkeeping needs; harmless when it is there. */
  readonly setUp: readonly string[];
  /** Has a row when the bookkeeping is there. */
  readonly recordsExist: string;
  /** Quoted name of the table that holds {@link TableRecord}s. */
  readonly records: string;
  /** Under which the record of a table is kept: connections with other schemas may keep the same books. */
  recordName(name: string): string;
  /** The name as the user's table, quoted. */
  table(name: string): string;
  /** The name of a table of ours that readers do not look at, quoted. */
  hidden(name: string): string;
  quote(name: string): string;
  /** The n-th value of a statement, from 1. */
  parameter(position: number): string;
  /** An INSERT that does nothing when the key is there. */
  insertUnlessThere(table: string, rest: string): string;
  /** SQL type of a field; `indexed`: the key of the schema gets an index. */
  type(field: Schema['fields'][number], place: { schema: Schema; indexed: boolean }): string;
  /** Whether a column of type `from` may be turned into `to` without a loss. */
  widens(from: string, to: string): boolean;
  /** The type that holds what either of them does, where neither holds that of the other. */
  readonly joins?: (found: string, wanted: string) => string | undefined;
  /** Whether a column of type `found` keeps what `wanted` holds, or the server itself refuses what it does not keep. */
  holds(found: string, wanted: string): boolean;
  /** Whether rows that are copied straight into a column may come as `wanted`; absent where any may. */
  readonly copies?: (found: string, wanted: string) => boolean;
  /** Which values of a logical type cannot go into a column of a type that is there or is made for it. */
  limits(type: string, logical: LogicalType): readonly Limit[];
  find(session: SqlSession, table: string): Promise<FoundTable | undefined>;
  createTable(
    table: string,
    columns: readonly TargetColumn[],
    /**
     * `key`: columns to have an index on, for systems that make it best with the table; unique but for the rows of `loads`. `numbered`: rows
     * of it are compared as a whole, where that takes a number for each.
     */
    how: {
      history: History | undefined;
      /** Columns of ours. */
      stamp?: History | undefined;
      temporary?: boolean;
      key?: readonly TargetColumn[];
      numbered?: boolean;
    },
  ): string;
  addColumn(table: string, column: TargetColumn): string;
  /** What makes the columns that are ours, in the order of {@link OWN_COLUMNS}: rows that nothing brings them for have the default. */
  readonly ownColumns: Readonly<Record<History, readonly { sql: string; default?: string }[]>>;
  changeType(table: string, column: TargetColumn): string;
  dropNotNull(table: string, column: TargetColumn): string;
  /**
   * `name` is the user's name of the table, for that of the index; where no index looks at keys, `added` is the condition of the rows
   * that nobody has looked at yet.
   */
  addKey(table: string, name: string, key: readonly TargetColumn[], added?: string): string;
  readonly parts: PartsDialect;
  /** What gives a table its indexes, defaults and comments. */
  shape(job: ShapeJob): Shape;
  /** The structure of the user's table, and statements that grant the same on another, `{}`. */
  structure(session: SqlSession, name: string, columns: readonly TargetColumn[]): Promise<TableStructure>;
  grants(session: SqlSession, name: string): Promise<string[]>;
  /** Removes rows of `stage` that `table` holds already, see `StageOptions.distinct`. */
  dropLoaded(job: DistinctJob): string[];
  /** Rows of `table` take the values of the rows of `stage` with their key; the others are added. */
  merge(job: MergeJob): MergeStatements;
  /** Rows of `table` go that have the values of one of those of `groups`. */
  groups(job: GroupsJob): { prepare: string[]; remove: string };
  /** A statement that takes rows away, or marks those that are not, and counts them. */
  gone(job: GoneJob): string;
  readonly trial: TrialDialect;
  /** Versions of `table` and rows of `stage`, in a transaction with a {@link LoadMark}: to be done in this order. */
  versions(job: VersionJob): VersionStatements;
  windowCondition(column: TargetColumn, window: Extract<Supersede, { kind: 'window' | 'value' }>): string;
  /** Puts the hidden table in the place of the user's; `old` is a hidden name that the user's may take. */
  swap(hidden: string, name: string, old: string): string[];
  /** What hangs on the user's table and would be lost with it; undefined when it can be swapped. */
  holdsOn(
    session: SqlSession,
    name: string,
    /** `keysMove`: foreign keys do not count, where {@link SqlSides.foreignKeys} is set. */
    how?: { keysMove: boolean },
  ): Promise<string | undefined>;
  /** Absent where tables beside those of readers cannot take their place. */
  readonly sides?: SqlSides;
  /** Takes a lock that ends with the session: a row with `locked`, 0 when another session has it. */
  tryLock(owner: string): string;
  readonly comparison: SqlComparison;
  /** Names of all hidden tables. */
  readonly listHidden: string;
}

/** What side-tables.ts asks of systems. */
export interface SqlSides {
  /** The tables of a place; of readers when it is empty. */
  at(place: string): SqlDialect;
  /** Whether they can have foreign keys of the same names as those of readers, which can be dropped and made in a transaction. */
  readonly foreignKeys: boolean;
  /** Statements that give a table the place of that of another dialect of the same system, where none is. */
  moveTo(name: string, other: SqlDialect): string[];
  /** Statements that drop tables, which may refer to each other, if they are there. */
  drop(names: readonly string[]): string[];
  /** Takes away views that look at tables, also through others. Absent where views look at names. */
  detachViews?(session: SqlSession, names: readonly string[]): Promise<DetachedViews>;
}

/** `held`: what cannot be taken away and made again without a loss; nothing was changed. */
export type DetachedViews =
  | { held: string }
  | {
      held?: never;
      /** Makes them again, just as they were; throws ConfigError `shadow.held` where tables do not allow it. */
      attach(): Promise<void>;
    };

/** What swap-apart.ts asks of systems whose DDL ends transactions. */
interface DdlApart {
  /** Whether the user's table is the one that was made under the hidden name. */
  wasHidden(session: SqlSession, name: string, hidden: string): Promise<boolean>;
  /** Gives the user's table its name back, where a swap was cut in the middle. */
  restore(session: SqlSession, name: string, old: string): Promise<void>;
  /** A statement that gives a table the mark of a hidden name. */
  mark(table: string, hidden: string): string;
}

/** Values of the columns that Sluice adds to tables with history. */
export interface LoadMark {
  loadId: number;
  loadedAt: string;
}

export interface ShapeJob {
  /** Quoted. */
  table: string;
  /** The user's name of the table, for those of indexes. */
  name: string;
  columns: readonly TargetColumn[];
  structure: TableStructure;
  history: History | undefined;
}

export interface Shape {
  /** One after the other. */
  first: string[];
  /** Side by side, when nobody else uses the table. */
  indexes: string[];
}

export interface DistinctJob {
  stage: string;
  table: string;
  /** All of the table after the load. */
  columns: readonly TargetColumn[];
  /** Names of those that the stage has, and of those that the table has now; the others are NULL. */
  staged: ReadonlySet<string>;
  there: ReadonlySet<string>;
  key: readonly TargetColumn[];
  /** Rows below this are not met again; undefined: any may be. */
  from: { columns: readonly TargetColumn[]; value: string } | undefined;
  history: History | undefined;
  /** Of the table, as far as we know. */
  rows: number;
}

export interface MergeJob {
  stage: string;
  table: string;
  columns: readonly TargetColumn[];
  /** The table has columns of its owner, whose values stay in rows that change. */
  others: boolean;
  /** Of rows that are new or have changed. */
  stamps: SqlDialect['stamps'][History];
  staged: ReadonlySet<string>;
  key: readonly TargetColumn[];
  /** Of the table, as far as we know. */
  rows: number;
}

export interface MergeStatements {
  prepare: string[];
  /** Where rows take the place of others: takes those away and counts them. */
  remove?: string;
  /** Counts the rows that it adds to the table. */
  add: string;
}

export interface GroupsJob {
  groups: string;
  /** Rows that are added afterwards. */
  stage: string;
  table: string;
  /** Columns of the groups, and of the key. */
  columns: readonly TargetColumn[];
  key: readonly TargetColumn[];
  /** Of the table, as far as we know. */
  rows: number;
}

export interface GoneJob {
  table: string;
  /** The hash of a row's key, as SQL over columns of the table. */
  hash: string;
  stage: string;
  /** The column of the stage, quoted. */
  key: string;
  /** A column that says when a row was gone, and the moment that it gets; undefined: the row goes. */
  mark: { column: TargetColumn; at: string } | undefined;
}

/** How rows are tried in a transaction that is undone. */
export interface TrialDialect {
  /** Statements that have the rows of a temporary table numbered, before there are any. */
  numbers(stage: string): readonly string[];
  /** Such a number, from 1, as SQL. */
  readonly number: string;
  /** A statement that drops a temporary table and does not end the transaction. */
  drop(stage: string): string;
  /** Rows of the stage that the table refuses; the others are in it then. */
  refusals(session: SqlSession, job: RefusalJob): Promise<Refusal[]>;
}

export interface RefusalJob extends VersionJob {
  /** Begins the message of an error. */
  doing: string;
  /** What rows of the stage, a temporary table, do to those with their key. */
  meets: 'nothing' | 'rows' | 'versions';
  stamps: SqlDialect['stamps'][History];
  /** Rows of other slices may come. */
  goesOn: boolean;
}

export interface Refusal {
  row: number;
  /** Of the server, without values. */
  reason: string;
}

export interface VersionJob extends Omit<MergeJob, 'others' | 'stamps'> {
  /** Some of the columns: rows that agree in them are one version. */
  compared: readonly TargetColumn[];
}

export interface VersionStatements {
  prepare: string[];
  /** Ends versions whose key the stage lacks. */
  gone: string;
  /** Ends versions that differ from the row of the stage with their key. */
  changed: string;
  /** Removes those of them that began at the moment of this load, in a load before it. */
  replaced: string;
  /** Begins versions of all keys of the stage without one that is valid. */
  insert: string;
}

/** Columns of tables with the history `loads`, and of others whose rows tell by which load they came. */
export const LOAD_ID = '_sluice_load_id';
export const LOADED_AT = '_sluice_loaded_at';
/** Columns of tables with the history `versions`: a row was valid in [from, to), and is now where the end is NULL. */
export const VALID_FROM = '_sluice_valid_from';
export const VALID_TO = '_sluice_valid_to';

/** What no two versions have in common. */
export function versionKey(key: readonly TargetColumn[]): TargetColumn[] {
  return [...key, { field: VALID_FROM, name: VALID_FROM, type: 'timestamp', nullable: false }];
}

/** What Sluice adds to a table. */
export const OWN_COLUMNS: Readonly<Record<History, readonly string[]>> = {
  loads: [LOAD_ID, LOADED_AT],
  versions: [VALID_FROM, VALID_TO],
};
