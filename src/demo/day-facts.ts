import type { Catalog } from '../catalog/index.ts';
import type { RunReport } from '../engine/types.ts';

/** What one load did to the tables that are not simply replaced. */
export interface LoadFacts {
  /** For people: `first`, `1`, `after the day`. */
  load: string;
  seconds: number;
  /** Rows read from the shop, in those tables. */
  read: number;
  /** Of these, rows that the lake did not have in this version. */
  loaded: number;
  /** Rows in the lake afterwards. */
  rows: number;
  /** Rows that are in the lake more often than once. */
  doubled: number;
  /** Rows with a cursor value below one that an earlier load had already seen: their transactions committed late. */
  late: number;
  /** Columns that appeared. */
  changes: string[];
}

/** A table that is loaded by a cursor, with its key. */
interface Watched {
  table: string;
  key: string;
}

const WATCHED: readonly Watched[] = [
  { table: 'customers', key: 'id' },
  { table: 'orders', key: 'id' },
  { table: 'order_items', key: '(order_id, line_no)' },
];

/** Asks the files of the lake what a load has done, so that the numbers do not rest on the loader's own word. */
export class LakeWatch {
  readonly #catalog: Catalog;
  /** Of each table: the newest change and the newest load that were seen before. */
  readonly #seen = new Map<string, { change: string; load: string }>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Called after each load. */
  async look(load: string, report: RunReport, signal: AbortSignal): Promise<LoadFacts> {
    const streams = report.streams.filter((stream) => WATCHED.some(({ table }) => table === stream.table));
    const sum = (value: (stream: RunReport['streams'][number]) => number): number =>
      streams.reduce((total, stream) => total + value(stream), 0);
    const facts: LoadFacts = {
      load,
      seconds: report.seconds,
      read: sum(({ totals }) => totals.rows),
      loaded: sum(({ totals }) => totals.loaded),
      rows: 0,
      doubled: 0,
      late: 0,
      changes: report.streams.flatMap(({ table, changes }) => changes.map((change) => `${table} ${change}`)),
    };
    for (const watched of WATCHED) {
      const { rows, doubled, late } = await this.#lookAt(watched, signal);
      facts.rows += rows;
      facts.doubled += doubled;
      facts.late += late;
    }
    return facts;
  }

  async #lookAt(
    { table, key }: Watched,
    signal: AbortSignal,
  ): Promise<Record<'rows' | 'doubled' | 'late', number>> {
    const before = this.#seen.get(table);
    const isLate = before
      ? `_sluice_loaded_at > '${before.load}'::TIMESTAMPTZ and updated_at <= '${before.change}'::TIMESTAMPTZ`
      : 'false';
    const sql = `
      select count(*)::INTEGER, (count(*) - count(distinct ${key}))::INTEGER, (count(*) filter (where ${isLate}))::INTEGER,
        max(updated_at)::VARCHAR, max(_sluice_loaded_at)::VARCHAR
      from ${table}_history`;
    for await (const [row] of (await this.#catalog.select(sql, { signal })).batches) {
      const [rows, doubled, late, change, load] = row as [number, number, number, string, string];
      this.#seen.set(table, { change, load });
      return { rows, doubled, late };
    }
    return { rows: 0, doubled: 0, late: 0 };
  }
}
