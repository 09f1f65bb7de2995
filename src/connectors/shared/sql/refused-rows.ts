/**
 * Finds the rows that a table does not take, after a load has failed for some: all rows go to a temporary table that numbers
 * them, and from there to the user's, in a transaction that is undone.
 */
import { asBytes } from '../../../core/batch-wire.ts';
import type { RowTrial, Supersede, TriedSlices } from '../../../core/destination.ts';
import { DataError } from '../../../core/errors.ts';
import type { RefusedRow } from '../../../core/quarantine.ts';
import type { SliceReader } from '../../../core/source.ts';
import type { TableStructure } from '../../../core/structure.ts';
import { dropGroups, GROUPS, loadGroups } from './group-rows.ts';
import type { HiddenTables } from './hidden-tables.ts';
import { shapeHidden } from './shape-table.ts';
import { deleteWindow, dropLoaded } from './stage-rows.ts';
import type { SqlDialect, SqlSession, SqlSystem } from './system.ts';
import { readRecord } from './table-record.ts';
import { canSwap, columnOf, type Place, prepareTable } from './table-shape.ts';
import { comparedColumns } from './versions.ts';

interface TrialSession extends TriedSlices {
  place: Place;
  session: SqlSession;
  how: Supersede;
  /** Undoes what was begun. */
  close: () => Promise<void>;
}

interface TrialPlace extends TrialSession {
  system: SqlSystem;
  structure: TableStructure | undefined;
  hidden: HiddenTables;
  /** Begins the transaction of a load. */
  begin: () => Promise<void>;
}

/** What the server says of rows; a foreign key is taken away. */
export function mayBeRows(error: unknown, dialect: SqlDialect): boolean {
  if (!(error instanceof DataError)) return false;
  const [system, what] = error.code.split('.');
  return (system === dialect.name || system === 'sql') && what !== 'foreign_key';
}

/** A table that takes the place of another one is tried by itself, with the indexes that it would get. */
export async function openTrial(given: TrialPlace): Promise<RowTrial> {
  const { system, place, structure, hidden, session, how, begin, close } = given;
  const { dialect } = system;
  try {
    const before = how.kind === 'everything' ? await readRecord(session, dialect, place.table) : undefined;
    const swaps = how.kind === 'everything' && (await canSwap(session, place, before));
    const made = swaps ? await hidden.make() : undefined;
    if (made !== undefined) {
      await begin();
      await shapeHidden(system, place, { hidden: made, committing: session }, structure);
      return new SqlRowTrial({ ...given, close: () => close().then(() => hidden.drop([made])) }, made);
    }
    const table = dialect.table(place.table);
    const doing = `replacing table "${place.table}"`;
    const refills = how.kind === 'everything';
    if (refills && dialect.ddlApart) await prepareTable(session, place, undefined);
    await begin();
    if (refills && !dialect.ddlApart) await prepareTable(session, place, before);
    if (refills) await session.query(`DELETE FROM ${table}`, doing);
    await deleteWindow(session, place, how);
    return new SqlRowTrial(given, table);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Numbers in one statement. */
const LISTED = 1000;

class SqlRowTrial implements RowTrial {
  readonly #at: TrialSession;
  /** Quoted; takes the rows. */
  readonly #table: string;
  readonly #doing: string;
  /** Slices whose keys are noted. */
  #tried = 0;

  constructor(at: TrialSession, table: string) {
    this.#at = at;
    this.#table = table;
    this.#doing = `looking for rows that table "${at.place.table}" refuses`;
  }

  async refused(given: SliceReader): Promise<RefusedRow[]> {
    const { place, session, how, several, signal } = this.#at;
    const { dialect, schema, history, stamp, key } = place;
    // Numbers are given to rows in the order in which they come, which has to be that of the decoder.
    const reader = { ...(given.format === 'bytes' ? given : asBytes(given)), direct: undefined };
    const columns = reader.schema.fields.map(({ name }) => columnOf(place, name));
    const stage = dialect.quote('sluice_tried');
    await this.#ask(dialect.createTable(stage, columns, { history: undefined, temporary: true }));
    for (const sql of dialect.trial.numbers(stage)) await this.#ask(sql);
    // Not in the way of rows that are tried after them.
    if (how.kind === 'groups' && given.groups) {
      await loadGroups(session, place, given.groups, signal);
      await dropGroups(session, place, { table: stage, columns, tableRows: 0 }, how.columns);
      await this.#ask(dialect.trial.drop(dialect.quote(GROUPS)));
    }
    const into = { doing: this.#doing, table: stage, columns, stamped: undefined };
    await session.load(into, reader, () => undefined, signal);
    const keyed = history !== 'loads' && key.length > 0;
    const doubles = keyed ? await this.#takeDoubles(stage) : [];
    const superseded = keyed && several ? await this.#takeSuperseded(stage) : [];
    const there = keyed && how.kind === 'nothing' ? await this.#takeThere(stage) : [];
    // Rows that are as they were are not written again.
    const distinct = { key: [...schema.key], cursor: [], from: undefined };
    const kept = how.kind === 'versions' ? distinct : undefined;
    await dropLoaded(session, place, { table: stage, columns, tableRows: 0 }, kept);
    const refused = await dialect.trial.refusals(session, {
      doing: this.#doing,
      stage,
      table: this.#table,
      columns: place.columns,
      staged: new Set(columns.map(({ name }) => name)),
      key,
      compared: comparedColumns(place),
      rows: 0,
      meets: how.kind === 'key' ? 'rows' : how.kind === 'versions' ? 'versions' : 'nothing',
      stamps: stamp ? dialect.stamps[stamp] : [],
      goesOn: several || how.kind === 'everything',
    });
    await this.#ask(dialect.trial.drop(stage));
    if (keyed && several) await this.#keepKeys(refused);
    const rows = refused.map(({ row, reason }): RefusedRow => ({
      row,
      code: 'row.refused',
      reason: `the target refuses it: ${reason}`,
    }));
    return [...doubles, ...superseded, ...there, ...rows].toSorted((a, b) => a.row - b.row);
  }

  close(): Promise<void> {
    return this.#at.close();
  }

  /** The first row of a key stays. */
  async #takeDoubles(stage: string): Promise<RefusedRow[]> {
    const { dialect, schema } = this.#at.place;
    const { number } = dialect.trial;
    const places = await this.#take(
      stage,
      `SELECT n.place FROM (
         SELECT ${number} AS place, row_number() OVER (PARTITION BY ${this.#key()} ORDER BY ${number}) AS nth FROM ${stage}) n WHERE n.nth > 1`,
    );
    const reason = `an earlier record of the load has its key (${schema.key.join(', ')})`;
    return places.map((row) => ({ row, code: 'row.duplicate', reason }));
  }

  /** Rows that are added to others, with a key that one of those has. */
  async #takeThere(stage: string): Promise<RefusedRow[]> {
    const places = await this.#takeMet(stage, this.#table);
    const reason = `a row of the table has its key (${this.#at.place.schema.key.join(', ')})`;
    return places.map((row) => ({ row, code: 'row.duplicate', reason }));
  }

  /** Rows with a key that a slice before this one has; the keys of the others are noted. */
  async #takeSuperseded(stage: string): Promise<RefusedRow[]> {
    const { dialect, key, schema } = this.#at.place;
    const { number } = dialect.trial;
    const [seen, fresh] = this.#keyTables();
    let places: number[] = [];
    if (this.#tried === 0)
      await this.#ask(dialect.createTable(seen, key, { history: undefined, temporary: true, key }));
    else places = await this.#takeMet(stage, seen);
    this.#tried++;
    await this.#ask(
      `CREATE TEMPORARY TABLE ${fresh} AS SELECT ${number} AS sluice_place, ${this.#key()} FROM ${stage}`,
    );
    const reason = `another record of the load has its key (${schema.key.join(', ')})`;
    return places.map((row) => ({ row, code: 'row.superseded', reason }));
  }

  /** Rows whose key is in a table. */
  #takeMet(stage: string, table: string): Promise<number[]> {
    const { dialect, key } = this.#at.place;
    const same = key.map(({ name, nullable }) => {
      const [a, b] = [`s.${dialect.quote(name)}`, `k.${dialect.quote(name)}`];
      return nullable ? `(${a} = ${b} OR (${a} IS NULL AND ${b} IS NULL))` : `${a} = ${b}`;
    });
    return this.#take(
      stage,
      `SELECT s.${dialect.trial.number} AS place FROM ${stage} s WHERE EXISTS (SELECT 1 FROM ${table} k WHERE ${same.join(' AND ')})`,
    );
  }

  /** What is refused takes no other's place. */
  async #keepKeys(refused: readonly { row: number }[]): Promise<void> {
    const { dialect } = this.#at.place;
    const [seen, fresh] = this.#keyTables();
    for (let at = 0; at < refused.length; at += LISTED) {
      const rows = refused.slice(at, at + LISTED).map(({ row }) => row);
      await this.#ask(`DELETE FROM ${fresh} WHERE sluice_place IN (${rows.join(', ')})`);
    }
    await this.#ask(`INSERT INTO ${seen} (${this.#key()}) SELECT ${this.#key()} FROM ${fresh}`);
    await this.#ask(dialect.trial.drop(fresh));
  }

  #keyTables(): [string, string] {
    const { dialect } = this.#at.place;
    return [dialect.quote('sluice_seen'), dialect.quote('sluice_fresh')];
  }

  #key(): string {
    const { dialect, key } = this.#at.place;
    return key.map(({ name }) => dialect.quote(name)).join(', ');
  }

  /** Numbers of the rows that a query finds, which go out of the stage. */
  async #take(stage: string, query: string): Promise<number[]> {
    const { dialect } = this.#at.place;
    const { number } = dialect.trial;
    const found = dialect.quote('sluice_found');
    // Some systems cannot delete from a table that they read.
    await this.#ask(`CREATE TEMPORARY TABLE ${found} AS ${query}`);
    await this.#ask(`DELETE FROM ${stage} WHERE ${number} IN (SELECT place FROM ${found})`);
    const rows = await this.#ask(`SELECT place FROM ${found}`);
    await this.#ask(dialect.trial.drop(found));
    return rows.map(({ place }) => Number(place));
  }

  async #ask(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.#at.session.query(sql, this.#doing)).rows;
  }
}
