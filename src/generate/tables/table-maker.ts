/** One made-up table in a database: made in bulk, and changed day by day. */
import { asBytes } from '../../core/batch-wire.ts';
import { addDays } from '../../core/units.ts';
import { mergeRows } from '../../connectors/shared/sql/merge-rows.ts';
import type { SqlSession, SqlSystem, TargetColumn } from '../../connectors/shared/sql/system.ts';
import { type Place, targetColumns } from '../../connectors/shared/sql/table-shape.ts';
import type { Batch } from '../../core/batch.ts';
import type { Schema } from '../../core/schema.ts';
import type { BatchesReader } from '../../core/source.ts';
import type { Dataset, EntityData } from '../dataset.ts';
import type { FaultKind, FaultOptions } from '../faults.ts';
import { batchesOf } from '../record-batches.ts';
import { type Section, sectionsOf } from '../sections.ts';
import { DRIFT_KINDS } from '../model.ts';

/** What was done to a table. */
export interface GeneratedTable {
  readonly table: string;
  /** The last day that is in it, counted from 0, and as `YYYY-MM-DD`. */
  readonly day: number;
  readonly date: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Records in the table now. */
  readonly records: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
}

export interface MakerOptions {
  readonly faults?: FaultOptions | undefined;
  readonly onRows: (rows: number, total: number) => void;
  readonly signal: AbortSignal;
}

/** Keys in one statement. */
const DELETED_AT_ONCE = 1000;

export class TableMaker {
  readonly #system: SqlSystem;
  readonly #data: Dataset;
  readonly #entity: EntityData;
  readonly #options: MakerOptions;
  readonly #faults: Partial<Record<FaultKind, number>> = {};

  constructor(system: SqlSystem, data: Dataset, entity: EntityData, options: MakerOptions) {
    this.#system = system;
    this.#data = data;
    this.#entity = entity;
    this.#options = options;
  }

  /** Makes the table as it is at the end of a day; `note` writes it down in the transaction of the rows. */
  async make(session: SqlSession, day: number, note: () => Promise<void>): Promise<GeneratedTable> {
    const { dialect } = this.#system;
    const { name } = this.#entity;
    const sections = this.#sections(day, 'all');
    const place = this.#place(sections[0]!.reader.schema);
    const table = dialect.table(name);
    const { columns, key } = place;
    const doing = `making table "${name}"`;
    try {
      // Systems whose DDL ends transactions make the key best with the table, the others with all rows in it.
      const early = dialect.ddlApart !== undefined;
      await session.query(
        dialect.createTable(table, columns, { history: undefined, ...(early && { key }) }),
        doing,
      );
      for (const sql of dialect.begin(undefined)) await session.query(sql, doing);
      await this.#load(session, { table, columns, sections });
      if (!early) await session.query(dialect.addKey(table, name, key), doing);
      await note();
      await session.query('COMMIT', doing);
      await this.#index(session, columns);
    } catch (error) {
      await this.#drop(table);
      throw error;
    }
    const records = count(sections);
    return this.#done(day, { inserted: records, updated: 0, deleted: 0 });
  }

  /** What one day changes, in one transaction. */
  async liveADay(session: SqlSession, day: number, note: () => Promise<void>): Promise<GeneratedTable> {
    const { dialect } = this.#system;
    const { name, life } = this.#entity;
    await this.#followDrift(session, day);
    const sections = this.#sections(day, 'changes');
    const place = this.#place(sections[0]!.reader.schema);
    const { columns, key } = place;
    const doing = `changing table "${name}"`;
    for (const sql of dialect.begin(undefined)) await session.query(sql, doing);
    const stage = dialect.quote('sluice_stage');
    await session.query(
      dialect.createTable(stage, columns, { history: undefined, temporary: true, key }),
      doing,
    );
    await this.#load(session, { table: stage, columns, sections });
    const tableRows = this.#entity.all(day - 1).count;
    await mergeRows(session, place, { table: stage, columns, tableRows }, place.schema.key);
    const { updated, deleted, inserted } = life.changes(day);
    await this.#delete(session, key[0]!, deleted);
    await note();
    await session.query('COMMIT', doing);
    const counts = {
      inserted: inserted.to - inserted.from,
      updated: updated.length,
      deleted: deleted.length,
    };
    return this.#done(day, counts);
  }

  #sections(day: number, content: 'all' | 'changes'): Section[] {
    const { seed } = this.#data.options;
    const { faults } = this.#options;
    return sectionsOf(this.#entity, day, { seed, form: 'table', faults, content, changeColumn: undefined });
  }

  #place(made: Schema): Place {
    const { dialect } = this.#system;
    // What a fault leaves out has to be allowed to be missing.
    const schema = this.#options.faults
      ? { ...made, fields: made.fields.map((field, i) => ({ ...field, nullable: field.nullable || i > 0 })) }
      : made;
    const columns = targetColumns(schema, dialect, true);
    const key = columns.filter(({ field }) => schema.key.includes(field));
    return { dialect, table: this.#entity.name, schema, columns, history: undefined, stamp: undefined, key };
  }

  async #load(
    session: SqlSession,
    {
      table,
      columns,
      sections,
    }: { table: string; columns: readonly TargetColumn[]; sections: readonly Section[] },
  ): Promise<void> {
    const { onRows, signal } = this.#options;
    const total = count(sections);
    const reader = batchesOf(sections, (_, faults) => {
      for (const { kind } of faults) this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
    });
    const batches: BatchesReader = {
      format: 'batches',
      schema: sections[0]!.reader.schema,
      async *batches(): AsyncGenerator<Batch> {
        for (let batch = reader.next(); batch; batch = reader.next()) yield batch;
      },
      facts: () => ({ rows: total, bytes: 0, high: undefined, coerced: {} }),
      close: async () => undefined,
    };
    const into = { doing: `filling table "${this.#entity.name}"`, table, columns, stamped: undefined };
    await session.load(into, asBytes(batches), (rows) => onRows(rows, total), signal);
  }

  async #delete(session: SqlSession, key: TargetColumn, deleted: Uint32Array): Promise<void> {
    const { dialect } = this.#system;
    const { name } = this.#entity;
    for (let at = 0; at < deleted.length; at += DELETED_AT_ONCE) {
      const keys = Array.from(deleted.subarray(at, at + DELETED_AT_ONCE), (index) => index + 1);
      const sql = `DELETE FROM ${dialect.table(name)} WHERE ${dialect.quote(key.name)} IN (${keys.join(', ')})`;
      await session.query(sql, `taking rows out of table "${name}"`);
    }
  }

  /** Brings the columns to those of a day; what is so already is left alone. */
  async #followDrift(session: SqlSession, day: number): Promise<void> {
    const { dialect } = this.#system;
    const { entity, name } = this.#entity;
    const table = dialect.table(name);
    const doing = `changing the columns of table "${name}"`;
    const { columns } = this.#place(this.#sections(day, 'changes')[0]!.reader.schema);
    for (const kind of DRIFT_KINDS) {
      const drifted = entity.drift[kind];
      if (this.#data.options.drift[kind] !== day || !drifted) continue;
      const field = drifted.field(day).name;
      const column = columns.find((each) => each.field === field)!;
      const found = await dialect.find(session, name);
      const there = found?.columns.find((each) => each.name === column.name);
      const before = drifted.replaces;
      if (!there && before !== undefined)
        await session.query(
          `ALTER TABLE ${table} RENAME COLUMN ${dialect.quote(before)} TO ${dialect.quote(column.name)}`,
          doing,
        );
      else if (!there) await session.query(dialect.addColumn(table, column), doing);
      else if (there.type !== column.type)
        await session.query(dialect.changeType(table, { ...column, nullable: there.nullable }), doing);
    }
  }

  /** So that what has changed is found without reading all. */
  async #index(session: SqlSession, columns: readonly TargetColumn[]): Promise<void> {
    const { dialect, gives } = this.#system;
    const cursor = columns.find(({ field }) => field === 'updated_at');
    if (!cursor || !gives.indexes) return;
    const { name } = this.#entity;
    const index = dialect.quote(`${name}_updated_at`);
    await session.query(
      `CREATE INDEX ${index} ON ${dialect.table(name)} (${dialect.quote(cursor.name)})`,
      `making an index of table "${name}"`,
    );
  }

  /** What was begun is in the way of the next try; a session of its own, since that of the failure may be of no use. */
  async #drop(table: string): Promise<void> {
    const session = await this.#system.connect(new AbortController().signal).catch(() => undefined);
    await session?.query(`DROP TABLE IF EXISTS ${table}`, 'tidying up').catch(() => undefined);
    await session?.close();
  }

  #done(day: number, counts: Pick<GeneratedTable, 'inserted' | 'updated' | 'deleted'>): GeneratedTable {
    const date = addDays(this.#data.options.from, day);
    const records = this.#entity.all(day).count;
    return { table: this.#entity.name, day, date, ...counts, records, faults: { ...this.#faults } };
  }
}

function count(sections: readonly Section[]): number {
  return sections.reduce((sum, { selection }) => sum + selection.count, 0);
}
