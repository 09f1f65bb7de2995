/** Objects within records, and arrays of them: their fields are made like those of a record, and written as JSON. */
import { Batch, type Column } from '../core/batch.ts';
import { ByteSink } from './byte-sink.ts';
import { type Field, type FieldOptions, type Rows } from './field.ts';
import { jsonRowWriter } from './json-rows.ts';
import { Words } from './random.ts';

/** Parts of a word that are used for the length of an array are not used for its elements. */
const MIX = 0x9e3779b1;

/** An object with these fields. All of them are drawn by the words of the object, each mixed in its own way. */
export function object(name: string, fields: readonly Field[], options: FieldOptions = {}): Field {
  const made = new Parts(fields);
  const sink = new ByteSink(new Uint8Array(0));
  return {
    name,
    type: { kind: 'json' },
    ...options,
    fill: (column, rows, words) => {
      made.fill(rows, words);
      writeInto(column, sink, rows.count, (row) => made.write(sink, row));
    },
  };
}

/** An array of such objects: as many as `most` at the highest, and some have none. */
export function objects(
  name: string,
  fields: readonly Field[],
  most: number,
  options: FieldOptions = {},
): Field {
  const made = new Parts(fields);
  const sink = new ByteSink(new Uint8Array(0));
  return {
    name,
    type: { kind: 'json' },
    ...options,
    fill: (column, rows, words) => {
      const elements = spread(rows, words, most);
      made.fill(elements.rows, elements.words);
      let at = 0;
      writeInto(column, sink, rows.count, (row) => {
        sink.byte(0x5b);
        const count = lengthOf(words, row, most);
        for (let i = 0; i < count; i++) {
          if (i > 0) sink.byte(0x2c);
          made.write(sink, at++);
        }
        sink.byte(0x5d);
      });
    },
  };
}

function lengthOf(words: Words, row: number, most: number): number {
  return (words.a[row]! >>> 8) % (most + 1);
}

/** A row for each element, with words of its own. */
function spread(rows: Rows, words: Words, most: number): { rows: Rows; words: Words } {
  let count = 0;
  for (let r = 0; r < rows.count; r++) count += lengthOf(words, r, most);
  const made = new Words(count);
  const elements = {
    count,
    index: new Uint32Array(count),
    version: new Uint16Array(count),
    created: new Float64Array(count),
    updated: new Float64Array(count),
    parent: new Uint32Array(count),
  };
  let at = 0;
  for (let r = 0; r < rows.count; r++) {
    for (let i = lengthOf(words, r, most); i > 0; i--, at++) {
      made.a[at] = Math.imul(words.a[r]! ^ (i << 24), MIX);
      made.b[at] = Math.imul(words.b[r]! + i, MIX);
      elements.index[at] = rows.index[r]!;
      elements.version[at] = rows.version[r]!;
      elements.created[at] = rows.created[r]!;
      elements.updated[at] = rows.updated[r]!;
      elements.parent[at] = rows.parent[r]!;
    }
  }
  return { rows: elements, words: made };
}

function writeInto(column: Column, sink: ByteSink, count: number, write: (row: number) => void): void {
  sink.bytes = column.bytes;
  sink.length = 0;
  column.offsets[0] = 0;
  for (let r = 0; r < count; r++) {
    write(r);
    column.offsets[r + 1] = sink.length;
  }
  column.bytes = sink.bytes;
}

/** The fields of objects as a batch, which is written row by row. */
class Parts {
  readonly #fields: readonly Field[];
  #batch: Batch | undefined;
  #words = new Words(0);
  #write: ReturnType<typeof jsonRowWriter> | undefined;

  constructor(fields: readonly Field[]) {
    this.#fields = fields;
  }

  fill(rows: Rows, words: Words): void {
    const { count } = rows;
    if (!this.#batch || this.#batch.capacity < count) {
      const fields = this.#fields.map(({ name, type }) => ({ name, type, nullable: true }));
      this.#batch = new Batch({ fields, key: [] }, Math.max(count, 256));
      this.#words = new Words(this.#batch.capacity);
      // Records of before know nothing of what came later.
      const later = this.#fields.flatMap(({ optional = false }, i) => (optional ? [i] : []));
      this.#write = jsonRowWriter(this.#batch, new Set(later));
    }
    this.#batch.reset();
    this.#batch.rows = count;
    for (const [number, field] of this.#fields.entries()) {
      const column = this.#batch.columns[number]!;
      const { a, b } = this.#words;
      // A person's fields agree, within an object as beside it; the others have nothing to do with each other.
      const own = field.purpose === undefined ? Math.imul(number + 1, 0x85ebca6b) : 0;
      for (let r = 0; r < count; r++) {
        a[r] = own === 0 ? words.a[r]! : Math.imul(words.a[r]! ^ (words.a[r]! >>> 15) ^ own, MIX);
        b[r] = own === 0 ? words.b[r]! : Math.imul(words.b[r]! ^ (words.b[r]! >>> 13) ^ own, MIX);
      }
      field.fill(column, rows, this.#words);
      markNulls(column, this.#words, count, field.nulls ?? 0);
    }
  }

  write(sink: ByteSink, row: number): void {
    this.#write!(sink, row);
  }
}

/** Takes the value from the rows that have none. */
export function markNulls(column: Column, { b }: Words, count: number, share: number): void {
  const bound = Math.round(share * 256);
  if (bound === 0) return;
  for (let r = 0; r < count; r++) if ((b[r]! & 255) < bound && !column.isNull(r)) column.setNull(r);
}
