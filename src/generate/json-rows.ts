/** Rows of a batch as JSON. */
import type { Batch, Column } from '../core/batch.ts';
import { type ByteSink, utf8 } from './byte-sink.ts';
import { valueWriter, type WriteValue } from './write-value.ts';

/** Writes one row, with other text in the place of some value. */
export type WriteRow = (sink: ByteSink, row: number, change?: ChangedValue) => void;

/** A value that is written otherwise than it is. */
export interface ChangedValue {
  /** Number of the field; -1: none. */
  readonly field: number;
  /** As it stands in JSON and in CSV; null: no value. */
  readonly json: Uint8Array;
  readonly csv: Uint8Array;
}

const NONE: ReadonlySet<number> = new Set();
const NULL = utf8('null');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Bytes that JSON has a short escape for; others below a blank are written as numbers. */
const ESCAPES: Readonly<Record<number, number>> = {
  8: 0x62,
  9: 0x74,
  10: 0x6e,
  12: 0x66,
  13: 0x72,
  34: 0x22,
  92: 0x5c,
};

/** A writer of objects whose names are those of the columns; those of `omitted` that have no value are left out. */
export function jsonRowWriter(batch: Batch, omitted: ReadonlySet<number> = NONE): WriteRow {
  const fields = batch.schema.fields.map(({ name }, i) => ({
    column: batch.columns[i]!,
    label: utf8(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`),
    write: jsonWriter(batch.columns[i]!),
  }));
  return (sink, row, change) => {
    for (let i = 0; i < fields.length; i++) {
      const { column, label, write } = fields[i]!;
      const missing = column.nullCount > 0 && column.isNull(row);
      if (missing && omitted.has(i)) continue;
      sink.put(label);
      if (change && change.field === i) sink.put(change.json);
      else if (missing) sink.put(NULL);
      else write(sink, row);
    }
    sink.byte(0x7d);
  };
}

function jsonWriter(column: Column): WriteValue {
  const { kind } = column.type;
  if (kind === 'utf8') {
    return (sink, row) => putString(sink, column.bytes, column.offsets[row]!, column.offsets[row + 1]!);
  }
  if (kind === 'json') {
    return (sink, row) => sink.put(column.bytes, column.offsets[row], column.offsets[row + 1]);
  }
  const write = valueWriter(column)!;
  if (kind !== 'date' && kind !== 'time' && kind !== 'timestamp' && kind !== 'uuid') return write;
  return (sink, row) => {
    sink.byte(QUOTE);
    write(sink, row);
    sink.byte(QUOTE);
  };
}

function putString(sink: ByteSink, bytes: Uint8Array, from: number, to: number): void {
  sink.byte(QUOTE);
  let start = from;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) continue;
    sink.put(bytes, start, i);
    start = i + 1;
    const short = ESCAPES[byte];
    sink.byte(BACKSLASH);
    if (short === undefined) sink.ascii(`u${byte.toString(16).padStart(4, '0')}`);
    else sink.byte(short);
  }
  sink.put(bytes, start, to);
  sink.byte(QUOTE);
}
