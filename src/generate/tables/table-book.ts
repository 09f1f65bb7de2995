/** What tables were made of, and how far their days have gone: kept in the database, where readers do not look. */
import type { SqlSession, SqlSystem } from '../../connectors/shared/sql/system.ts';
import type { FaultOptions } from '../faults.ts';
import type { ModelOptions } from '../open-model.ts';

export interface TableEntry {
  readonly table: string;
  readonly model: ModelOptions;
  readonly faults: FaultOptions | undefined;
  /** The last day whose changes are in it. */
  readonly day: number;
}

const DOING = 'writing down what made-up tables are made of';

export class TableBook {
  readonly #system: SqlSystem;
  readonly #name: string;

  constructor(system: SqlSystem) {
    this.#system = system;
    this.#name = system.dialect.hidden('generated');
  }

  /** Makes the book where there is none. */
  async open(session: SqlSession): Promise<void> {
    for (const sql of this.#system.dialect.setUp) await session.query(sql, DOING);
    await session.query(
      `CREATE TABLE IF NOT EXISTS ${this.#name} (name VARCHAR(200) NOT NULL PRIMARY KEY, model TEXT NOT NULL, day INTEGER NOT NULL)`,
      DOING,
    );
  }

  async read(session: SqlSession, table: string): Promise<TableEntry | undefined> {
    const { rows } = await session.query(
      `SELECT model, day FROM ${this.#name} WHERE name = ${this.#system.dialect.parameter(1)}`,
      DOING,
      [this.#key(table)],
    );
    const [row] = rows;
    const made = row && (JSON.parse(String(row['model'])) as Pick<TableEntry, 'model' | 'faults'>);
    return made && { table, model: made.model, faults: made.faults, day: Number(row['day']) };
  }

  /** In the transaction of the rows. */
  async write(session: SqlSession, { table, model, faults, day }: TableEntry): Promise<void> {
    const { dialect } = this.#system;
    await this.remove(session, table);
    const values = [1, 2, 3].map((position) => dialect.parameter(position)).join(', ');
    await session.query(`INSERT INTO ${this.#name} (name, model, day) VALUES (${values})`, DOING, [
      this.#key(table),
      JSON.stringify({ model, faults }),
      day,
    ]);
  }

  async remove(session: SqlSession, table: string): Promise<void> {
    const { dialect } = this.#system;
    await session.query(`DELETE FROM ${this.#name} WHERE name = ${dialect.parameter(1)}`, DOING, [
      this.#key(table),
    ]);
  }

  /** Schemas of one database may keep one book. */
  #key(table: string): string {
    return this.#system.dialect.recordName(table);
  }
}
