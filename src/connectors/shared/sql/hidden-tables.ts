import type { StageOptions } from '../../../core/destination.ts';
import type { SqlSession, SqlSystem } from './system.ts';
import type { Place } from './table-shape.ts';

/** Tables that readers do not look at, for loads that take the place of everything or are committed with others. */
export class HiddenTables {
  readonly #system: SqlSystem;
  readonly #place: Place;
  readonly #nextName: () => string;
  /** The table that all loads of one commit share. */
  #shared: Promise<string> | undefined;

  constructor(system: SqlSystem, place: Place, nextName: () => string) {
    this.#system = system;
    this.#place = place;
    this.#nextName = nextName;
  }

  /** A quoted name that nobody has. */
  name(): string {
    return this.#system.dialect.hidden(this.#nextName());
  }

  /** Committed at once, for others to load into it. */
  async make(numbered: boolean = false): Promise<string> {
    const name = this.name();
    const { columns, table } = this.#place;
    const sql = this.#system.dialect.createTable(name, columns, { ...this.#place, numbered });
    await this.#use((session) => session.query(sql, `loading table "${table}"`));
    return name;
  }

  /** `distinct`: what is in it is compared with the table, where nothing but a number tells rows apart that have no key. */
  shared(distinct: StageOptions['distinct']): Promise<string> {
    return (this.#shared ??= this.make(distinct?.key.length === 0));
  }

  /** Never throws: what is left is swept by a later run. */
  async drop(tables: readonly string[]): Promise<void> {
    if (tables.length === 0) return;
    try {
      await this.#use(async (session) => {
        for (const table of new Set(tables))
          await session.query(`DROP TABLE IF EXISTS ${table}`, 'tidying up');
      });
      if (tables.includes((await this.#shared) ?? '')) this.#shared = undefined;
    } catch {
      // See above.
    }
  }

  async dropShared(): Promise<void> {
    const shared = await this.#shared?.catch(() => undefined);
    if (shared !== undefined) await this.drop([shared]);
  }

  async #use<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    const session = await this.#system.connect(new AbortController().signal);
    try {
      return await work(session);
    } finally {
      await session.close();
    }
  }
}
