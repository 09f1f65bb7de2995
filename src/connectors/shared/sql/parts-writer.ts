/**
 * Takes indexes and foreign keys out of the way of a table's loads. Nothing is put back here: that is done when the table, or
 * all tables of the run, are loaded.
 *
 * Indexes go when the load is large, as the plan says. Foreign keys go where a load cannot respect them: rows that others
 * refer to are replaced, or were loaded after those that refer to them.
 */
import type {
  Load,
  RowTrial,
  StageOptions,
  Supersede,
  TableSpec,
  TableWriter,
  TriedSlices,
} from '../../../core/destination.ts';
import { SluiceError, TransientError } from '../../../core/errors.ts';
import type { SliceReader } from '../../../core/source.ts';
import type { Checkpoint, Slice } from '../../../core/stream.ts';
import { takeAway } from './missing-parts.ts';
import type { TablePart } from './parts.ts';
import type { SqlSystem } from './system.ts';

export class PartsWriter implements TableWriter {
  readonly #system: SqlSystem;
  readonly #spec: TableSpec;
  readonly #inner: TableWriter;
  readonly #without: Set<string>;
  /** Slices that are staged side by side wait for the first one. */
  #ready: Promise<void> | undefined;
  /** Seconds that it took to take indexes away, for the first load that is committed. */
  #off: number | undefined;

  /** `without`: tables of this run whose foreign keys were found to be in the way. */
  constructor(system: SqlSystem, spec: TableSpec, inner: TableWriter, without: Set<string>) {
    this.#without = without;
    this.#system = system;
    this.#spec = spec;
    this.#inner = inner;
  }

  async stage(slice: Slice, reader: SliceReader, options: StageOptions, signal: AbortSignal): Promise<Load> {
    this.#ready ??= this.#makeReady(options.supersede, signal).catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    await this.#ready;
    return this.#orWithout(() => this.#inner.stage(slice, reader, options, signal));
  }

  async commit(
    loads: Load[],
    how: Supersede,
    checkpoint: Checkpoint | undefined,
  ): Promise<{ version: number; rows: number; bytes: number }> {
    if (how.kind === 'everything' && loads.length > 0) await this.#take(isForeign);
    const done = await this.#orWithout(() => this.#inner.commit(loads, how, checkpoint));
    const [first] = loads;
    if (first && this.#off !== undefined) {
      first.timing = { 'indexes off': this.#off, ...first.timing };
      this.#off = undefined;
    }
    return done;
  }

  abort(loads: Load[]): Promise<void> {
    return this.#inner.abort(loads);
  }

  async tryRows(how: Supersede, error: unknown, tried: TriedSlices): Promise<RowTrial | undefined> {
    const trial = await this.#orWithout(() => this.#inner.tryRows!(how, error, tried));
    if (!trial) return undefined;
    const refused: RowTrial['refused'] = async (reader) => {
      try {
        return await trial.refused(reader);
      } catch (failure) {
        // It holds the table.
        await trial.close();
        throw failure;
      }
    };
    return {
      refused: (reader) => this.#orWithout(() => refused(reader)),
      close: () => trial.close(),
    };
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #makeReady(how: Supersede, signal: AbortSignal): Promise<void> {
    if (this.#without.has(this.#spec.table)) await this.#take(isForeign, signal);
    if (how.kind === 'window') {
      // Rows that are deleted come again: nobody means those that refer to them to go.
      await this.#take((part) => isForeign(part) && part.loose && part.refers === this.#table, signal);
    }
    if (this.#spec.indexesOff !== true || how.kind === 'everything') return;
    const started = performance.now();
    // Each window is looked for once more.
    const needed = how.kind === 'window' ? how.column : undefined;
    const taken = await this.#take(
      (part) => part.kind === 'index' && part.loose && (needed === undefined || part.column !== needed),
      signal,
    );
    if (taken) this.#off = (performance.now() - started) / 1000;
  }

  /** What is refused for a foreign key is tried again without; other slices may hold the table until then. */
  async #orWithout<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof SluiceError) || !error.code.endsWith('.foreign_key')) throw error;
      const { table } = this.#spec;
      const again = !this.#without.has(table);
      this.#without.add(table);
      if (!(await this.#take(isForeign)) && !again) throw error;
      throw new TransientError(error.message, {
        code: 'sql.foreign_keys_off',
        remedy: 'it is tried again without foreign keys, which come back after the run',
        cause: error,
      });
    }
  }

  get #table(): string {
    return this.#system.dialect.table(this.#spec.table);
  }

  async #take(
    which: (part: TablePart) => boolean,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<boolean> {
    const system = this.#system;
    const session = await system.connect(signal);
    let parts: TablePart[];
    try {
      for (const sql of system.dialect.begin(undefined)) await session.query(sql, 'looking at a table');
      parts = (await system.dialect.parts.list(session, this.#table)) ?? [];
    } finally {
      await session.close();
    }
    return takeAway(system, this.#spec, parts.filter(which), signal);
  }
}

function isForeign({ kind }: TablePart): boolean {
  return kind === 'foreign key';
}
