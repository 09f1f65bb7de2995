/**
 * Loads one table of a SQL database. Rows and checkpoint are committed in one transaction. A load goes one of three ways:
 * *open*: straight into the table, in a transaction that stays open until the commit; *temporary*: into a temporary table
 * of such a transaction, for rows that have to be compared or merged; *aside*: into a hidden table, committed, for loads
 * that take the place of everything or are committed with others.
 */
import { asBytes } from '../../../core/batch-wire.ts';
import type {
  Committed,
  Load,
  RowTrial,
  StageOptions,
  Supersede,
  TableSpec,
  TableWriter,
  TriedSlices,
} from '../../../core/destination.ts';
import { DataError, InternalError } from '../../../core/errors.ts';
import type { SliceReader } from '../../../core/source.ts';
import type { Checkpoint, Slice } from '../../../core/stream.ts';
import { stageColumn, stageKey } from './gone-rows.ts';
import { loadGroups } from './group-rows.ts';
import { HiddenTables } from './hidden-tables.ts';
import { laps } from './laps.ts';
import { byTable, type DoneBefore, type Parts, sumOf, type Way, wayOf } from './load-parts.ts';
import { lockRecord, type OnSwapStep, swapApart } from './swap-apart.ts';
import {
  type LoadMark,
  type LoadTarget,
  type SqlDialect,
  type SqlSession,
  type SqlSystem,
  type TargetColumn,
} from './system.ts';
import { inDoubt, mergeRows, rowHasMoved } from './merge-rows.ts';
import { expectNobody, expectTable, expectTaken, refuseOldFence } from './table-check.ts';
import {
  checkUnchanged,
  completes,
  readRecord,
  type TableRecord,
  nextRecord,
  writeRecord,
} from './table-record.ts';
import { addKey, refuseDoubles, refuseNullDoubles, shapeHidden, shapeOf } from './shape-table.ts';
import { mayBeRows, openTrial } from './refused-rows.ts';
import { addStage, deleteWindow, dropLoaded, type Stage } from './stage-rows.ts';
import { canSwap, growTable, insertAll, type Place, prepareTable, targetColumns } from './table-shape.ts';

interface Commit {
  parts: Parts[];
  how: Supersede;
  checkpoint: Checkpoint | undefined;
}

/** The record after a commit, and how many keys have other versions than before. */
type Applied = TableRecord & { changed?: number };

interface WriterPlace {
  /** Gives hidden names of tables that are dropped when this process is gone. */
  name: () => string;
  /** Rows of the table as far as we know; undefined for a first load. */
  rows: number | undefined;
  onStep?: OnSwapStep;
}

export class SqlTableWriter implements TableWriter {
  readonly #system: SqlSystem;
  readonly #dialect: SqlDialect;
  readonly #spec: TableSpec;
  readonly #hidden: HiddenTables;
  /** Rows of the table as far as we know; undefined while it has none of ours. */
  #rows: number | undefined;
  readonly #place: Place;
  readonly #onSwapStep: OnSwapStep | undefined;
  /** With what lets the next load of the table begin. */
  readonly #open = new Map<SqlSession, () => void>();
  /** Rows of a window were in another one before, or may have been where no key would tell. */
  #moved: boolean;
  #version: number;
  /** That of the commit which is on its way, or of the last one. */
  #latest = 0;
  #prepared: Promise<void> | undefined;
  /** Of loads that stay in a transaction, see `SqlDialect.snapshots`. */
  #turn: Promise<void> = Promise.resolve();

  constructor(system: SqlSystem, spec: TableSpec, hidden: WriterPlace) {
    const { dialect } = system;
    const { table, schema, history } = spec;
    const stamp = history ?? (spec.loadColumns === true ? 'loads' : undefined);
    const columns = targetColumns(schema, dialect, history !== 'loads' && schema.key.length > 0);
    const key = schema.key.map((field) => columns.find((each) => each.field === field)!);
    this.#system = system;
    this.#dialect = dialect;
    this.#spec = spec;
    this.#rows = hidden.rows;
    this.#onSwapStep = hidden.onStep;
    this.#place = { dialect, table, schema, columns, history, stamp, key };
    this.#hidden = new HiddenTables(system, this.#place, hidden.name);
    this.#version = spec.expectedVersion;
    this.#moved = !dialect.enforcesKeys && key.length > 0 && history === undefined;
  }

  async stage(slice: Slice, given: SliceReader, options: StageOptions, signal: AbortSignal): Promise<Load> {
    const reader = given.format === 'bytes' ? given : asBytes(given);
    const way = wayOf(options);
    const columns = reader.schema.fields.map(({ name }) => stageColumn(this.#place, name));
    if (way === 'open') await this.#prepare(signal);
    const leave = way === 'aside' ? undefined : await this.#takeTurn();
    const session = await this.#connect(signal, leave);
    const lap = laps();
    try {
      await this.#begin(session, this.#mark);
      if (way === 'open') await expectTable(session, this.#dialect, this.#known);
      const merges = way === 'open' && this.#moved && options.supersede.kind !== 'nothing';
      const table = await this.#tableFor(merges ? 'temporary' : way, session, columns, options);
      let deleted = way === 'open' ? await deleteWindow(session, this.#place, options.supersede) : 0;
      if (options.supersede.kind !== 'nothing' && way === 'open') lap('delete');
      const stamped = way === 'temporary' ? undefined : this.#mark;
      const { loadMethod: method } = this.#spec;
      const into = { doing: this.#doing('writing rows of'), table, columns, stamped, method };
      const { facts: read, by } = await refuseDoubles(this.#place, () =>
        session.load(into, reader, options.onRows, signal),
      ).catch((error: unknown) => {
        throw way === 'open' && !merges ? this.#movedTo(options.supersede, error) : error;
      });
      const facts = given.format === 'bytes' ? read : { ...given.facts(), rows: read.rows };
      if (options.supersede.kind === 'groups') await loadGroups(session, this.#place, given.groups!, signal);
      lap('copy');
      const dropped =
        way === 'temporary'
          ? await dropLoaded(session, this.#place, this.#stage({ table, columns }), options.distinct)
          : 0;
      // In the table now, so that the commit has nothing to wait for.
      if (merges) {
        const stage = this.#stage({ table, columns });
        deleted += facts.rows - (await mergeRows(session, this.#place, stage, this.#spec.schema.key));
      }
      const timing = options.distinct ? lap('compare') : lap();
      const parts: Parts = { way, session, table, columns, rows: facts.rows - dropped, deleted };
      if (way === 'aside') {
        parts.distinct = options.distinct;
        await session.query('COMMIT', this.#doing('loading')).catch((error: unknown) => {
          throw inDoubt(error);
        });
        await this.#release(session);
        parts.session = undefined;
      }
      return { slice, facts, rows: parts.rows, bytes: facts.bytes, by, timing, parts };
    } catch (error) {
      await this.#release(session);
      // Rows of others in the way are those of who was faster, under a fence that may be the same.
      if (error instanceof DataError)
        await refuseOldFence(this.#system, this.#spec, () => Math.max(this.#version, this.#latest));
      throw error;
    }
  }

  async commit(loads: Load[], how: Supersede, checkpoint: Checkpoint | undefined): Promise<Committed> {
    const parts = loads.map((load) => load.parts as Parts);
    const held = parts.filter((part) => part.session !== undefined);
    // What is gone shows only beside all that is there.
    const parted = how.kind === 'versions' && how.gone && byTable(parts).length > 1;
    if (held.length > 1 || parted) {
      const found = 'the loads were not staged to be committed together';
      throw new InternalError(`${this.#doing('committing')}: ${found}`, { code: 'sql.apart' });
    }
    const session = held[0]?.session ?? (await this.#connect(new AbortController().signal));
    try {
      const commit = { parts, how, checkpoint };
      if (this.#dialect.ddlApart && held.length === 0) await this.#expectUnharmed(session, commit);
      const done = await this.#ddlBefore(session, commit);
      if (held.length === 0 || done.ended) await this.#begin(session, this.#mark);
      if (this.#dialect.hurry !== undefined)
        await session.query(this.#dialect.hurry, this.#doing('committing'));
      const before = await this.#lock(session);
      if (!this.#dialect.ddlApart) await this.#expectUnharmed(session, commit);
      const { changed, ...after } = await this.#apply(session, commit, { before, done });
      this.#latest = after.version;
      if (done.swaps === true) await this.#swapApart(session, done.hidden!, after);
      else {
        await writeRecord(session, this.#dialect, this.#spec.table, after);
        await session.query('COMMIT', this.#doing('committing'));
      }
      this.#version = after.version;
      if (parts.length > 0 || checkpoint) this.#rows = after.rows;
      return { version: after.version, rows: after.rows, bytes: 0, changed };
    } catch (error) {
      await refuseOldFence(this.#system, this.#spec);
      throw error;
    } finally {
      // Without a COMMIT this undoes everything.
      await this.#release(session);
      await this.abort(loads);
    }
  }

  async abort(loads: Load[]): Promise<void> {
    const parts = loads.map((load) => load.parts as Parts);
    for (const { session } of parts) if (session) await this.#release(session);
    await this.#hidden.drop(parts.filter(({ way }) => way === 'aside').map(({ table }) => table));
  }

  async tryRows(how: Supersede, error: unknown, tried: TriedSlices): Promise<RowTrial | undefined> {
    if (!mayBeRows(error, this.#dialect)) return undefined;
    if (how.kind !== 'everything') await this.#prepare(tried.signal);
    const session = await this.#connect(tried.signal, await this.#takeTurn());
    const begin = (): Promise<void> => this.#begin(session, this.#mark);
    const close = (): Promise<void> => this.#release(session);
    const at = { system: this.#system, place: this.#place, hidden: this.#hidden, session, begin, close };
    return openTrial({ ...at, structure: this.#spec.structure, how, ...tried });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((session) => this.#release(session)));
    await this.#hidden.dropShared();
  }

  #doing(what: string): string {
    return `${what} table "${this.#spec.table}"`;
  }

  get #table(): string {
    return this.#dialect.table(this.#spec.table);
  }

  get #known(): { table: string; rows: number | undefined } {
    return { table: this.#spec.table, rows: this.#rows };
  }

  #stage({ table, columns }: Pick<Parts, 'table' | 'columns'>): Stage {
    return { table, columns, tableRows: this.#rows ?? 0 };
  }

  get #mark(): LoadTarget['stamped'] {
    const { stamp } = this.#place;
    return stamp && { stamp, loadId: this.#version + 1, loadedAt: this.#spec.loadedAt };
  }

  async #connect(signal: AbortSignal, leave: () => void = () => undefined): Promise<SqlSession> {
    try {
      const session = await this.#system.connect(signal);
      this.#open.set(session, leave);
      return session;
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #release(session: SqlSession): Promise<void> {
    const leave = this.#open.get(session);
    if (!this.#open.delete(session)) return;
    await session.close();
    leave!();
  }

  /** Waits until the load before is committed or given up; commits come in the order in which loads were staged. */
  async #takeTurn(): Promise<(() => void) | undefined> {
    if (!this.#dialect.snapshots) return undefined;
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    return resolve;
  }

  /** In a transaction that is undone unless the work commits it. */
  async #within<T>(
    signal: AbortSignal,
    mark: LoadMark | undefined,
    work: (session: SqlSession) => Promise<T>,
  ): Promise<T> {
    const session = await this.#connect(signal);
    try {
      await this.#begin(session, mark);
      return await work(session);
    } finally {
      await this.#release(session);
    }
  }

  async #begin(session: SqlSession, mark?: LoadMark): Promise<void> {
    const { claims } = this.#dialect;
    const { table, fence } = this.#spec;
    for (const sql of this.#dialect.begin(mark)) await session.query(sql, this.#doing('loading'));
    await claims.claim(session, table, fence);
  }

  /** Whose rows are in the table already has looked before it put them there. */
  async #expectUnharmed(session: SqlSession, { parts, how }: Pick<Commit, 'parts' | 'how'>): Promise<void> {
    if (parts.some(({ way }) => way === 'open')) return;
    if (how.kind !== 'everything') await expectTable(session, this.#dialect, this.#known);
    await expectNobody(session, this.#dialect, this.#known);
  }

  /** The record, locked. Throws when somebody else was faster. */
  async #lock(session: SqlSession): Promise<TableRecord | undefined> {
    const record = await lockRecord(this.#system, session, this.#spec.table);
    checkUnchanged(record, { ...this.#spec, version: this.#version });
    return record;
  }

  /** Makes the table before rows go straight into it, in a transaction of its own. */
  #prepare(signal: AbortSignal): Promise<void> {
    this.#prepared ??= this.#within(signal, undefined, async (session) => {
      const record = await this.#lock(session);
      await expectTable(session, this.#dialect, this.#known);
      await expectNobody(session, this.#dialect, this.#known);
      const made = await growTable(session, this.#place, { record, straight: true });
      // Where that ends transactions it cannot wait for the last rows.
      if (made && this.#dialect.ddlApart)
        for (const sql of shapeOf(this.#place, this.#table, this.#spec.structure).first)
          await session.query(sql, this.#doing('making the indexes of'));
      await session.query('COMMIT', this.#doing('making'));
    }).catch((error: unknown) => {
      // Another attempt is to try it again.
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #tableFor(
    way: Way,
    session: SqlSession,
    columns: TargetColumn[],
    options: StageOptions,
  ): Promise<string> {
    if (way === 'open') return this.#table;
    if (way === 'aside')
      return options.together ? this.#hidden.shared(options.distinct) : this.#hidden.make();
    const { dialect } = this.#place;
    const name = dialect.quote('sluice_stage');
    const key = stageKey(this.#place, options.supersede, { columns, moved: this.#moved });
    await session.query(
      dialect.createTable(name, columns, { history: undefined, temporary: true, key }),
      this.#doing('loading'),
    );
    return name;
  }

  /** Rows and checkpoint of one commit, in the transaction; the record as it is after it. */
  async #apply(
    session: SqlSession,
    { parts, how, checkpoint }: Commit,
    { before, done }: { before: TableRecord | undefined; done: DoneBefore },
  ): Promise<Applied> {
    const idle = parts.length === 0 && !checkpoint;
    // A table that was dropped took its indexes with it.
    const shaped = this.#rows !== undefined && before?.shaped === true;
    const version = this.#version + 1;
    const record: Applied = nextRecord(before, this.#spec, { version, checkpoint, shaped, idle });
    // Columns and indexes of an adopted table are what somebody has made of it.
    if (idle || this.#spec.adopts !== undefined) return record;
    if (done.hidden !== undefined) {
      if (done.swaps !== true) await this.#refill(session, done.hidden, parts);
      return { ...record, rows: sumOf(parts), shaped: record.shaped || done.swaps === true };
    }
    if (how.kind === 'everything') return this.#replace(session, parts, { record, before });
    // That of an open load was made before its rows.
    if (!this.#dialect.ddlApart && parts.every(({ way }) => way !== 'open'))
      await growTable(session, this.#place, { record: before, straight: false });
    const moment = { at: this.#spec.loadedAt, again: this.#version > this.#spec.expectedVersion };
    for (const part of byTable(parts)) {
      const { rows, changed } =
        part.way === 'open'
          ? { rows: part.rows - part.deleted }
          : await addStage(session, this.#place, { ...this.#stage(part), ...part, ...moment }, how);
      record.rows += rows;
      if (changed !== undefined) record.changed = (record.changed ?? 0) + changed;
    }
    // No index looks at rows that are added to others.
    if (shaped && this.#moved && how.kind === 'nothing' && this.#rows! > 0)
      await addKey(session, this.#place, { table: this.#table, load: version });
    if (!this.#dialect.ddlApart && !record.shaped && checkpoint && !checkpoint.unfinished) {
      await addKey(session, this.#place, { table: this.#table });
      const { first, indexes } = shapeOf(this.#place, this.#table, this.#spec.structure);
      for (const sql of [...first, ...indexes])
        await session.query(sql, this.#doing('making the indexes of'));
      record.shaped = true;
    }
    // Parts of a first load did not look for rows of each other.
    if (completes(checkpoint, before) && ['nothing', 'key', 'groups'].includes(how.kind))
      await this.#refuseNullDoubles(session, this.#table);
    return record;
  }

  /** Makes the table what the loads aside are. */
  async #replace(
    session: SqlSession,
    parts: Parts[],
    { record, before }: { record: TableRecord; before: TableRecord | undefined },
  ): Promise<TableRecord> {
    const { dialect } = this.#place;
    const hidden = await this.#gather(session, parts);
    const rows = sumOf(parts);
    if (await canSwap(session, this.#place, before)) {
      // Before anybody waits for the table.
      await shapeHidden(this.#system, this.#place, { hidden, committing: session }, this.#spec.structure);
      for (const sql of dialect.swap(hidden, this.#spec.table, this.#hidden.name()))
        await session.query(sql, this.#doing('replacing'));
      return { ...record, rows, shaped: true };
    }
    await prepareTable(session, this.#place, before);
    await this.#refill(session, hidden, parts);
    return { ...record, rows };
  }

  /** Brings all loads of a commit into one hidden table. */
  async #gather(session: SqlSession, parts: Parts[]): Promise<string> {
    const hidden = parts[0]?.table ?? (await this.#hidden.make());
    for (const other of new Set(parts.map((part) => part.table)))
      if (other !== hidden)
        await refuseDoubles(this.#place, () =>
          session.query(insertAll(this.#place, hidden, other, this.#place.columns), this.#doing('replacing')),
        );
    await this.#refuseNullDoubles(session, hidden);
    return hidden;
  }

  async #refuseNullDoubles(session: SqlSession, where: string): Promise<void> {
    if (this.#spec.history !== 'loads') await refuseNullDoubles(session, this.#place, where);
  }

  async #refill(session: SqlSession, hidden: string, parts: readonly Parts[]): Promise<void> {
    const doing = this.#doing('replacing');
    await session.query(`DELETE FROM ${this.#table}`, doing);
    const insert = insertAll(this.#place, this.#table, hidden, this.#place.columns);
    expectTaken((await session.query(insert, doing)).count, sumOf(parts), doing);
  }

  /** Makes and changes tables for a commit where that ends transactions. Rows of open loads are never in one that it ends. */
  async #ddlBefore(session: SqlSession, { parts, how, checkpoint }: Commit): Promise<DoneBefore> {
    const { dialect, columns } = this.#place;
    const idle = (parts.length === 0 && !checkpoint) || this.#spec.adopts !== undefined;
    // The table of an open load was made before its rows.
    if (!dialect.ddlApart || idle || parts.some(({ way }) => way === 'open')) return { ended: false };
    await this.#begin(session, this.#mark);
    const hidden = how.kind === 'everything' ? await this.#gather(session, parts) : undefined;
    await session.query('COMMIT', this.#doing('committing'));
    if (hidden === undefined) {
      await this.#prepare(new AbortController().signal);
      return { ended: true };
    }
    const { table } = this.#spec;
    const swaps = await canSwap(session, this.#place, await readRecord(session, dialect, table));
    if (swaps)
      await shapeHidden(this.#system, this.#place, { hidden, committing: session }, this.#spec.structure);
    if (!swaps) await prepareTable(session, this.#place, undefined);
    // A swap needs two tables.
    else if (!(await dialect.find(session, table)))
      await session.query(dialect.createTable(this.#table, columns, this.#place), this.#doing('making'));
    return { ended: true, hidden, swaps };
  }

  async #swapApart(session: SqlSession, hidden: string, after: TableRecord): Promise<void> {
    const old = this.#hidden.name();
    const { table } = this.#spec;
    await swapApart(this.#system, session, { table, hidden, old, after, onStep: this.#onSwapStep });
    await this.#hidden.drop([old]);
  }

  #movedTo(how: Supersede, error: unknown): unknown {
    const moved = how.kind === 'nothing' || this.#spec.history ? error : rowHasMoved(error, this.#place);
    this.#moved ||= moved !== error;
    return moved;
  }
}
