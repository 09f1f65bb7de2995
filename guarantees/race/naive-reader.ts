/** What many programs do: keep the greatest cursor value, and ask for what is above it. It shows that there was a race. */
import type { SqlSession } from '../sides.ts';
import type { RaceTable } from './tables.ts';
import type { Writers } from './writers.ts';

export class NaiveReader {
  readonly #session: SqlSession;
  readonly #writers: Writers;
  readonly #table: RaceTable;
  readonly #versions = new Map<string, string>();
  #last: string | undefined;

  constructor(session: SqlSession, writers: Writers, table: RaceTable) {
    this.#session = session;
    this.#writers = writers;
    this.#table = table;
  }

  async read(): Promise<void> {
    for (const row of await this.#session.query(this.#writers.newer(this.#table, this.#last))) {
      this.#versions.set(String(row['id']), String(row['version']));
      if (row['at'] !== null) this.#last = row['at'] as string;
    }
  }

  /** Rows whose present version it has never read. */
  async lost(): Promise<number> {
    const rows = await this.#session.query(this.#writers.versions(this.#table));
    return rows.filter((row) => this.#versions.get(String(row['id'])) !== String(row['version'])).length;
  }
}
