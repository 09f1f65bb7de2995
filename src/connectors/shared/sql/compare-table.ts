/** Tables of a SQL database as one side of a comparison: what was written, read in one transaction that sees one moment. */
import type { Comparable, ComparedTable, ComparedTables } from '../../../core/compare.ts';
import { DELETED_AT, type TableState } from '../../../core/destination.ts';
import { ConfigError, SluiceError, TransientError } from '../../../core/errors.ts';
import { compareRelation } from '../compare-relation.ts';
import type { FoundTable, SqlComparison, SqlMoment, SqlSession, SqlSystem, TargetColumn } from './system.ts';
import { LOAD_ID, VALID_TO } from './system.ts';
import { targetColumns } from './table-shape.ts';
import { hasVersions } from './versions.ts';

/** What is known of a table, as the session sees it. */
type ReadState = (session: SqlSession, table: string) => Promise<TableState | undefined>;

export class ComparedMoment implements ComparedTables {
  readonly #system: SqlSystem;
  readonly #comparison: SqlComparison;
  readonly #session: SqlSession;
  readonly #moment: SqlMoment;
  readonly #read: ReadState;

  private constructor(system: SqlSystem, read: ReadState, begun: { session: SqlSession; moment: SqlMoment }) {
    this.#system = system;
    this.#comparison = system.dialect.comparison;
    this.#session = begun.session;
    this.#moment = begun.moment;
    this.#read = read;
  }

  static async open(system: SqlSystem, signal: AbortSignal, read: ReadState): Promise<ComparedMoment> {
    const session = await system.connect(signal);
    try {
      return new ComparedMoment(system, read, {
        session,
        moment: await system.dialect.comparison.begin(session),
      });
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** A table as it is at this moment; undefined when there is none. */
  async table(name: string): Promise<ComparedTable | undefined> {
    const { dialect } = this.#system;
    const [state, found] = await this.#apart(async () => {
      const known = await this.#read(this.#session, name);
      const there = known && (await dialect.find(this.#session, name));
      if (there) await this.#refuseChanged(name);
      return [known, there] as const;
    });
    if (!state || !found) return undefined;
    const { keeping } = this.#moment;
    return { state, rows: this.#rows(name, state, found), keeping, close: async () => {} };
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #rows(name: string, state: TableState, found: FoundTable): Comparable {
    const { dialect } = this.#system;
    const columns = targetColumns(state.schema, dialect, false);
    const column = (field: string): TargetColumn => {
      const wanted = columns.find((each) => each.field === field);
      const there = found.columns.find((each) => each.name === wanted?.name);
      if (wanted && there) return { ...wanted, type: there.type, nullable: there.nullable };
      throw new ConfigError(`comparing table "${name}": it has no column "${wanted?.name ?? field}"`, {
        code: 'verify.no_column',
        remedy: 'somebody has dropped or renamed it; load the stream again with --full-refresh',
      });
    };
    const quoted = (field: string): string => dialect.quote(column(field).name);
    return compareRelation(
      {
        from: dialect.table(name),
        // Earlier versions are not the source's any more.
        conditions: [
          ...(hasVersions(found) ? [VALID_TO] : []),
          // Rows that are gone from the source.
          ...(state.schema.fields.some((field) => field.name === DELETED_AT) ? [DELETED_AT] : []),
        ].map((name) => `${dialect.quote(name)} IS NULL`),
        column: (compared) => {
          const target = column(compared.name);
          return { sql: this.#comparison.value(target, compared.type), nullable: target.nullable };
        },
        plain: quoted,
        within: (within) => this.#comparison.within(column(within.column), within),
        waiting: (range) => {
          if (range.kind === 'all') return undefined;
          // A cursor tells of the source's rows only.
          return range.kind === 'column' ? this.#comparison.within(column(range.column), range) : '1 = 0';
        },
        version: found.columns.some((each) => each.name === LOAD_ID) ? dialect.quote(LOAD_ID) : undefined,
      },
      this.#moment.dialect,
      (sql, how) => this.#ask(name, sql, how),
    );
  }

  async *#ask(
    name: string,
    sql: string,
    how: { many: boolean; signal: AbortSignal },
  ): AsyncGenerator<readonly unknown[][]> {
    const session = this.#session;
    const doing = `comparing table "${name}"`;
    await this.#mark();
    try {
      yield* session.batches(sql, { doing, ...how });
      await this.#refuseChanged(name);
    } catch (error) {
      throw error instanceof SluiceError && error.code === 'engine.old_snapshot' ? replaced(name) : error;
    } finally {
      await this.#release();
    }
  }

  async #mark(): Promise<void> {
    if (this.#comparison.savepoints) await this.#session.query('SAVEPOINT sluice', 'comparing');
  }

  /** Gives back the locks on what was read: a run that swaps the table must not wait until all streams are compared. */
  async #release(): Promise<void> {
    if (!this.#comparison.savepoints) return;
    await this.#session
      .query('ROLLBACK TO SAVEPOINT sluice', 'comparing')
      // The next statement says it better.
      .catch(() => undefined);
  }

  async #apart<T>(work: () => Promise<T>): Promise<T> {
    await this.#mark();
    try {
      return await work();
    } finally {
      await this.#release();
    }
  }

  async #refuseChanged(name: string): Promise<void> {
    if (!(await this.#moment.unchanged(name))) throw replaced(name);
  }
}

function replaced(name: string): TransientError {
  return new TransientError(`comparing table "${name}": it was replaced or emptied meanwhile`, {
    code: 'verify.replaced',
    remedy: 'compare again when no run is loading it',
  });
}
