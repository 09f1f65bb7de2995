/**
 * Rows of Parquet files in the thread of whoever takes them: those that do not fit, or that the target does not take, go aside. On the
 * wire are the columns of the schema and, where some rows do not fit, behind them a number and texts.
 */
import { Batch, type Column } from '../../core/batch.ts';
import { createBatchDecoder } from '../../core/batch-wire.ts';
import type { RingConsumer } from '../../core/byte-ring.ts';
import type { Decoder, RefusedInBatch } from '../../core/decoder.ts';
import type { Aside } from '../../core/quarantine.ts';
import type { Field, Schema } from '../../core/schema.ts';
import type { DecodeFacts } from '../../core/source.ts';
import { AsideRows } from '../shared/text/aside-rows.ts';
import { formatValue } from '../shared/text/format-value.ts';
import type { DocumentFacts } from '../shared/text/text-decoder.ts';
import { TargetRows } from '../shared/text/target-rows.ts';

/** Plain data. */
export interface ParquetDecoding {
  /** In their order. */
  parts: readonly ParquetPart[];
  /** Columns some of whose values are not of their type; undefined: all rows fit. */
  misfits: readonly MisfitColumn[] | undefined;
  /** Undefined: a row that does not fit is an error. */
  aside: Aside | undefined;
}

export interface ParquetPart {
  document: string;
  /** Of its first row, from 1. */
  line: number;
  rows: number;
  /** What rows may be that do not fit; their number is a place among these, from 1. */
  why: readonly Omit<RefusedInBatch, 'row'>[];
}

interface MisfitColumn {
  /** In the schema. */
  index: number;
  /** Its values are bytes, and their texts the digits of these. */
  bytes: boolean;
}

export function wireSchema(schema: Schema, misfits: ParquetDecoding['misfits']): Schema {
  if (!misfits) return schema;
  const number: Field = { name: 'misfit', type: { kind: 'int16' }, nullable: false };
  const texts = misfits.map(({ index }): Field => {
    return { name: schema.fields[index]!.name, type: { kind: 'utf8' }, nullable: true };
  });
  return { ...schema, fields: [...schema.fields, number, ...texts] };
}

export function createParquetDecoder(ring: RingConsumer, schema: Schema, options: unknown): Decoder {
  return new ParquetDecoder(ring, schema, options as ParquetDecoding);
}

class ParquetDecoder implements Decoder {
  readonly #schema: Schema;
  readonly #options: ParquetDecoding;
  readonly #wire: Decoder;
  readonly #aside: AsideRows;
  readonly #target: TargetRows;
  readonly #facts: DocumentFacts;
  #rows = 0;
  #part = 0;
  #batch: Batch;
  #marks: Int32Array = new Int32Array(0);
  /** Lines of the rows of the last batch. */
  #lines: Float64Array = new Float64Array(0);

  constructor(ring: RingConsumer, schema: Schema, options: ParquetDecoding) {
    const { parts, misfits, aside } = options;
    this.#schema = schema;
    this.#options = options;
    this.#wire = createBatchDecoder(ring, wireSchema(schema, misfits));
    this.#aside = new AsideRows(aside?.file);
    this.#target = new TargetRows(schema, aside ?? { limits: [], refused: [] });
    this.#facts = { rows: parts.map(() => 0), bad: parts.map(() => 0) };
    this.#batch = new Batch(schema, 0);
  }

  next(): Batch | undefined {
    for (let read = this.#wire.next(); read; read = this.#wire.next()) {
      const batch = new Batch(this.#schema, read.capacity, read.columns.slice(0, this.#schema.fields.length));
      batch.rows = read.rows;
      this.#batch = batch;
      this.#keep(read);
      this.#rows += batch.rows;
      if (batch.rows > 0) return batch;
    }
    this.#aside.flush();
    return undefined;
  }

  refusing(): (rows: readonly RefusedInBatch[]) => void {
    return (rows) => {
      this.#rows -= rows.length;
      for (const { row, ...why } of rows) this.#putAside(row, { line: this.#lines[row]!, ...why });
    };
  }

  facts(): DecodeFacts {
    return {
      ...this.#wire.facts(),
      rows: this.#rows,
      quarantined: this.#aside.count,
      superseded: this.#target.superseded,
      own: this.#facts,
    };
  }

  /** Takes rows out of the batch that do not fit; `read` has the columns behind its own. */
  #keep(read: Batch): void {
    const { parts, misfits } = this.#options;
    const { rows } = this.#facts;
    const batch = this.#batch;
    // A batch is of one part.
    while (rows[this.#part]! >= parts[this.#part]!.rows && this.#part < parts.length - 1) this.#part++;
    const { line, why } = parts[this.#part]!;
    const first = line + rows[this.#part]!;
    rows[this.#part]! += batch.rows;
    if (this.#lines.length < batch.rows) this.#lines = new Float64Array(batch.capacity);
    for (let row = 0; row < batch.rows; row++) this.#lines[row] = first + row;
    if (!this.#target.look(batch) && !misfits) return;
    if (this.#marks.length < batch.rows) this.#marks = new Int32Array(batch.capacity);
    const [numbers, ...texts] = read.columns.slice(batch.columns.length);
    let kept = 0;
    for (let row = 0; row < batch.rows; row++) {
      const misfit = numbers && why[numbers.i16[row]! - 1];
      const fitting = misfit ?? this.#target.of(row);
      this.#marks[row] = fitting === 'fits' ? 0 : 1;
      if (fitting === 'fits') this.#lines[kept++] = first + row;
      else if (fitting) this.#putAside(row, { line: first + row, ...fitting }, texts);
    }
    batch.drop(this.#marks);
  }

  #putAside(
    row: number,
    why: Omit<RefusedInBatch, 'row'> & { line: number },
    columns: readonly Column[] = [],
  ): void {
    const { parts, misfits = [] } = this.#options;
    const found = misfits.map((misfit, i) => ({ ...misfit, column: columns[i] }));
    const texts = found.flatMap(({ index, bytes, column }) =>
      !column || column.isNull(row) ? [] : [[index, { text: formatValue(column, row), bytes }] as const],
    );
    this.#facts.bad[this.#part]!++;
    this.#aside.add(this.#batch, row, { document: parts[this.#part]!.document, ...why }, new Map(texts));
  }
}
