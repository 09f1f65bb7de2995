import type { Column } from '../core/batch.ts';
import type { LogicalType } from '../core/types.ts';
import { ByteSink } from './byte-sink.ts';
import type { Counters, Words } from './random.ts';

/** Some records of an entity, as their fields need to know them. */
export interface Rows extends Counters {
  /** When each was made and last changed, in microseconds since 1970. */
  readonly created: Float64Array;
  readonly updated: Float64Array;
  /** Numbers of the records that they belong to, for entities that have a parent. */
  readonly parent: Uint32Array;
}

/** How the values of one field are made. */
export interface Field {
  readonly name: string;
  readonly type: LogicalType;
  /** Share of the records that have no value. */
  readonly nulls?: number | undefined;
  /** There may be no value although all records that are made now have one. */
  readonly optional?: boolean | undefined;
  /** Its value is another one when the record changes. */
  readonly changes?: boolean | undefined;
  /** Most characters of a text. */
  readonly length?: number | undefined;
  /** Fields with the same purpose are drawn together, so that name and country agree; its name when absent. */
  readonly purpose?: string | undefined;
  /** Puts a value into each row of the column. Which of them are none is decided elsewhere. */
  fill(column: Column, rows: Rows, words: Words): void;
}

/** What most fields can be told. */
export type FieldOptions = Pick<Field, 'nulls' | 'changes' | 'length' | 'purpose'>;

/** Words of the record at hand, for fields that are written value by value. */
export interface Draw {
  readonly a: number;
  readonly b: number;
  /** Number of the record, from 0 on. */
  readonly index: number;
  /** Day of its last change. */
  readonly version: number;
}

/** A field whose values are written as bytes of UTF-8. */
export function textField(
  name: string,
  write: (sink: ByteSink, draw: Draw) => void,
  { kind = 'utf8', ...options }: FieldOptions & { kind?: 'utf8' | 'json' } = {},
): Field {
  const draw = { a: 0, b: 0, index: 0, version: 0 };
  const sink = new ByteSink(new Uint8Array(0));
  const fill: Field['fill'] = (column, rows, words) => {
    sink.bytes = column.bytes;
    sink.length = 0;
    column.offsets[0] = 0;
    for (let r = 0; r < rows.count; r++) {
      draw.a = words.a[r]!;
      draw.b = words.b[r]!;
      draw.index = rows.index[r]!;
      draw.version = rows.version[r]!;
      write(sink, draw);
      column.offsets[r + 1] = sink.length;
    }
    column.bytes = sink.bytes;
  };
  return { name, type: { kind }, ...options, fill };
}

/** Puts a whole number into a column of 8 bytes: several times faster than by way of a bigint. */
export function putWide(column: Column, row: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  column.i32[2 * row] = value - high * 0x1_0000_0000;
  column.i32[2 * row + 1] = high;
}
