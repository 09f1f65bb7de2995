import { Batch } from '../core/batch.ts';
import type { Schema } from '../core/schema.ts';
import type { EntityData, Selection } from './dataset.ts';
import { type Fault, type FaultForm, type FaultOptions, Faults } from './faults.ts';
import type { Field, Rows } from './field.ts';
import type { ChangedValue } from './json-rows.ts';
import type { Versions } from './life.ts';
import { markNulls } from './nested.ts';
import { Draws, Words } from './random.ts';

/** Most records that are made at a time. */
export const BATCH_ROWS = 2048;

export interface ReaderOptions {
  readonly seed: number;
  readonly form: FaultForm;
  readonly faults?: FaultOptions | undefined;
  /** The day whose end decides what the records are like; the same as that of the fields when absent. */
  readonly versionsOf?: number | undefined;
  /** Most records that are loaded at a time; {@link BATCH_ROWS} when absent. */
  readonly most?: number | undefined;
  /** Fields beside those of the model. */
  readonly more?: readonly Field[] | undefined;
}

/** A fault of a record that has been loaded. */
export interface RowFault extends Fault {
  readonly row: number;
  /** Number of the record in whose place this is. */
  readonly index: number;
  /** What is written in the place of a value. */
  readonly change: ChangedValue | undefined;
}

/** The columns that fields become. */
function schemaOf(fields: readonly Field[]): Schema {
  return {
    fields: fields.map(({ name, type, nulls = 0, length, optional = false }) => ({
      name,
      type,
      nullable: nulls > 0 || optional,
      ...(length !== undefined && { length }),
    })),
    key: [fields[0]!.name],
  };
}

/** Makes records of an entity as they are at the end of a day, a batch at a time. */
export class RecordReader {
  readonly schema: Schema;
  /** Holds what was loaded last. */
  readonly batch: Batch;
  /** What is wrong with it, by row, ascending. */
  faults: readonly RowFault[] = [];
  readonly #entity: EntityData;
  readonly #fields: { field: Field; draws: Draws }[];
  readonly #faults: Faults | undefined;
  readonly #versions: Versions;
  readonly #words: Words;
  readonly #rows: Rows & { count: number };

  constructor(entity: EntityData, day: number, options: ReaderOptions) {
    const { seed, form, faults, versionsOf = day, most = BATCH_ROWS, more = [] } = options;
    const capacity = Math.min(most, BATCH_ROWS);
    this.#entity = entity;
    const fields = [...entity.fields(day), ...more];
    this.schema = schemaOf(fields);
    this.batch = new Batch(this.schema, capacity);
    this.#fields = fields.map((field) => ({
      field,
      draws: new Draws(seed, `${entity.name}.${field.purpose ?? field.name}`),
    }));
    if (faults && faults.rate > 0)
      this.#faults = new Faults(new Draws(seed, `${entity.name} faults`), this.schema, form, faults);
    this.#versions = entity.life.versions(versionsOf);
    this.#words = new Words(capacity);
    this.#rows = {
      count: 0,
      index: new Uint32Array(capacity),
      version: new Uint16Array(capacity),
      created: new Float64Array(capacity),
      updated: new Float64Array(capacity),
      parent: new Uint32Array(capacity),
    };
  }

  /** Makes the records at so many positions, {@link BATCH_ROWS} at most. */
  load(selection: Selection, from: number, count: number): void {
    this.loadMoments(selection, from, count);
    const rows = this.#rows;
    const words = this.#words;
    this.batch.reset();
    this.batch.rows = count;
    for (const [i, { field, draws }] of this.#fields.entries()) {
      draws.fill(words, rows, field.changes ?? false);
      const column = this.batch.columns[i]!;
      field.fill(column, rows, words);
      markNulls(column, words, count, field.nulls ?? 0);
    }
  }

  /** Whether records may be broken. */
  get breaks(): boolean {
    return this.#faults !== undefined;
  }

  /** Only finds out when they were changed. */
  loadMoments(selection: Selection, from: number, count: number): void {
    this.#choose(selection, from, count);
    this.#entity.fillMoments(this.#rows, this.#words);
  }

  /** When the loaded records were last changed, in microseconds since 1970. */
  get updated(): Float64Array {
    return this.#rows.updated;
  }

  #choose(selection: Selection, from: number, count: number): void {
    const rows = this.#rows;
    const found: RowFault[] = [];
    rows.count = count;
    for (let r = 0; r < count; r++) {
      const index = selection.index(from + r);
      rows.index[r] = index;
      const fault = this.#faults?.of(index, this.#versions);
      if (!fault) continue;
      if (fault.kind === 'duplicate') rows.index[r] = index - 1;
      found.push({ ...fault, row: r, index, change: this.#faults!.change(fault, index) });
    }
    for (let r = 0; r < count; r++) rows.version[r] = this.#versions.of(rows.index[r]!);
    if (this.#entity.parent)
      for (let r = 0; r < count; r++) rows.parent[r] = this.#entity.parentOf(rows.index[r]!);
    this.faults = found;
  }
}
