import { randomBytes } from 'node:crypto';
import type { ComparedTables } from '../../../core/compare.ts';
import type { LimitsRequest, TableLimits } from '../../../core/diagnose.ts';
import type {
  Destination,
  LoadSizes,
  TableSpec,
  TableState,
  TableWriter,
} from '../../../core/destination.ts';
import type { SideTables } from '../../../core/side-tables.ts';
import type { Schema } from '../../../core/schema.ts';
import type { TableStructure } from '../../../core/structure.ts';
import type { SqlDialect, SqlSession, SqlSystem } from './system.ts';
import { TransientError } from '../../../core/errors.ts';
import { ComparedMoment } from './compare-table.ts';
import { effectiveRecord, type OnSwapStep, pendingTables, settle } from './swap-apart.ts';
import { foreignState, isLost, notOurs, tableLost } from './table-check.ts';
import { tableLimits } from './table-limits.ts';
import { checkUnchanged, ensureRecord, readRecord } from './table-record.ts';
import { PartsWriter } from './parts-writer.ts';
import { noteStructure, SqlTableParts } from './table-parts.ts';
import { SqlSideTables } from './side-tables.ts';
import { SqlTableWriter } from './table-writer.ts';
import { hasVersions, refuseWithoutVersions } from './versions.ts';

/** Hidden tables are called `load_<owner>_<number>`. */
const HIDDEN = /^load_([0-9a-f]+)_\d+$/;

/** Tables of a SQL database. What is known of them lies beside them, in the same transactions. */
export class SqlDestination implements Destination {
  readonly parts: SqlTableParts;
  readonly beside: SideTables | undefined;
  readonly lengths: boolean;
  readonly dialect: string;
  readonly #system: SqlSystem;
  readonly #dialect: SqlDialect;
  /** Names our hidden tables; a lock of that name says that we live. */
  readonly #owner = randomBytes(6).toString('hex');
  readonly #onSwapStep: OnSwapStep | undefined;
  #hidden = 0;
  readonly #withoutKeys = new Set<string>();
  /** Holds the lock. */
  #alive: Promise<SqlSession> | undefined;
  #known = false;

  /** `onSwapStep` is for tests. */
  constructor(system: SqlSystem, onSwapStep?: OnSwapStep) {
    this.#system = system;
    this.parts = new SqlTableParts(system);
    if (system.dialect.sides) this.beside = new SqlSideTables(system, (of) => new SqlDestination(of));
    this.#onSwapStep = onSwapStep;
    this.#dialect = system.dialect;
    this.lengths = system.dialect.lengths === true;
    this.dialect = system.dialect.name;
  }

  /** Whether the server takes nothing in bulk is known when there was a connection. */
  get loadSizes(): LoadSizes | undefined {
    return this.#dialect.loadSizes;
  }

  async check(signal: AbortSignal): Promise<{ title: string }> {
    return { title: await this.#system.title(signal) };
  }

  async describe(table: string, signal: AbortSignal): Promise<TableState | undefined> {
    const session = await this.#system.connect(signal);
    try {
      return await this.#state(session, table);
    } finally {
      await session.close();
    }
  }

  async limits(load: LimitsRequest, signal: AbortSignal): Promise<TableLimits> {
    const session = await this.#system.connect(signal);
    try {
      return await tableLimits(session, this.#dialect, load);
    } finally {
      await session.close();
    }
  }

  compare(signal: AbortSignal, adopts?: Schema): Promise<ComparedTables> {
    return ComparedMoment.open(this.#system, signal, (session, table) => this.#state(session, table, adopts));
  }

  async openTable(given: TableSpec, signal: AbortSignal): Promise<TableWriter> {
    await (this.#alive ??= this.#start(signal).catch((error: unknown) => {
      this.#alive = undefined;
      throw error;
    }));
    const spec = { ...given, structure: this.#given(given.structure) };
    const session = await this.#system.connect(signal);
    try {
      await this.#dialect.claims.evict(session, spec.table, spec.fence);
      await ensureRecord(session, this.#dialect, spec.table, spec);
      await settle(this.#system, session, spec.table);
      const record = await readRecord(session, this.#dialect, spec.table);
      const found = await this.#dialect.find(session, spec.table);
      if (spec.history === 'versions') refuseWithoutVersions(spec.table, found);
      const rows = record?.rows ?? 0;
      const lost = record !== undefined && record.version > 0 && isLost(found, rows);
      const there = spec.expectedVersion > 0;
      if (lost && there) throw tableLost(spec.table);
      const version = lost ? record.version : spec.expectedVersion;
      checkUnchanged(record, { table: spec.table, version, fence: spec.fence });
      if (!there) await noteStructure(this.#system, session, spec);
      const writer = new SqlTableWriter(
        this.#system,
        { ...spec, expectedVersion: version },
        {
          name: () => `load_${this.#owner}_${++this.#hidden}`,
          rows: there ? rows : spec.adopts,
          ...(this.#onSwapStep && { onStep: this.#onSwapStep }),
        },
      );
      return new PartsWriter(this.#system, spec, writer, this.#withoutKeys);
    } finally {
      await session.close();
    }
  }

  async close(): Promise<void> {
    const session = await this.#alive?.catch(() => undefined);
    await session?.close();
    await this.#system.close();
  }

  async #state(session: SqlSession, table: string, adopts?: Schema): Promise<TableState | undefined> {
    const found = await this.#dialect.find(session, table);
    const record = (await this.#hasRecords(session))
      ? await effectiveRecord(session, this.#dialect, table)
      : undefined;
    if (record && record.version > 0) {
      if (!found || isLost(found, record.rows)) return undefined;
      const { schema, schemas, checkpoint, stream, rows, version, fence } = record;
      const facts = await this.parts.facts(session, table);
      const versions = hasVersions(found);
      const books = { schema, schemas, checkpoint, stream, rows, version, fence };
      return { ...books, bytes: found.bytes, versions, ...facts };
    }
    if (found?.filled !== true) return undefined;
    if (!adopts) throw notOurs(table);
    return foreignState(session, this.#dialect, { table, found, fields: adopts, fence: record?.fence });
  }

  /** What the connection lets a new table have of its source. */
  #given(structure: TableStructure | undefined): TableStructure | undefined {
    const { indexes, foreignKeys } = this.#system.gives;
    return (
      structure && {
        ...structure,
        indexes: indexes ? structure.indexes : [],
        foreignKeys: foreignKeys ? structure.foreignKeys : [],
      }
    );
  }

  async #hasRecords(session: SqlSession): Promise<boolean> {
    this.#known ||=
      (await session.query(this.#dialect.recordsExist, 'looking for what is loaded')).rows.length > 0;
    return this.#known;
  }

  /** Makes the bookkeeping, says that we live, and sweeps what others have left who do not. */
  async #start(signal: AbortSignal): Promise<SqlSession> {
    const session = await this.#system.connect(signal);
    try {
      for (const sql of this.#dialect.setUp)
        await session.query(sql, 'making the tables that Sluice keeps its books in');
      await session.query(this.#dialect.tryLock(this.#owner), 'saying that this run lives');
      await this.#sweep(session);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** What somebody still holds, such as a server that has not noticed yet whom it works for, is left to a later run. */
  async #drop(session: SqlSession, table: string): Promise<void> {
    try {
      await session.query(`DROP TABLE IF EXISTS ${table}`, 'removing what a killed run has left');
    } catch (error) {
      if (!(error instanceof TransientError) || !error.code.endsWith('.locked')) throw error;
    }
  }

  async #sweep(session: SqlSession): Promise<void> {
    const { rows } = await session.query(this.#dialect.listHidden, 'looking for leftovers');
    const names = rows.map((row) => String(row['name']));
    const needed = await pendingTables(session, this.#dialect);
    const owners = Map.groupBy(names, (name) => HIDDEN.exec(name)?.[1]);
    for (const [owner, tables] of owners) {
      if (owner === undefined || owner === this.#owner) continue;
      const lock = await session.query(this.#dialect.tryLock(owner), 'looking for leftovers');
      if (Number(lock.rows[0]?.['locked']) !== 1) continue;
      for (const table of tables.map((name) => this.#dialect.hidden(name)))
        if (!needed.has(table)) await this.#drop(session, table);
    }
  }
}
