/**
 * Finds the rows that a table does not take, after a load has failed for some: all rows go to a temporary table that numbers
 * them, and from there to the user's, in a transaction that is undone.
 */
import { asBytes } from '../../../core/batch-wire.ts';
import type { RowTrial, Supersede } from '../../../core/destination.ts';
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

interface TrialSession {
  place: Place;
  session: SqlSession;
  how: Supersede;
  signal: AbortSignal;
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

class SqlRowTrial implements RowTrial {
  readonly #at: TrialSession;
  /** Quoted; takes the rows. */
  readonly #table: string;
  readonly #doing: string;

  constructor(at: TrialSession, table: string) {
    this.#at = at;
    this.#table = table;
    this.#doing = `looking for rows that table "${at.place.table}" refuses`;
  }

  async refused(given: SliceReader): Promise<RefusedRow[]> {
    const { place, session, how, signal } = this.#at;
    const { dialect, schema, history, key } = place;
    const reader = given.format === 'bytes' ? given : asBytes(given);
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
    const doubles = history !== 'loads' && key.length > 0 ? await this.#takeDoubles(stage) : [];
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
      stamps: history ? dialect.stamps[history] : [],
      history,
      goesOn: how.kind === 'everything',
    });
    await this.#ask(dialect.trial.drop(stage));
    const rows = refused.map(({ row, reason }): RefusedRow => ({
      row,
      code: 'row.refused',
      reason: `the target refuses it: ${reason}`,
    }));
    return [...doubles, ...rows].toSorted((a, b) => a.row - b.row);
  }

  close(): Promise<void> {
    return this.#at.close();
  }

  /** The first row of a key stays. */
  async #takeDoubles(stage: string): Promise<RefusedRow[]> {
    const { dialect, key, schema } = this.#at.place;
    const names = key.map(({ name }) => dialect.quote(name)).join(', ');
    const { number } = dialect.trial;
    const doubles = dialect.quote('sluice_doubles');
    // Some systems cannot delete from a table that they read.
    await this.#ask(
      `CREATE TEMPORARY TABLE ${doubles} AS SELECT n.place FROM (
         SELECT ${number} AS place, row_number() OVER (PARTITION BY ${names} ORDER BY ${number}) AS nth FROM ${stage}) n WHERE n.nth > 1`,
    );
    await this.#ask(`DELETE FROM ${stage} WHERE ${number} IN (SELECT place FROM ${doubles})`);
    const rows = await this.#ask(`SELECT place FROM ${doubles}`);
    await this.#ask(dialect.trial.drop(doubles));
    const reason = `an earlier record of the load has its key (${schema.key.join(', ')})`;
    return rows.map(({ place }) => ({ row: Number(place), code: 'row.duplicate', reason }));
  }

  async #ask(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.#at.session.query(sql, this.#doing)).rows;
  }
}
