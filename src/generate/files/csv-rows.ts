/** Rows of a batch as CSV, after RFC 4180. A field without a value is empty; an empty text is `""`. */
import type { Batch, Column } from '../../core/batch.ts';
import { type ByteSink, utf8 } from '../byte-sink.ts';
import type { WriteRow } from '../json-rows.ts';
import { valueWriter, type WriteValue } from '../write-value.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;

export function csvHeader(batch: Batch): Uint8Array {
  const names = batch.schema.fields.map(({ name }) =>
    /[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name,
  );
  return utf8(`${names.join(',')}\n`);
}

/** A writer of records, without the end of their line. */
export function csvRowWriter(batch: Batch): WriteRow {
  const columns = batch.columns.map((column) => ({ column, write: csvWriter(column) }));
  return (sink, row, change) => {
    for (let i = 0; i < columns.length; i++) {
      const { column, write } = columns[i]!;
      if (i > 0) sink.byte(COMMA);
      if (change && change.field === i) sink.put(change.csv);
      else if (column.nullCount === 0 || !column.isNull(row)) write(sink, row);
    }
  };
}

function csvWriter(column: Column): WriteValue {
  const write = valueWriter(column);
  if (write) return write;
  return (sink, row) => putText(sink, column.bytes, column.offsets[row]!, column.offsets[row + 1]!);
}

function putText(sink: ByteSink, bytes: Uint8Array, from: number, to: number): void {
  let quoted = from === to;
  for (let i = from; i < to && !quoted; i++) {
    const byte = bytes[i]!;
    quoted = byte === QUOTE || byte === COMMA || byte === 10 || byte === 13;
  }
  if (!quoted) return sink.put(bytes, from, to);
  sink.byte(QUOTE);
  let start = from;
  for (let i = from; i < to; i++) {
    if (bytes[i] !== QUOTE) continue;
    // The quote itself begins the next piece, so that it stands there twice.
    sink.put(bytes, start, i + 1);
    start = i;
  }
  sink.put(bytes, start, to);
  sink.byte(QUOTE);
}
