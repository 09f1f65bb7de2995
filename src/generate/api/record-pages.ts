import type { Dataset, EntityData, Selection } from '../dataset.ts';
import { ByteSink } from '../byte-sink.ts';
import type { FaultOptions } from '../faults.ts';
import { jsonRowWriter, type WriteRow } from '../json-rows.ts';
import { BATCH_ROWS, RecordReader } from '../record-reader.ts';

const LINE_END = 0x0a;
const COMMA = 0x2c;
/** Days and entities of which the means to make records are kept. */
const KEPT_READERS = 8;
const KEPT_SELECTIONS = 32;

interface Opened {
  readonly reader: RecordReader;
  readonly write: WriteRow;
}

/** Makes the records of pages, and the lists that they are cut from. */
export class RecordPages {
  readonly #data: Dataset;
  readonly #faults: FaultOptions | undefined;
  readonly #opened = new Recent<Opened>(KEPT_READERS);
  readonly #selections = new Recent<Selection>(KEPT_SELECTIONS);
  readonly #families = new Recent<Family>(KEPT_READERS);
  readonly #sink = new ByteSink();

  constructor(data: Dataset, faults: FaultOptions | undefined) {
    this.#data = data;
    this.#faults = faults;
  }

  /** Records as JSON, one after the other with commas between them, or one a line. The bytes are the caller's own. */
  render(
    entity: EntityData,
    day: number,
    { selection, from, to, lines }: { selection: Selection; from: number; to: number; lines: boolean },
  ): Uint8Array {
    const { reader, write } = this.#open(entity, day);
    const sink = this.#sink;
    sink.length = 0;
    for (let at = from; at < to; at += BATCH_ROWS) {
      const count = Math.min(BATCH_ROWS, to - at);
      reader.load(selection, at, count);
      let next = 0;
      for (let r = 0; r < count; r++) {
        if (!lines && sink.length > 0) sink.byte(COMMA);
        const fault = reader.faults[next]?.row === r ? reader.faults[next++] : undefined;
        write(sink, r, fault?.change);
        if (lines) sink.byte(LINE_END);
      }
    }
    return sink.written.slice();
  }

  /** All records of a day, or those that were changed since a moment. */
  selection(entity: EntityData, day: number, since: number | undefined): Selection {
    return this.#selections.of(`${entity.name} ${day} ${since ?? ''}`, () => {
      const all = entity.all(day);
      return since === undefined ? all : this.#changedSince(entity, day, { all, since });
    });
  }

  /** Those among them that belong to one record. */
  children(entity: EntityData, day: number, parent: number): Selection {
    const { starts, indices } = this.#families.of(`${entity.name} ${day}`, () => familyOf(entity, day));
    const from = starts[parent] ?? 0;
    const to = starts[parent + 1] ?? from;
    return { count: to - from, index: (position) => indices[from + position]! };
  }

  #changedSince(
    entity: EntityData,
    day: number,
    { all, since }: { all: Selection; since: number },
  ): Selection {
    const { reader } = this.#open(entity, day);
    const found: number[] = [];
    for (let at = 0; at < all.count; at += BATCH_ROWS) {
      const count = Math.min(BATCH_ROWS, all.count - at);
      reader.loadMoments(all, at, count);
      for (let r = 0; r < count; r++) if (reader.updated[r]! >= since) found.push(all.index(at + r));
    }
    return { count: found.length, index: (position) => found[position]! };
  }

  #open(entity: EntityData, day: number): Opened {
    return this.#opened.of(`${entity.name} ${day}`, () => {
      const { seed } = this.#data.options;
      const reader = new RecordReader(entity, day, { seed, form: 'json', faults: this.#faults });
      return { reader, write: jsonRowWriter(reader.batch) };
    });
  }
}

/** Children in the order of their parents; those of parent `p` are at `starts[p]` to `starts[p + 1]`. */
interface Family {
  readonly starts: Uint32Array;
  readonly indices: Uint32Array;
}

function familyOf(entity: EntityData, day: number): Family {
  const all = entity.all(day);
  const parents = entity.parent?.life.population(day) ?? 0;
  const starts = new Uint32Array(parents + 1);
  const parentAt = new Uint32Array(all.count);
  for (let position = 0; position < all.count; position++) {
    const parent = entity.parentOf(all.index(position));
    parentAt[position] = parent;
    starts[parent + 1]!++;
  }
  for (let parent = 0; parent < parents; parent++) starts[parent + 1]! += starts[parent]!;
  const next = starts.slice();
  const indices = new Uint32Array(all.count);
  for (let position = 0; position < all.count; position++)
    indices[next[parentAt[position]!]!++] = all.index(position);
  return { starts, indices };
}

/** A few things that were made last. */
class Recent<T> {
  readonly #made = new Map<string, T>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  of(key: string, make: () => T): T {
    const found = this.#made.get(key);
    const value = found ?? make();
    this.#made.delete(key);
    this.#made.set(key, value);
    if (this.#made.size > this.#most) this.#made.delete(this.#made.keys().next().value!);
    return value;
  }
}
