/** Looks through a document of delimited text. */
import { isUtf8 } from 'node:buffer';
import { DataError } from '../../../core/errors.ts';
import { formatCount } from '../../../core/units.ts';
import { type CsvDialect, CsvScanner } from '../text/csv-scanner.ts';
import { escapesOf } from '../text/scanners.ts';
import type { TextWindow } from '../text/text-window.ts';
import { fieldText } from '../text/field-text.ts';
import { Records } from '../text/records.ts';
import { KeyHashes } from './key-hashes.ts';
import { PlainLook } from './plain-look.ts';
import {
  addColumns,
  Cuts,
  MOST_RECORD_BYTES,
  RECORDS,
  type SniffedDocument,
  type SniffGroup,
  sniffRows,
  type SniffTask,
  tooLong,
} from './sniff-types.ts';

const LF = 10;
const CR = 13;
/** Spreadsheets have no more columns. */
const MOST_FIELDS = 16_384;
const LINES_OR_QUOTES = 'are its line breaks and quotes those that `sluice plan` shows?';

type CsvTask = SniffTask & { dialect: CsvDialect };

export function sniffCsv(
  task: CsvTask,
  input: TextWindow,
  groups: SniffGroup[],
  document: SniffedDocument,
): void {
  // Text before the document.
  const start = input.total;
  const name = task.documents[input.document]!;
  const fields = countFields(task, input, name);
  if (fields === undefined) return;
  if (fields > MOST_FIELDS) throw tooMany(name, fields);
  const scanner = scannerFor(task.dialect, fields, () => document.broken++);
  scanner.line = 1 + task.skip;
  const escapes = escapesOf(task.dialect);
  let header: SniffGroup['header'];
  if (task.header) {
    readHeader(input, scanner);
    header = Array.from({ length: fields }, (_, f) =>
      fieldText(input.bytes, scanner.records, (RECORDS - 1) * fields + f, escapes),
    );
  }
  const group = groupOf(groups, header, fields);
  document.group = groups.indexOf(group);
  const keys = task.key && new KeyHashes(task.key);
  const cuts = new Cuts(task.partBytes, scanner.line);
  addColumns(group);
  const look = plainLook(task, input, group);
  // Its header, too, has to be on one line.
  let plain = look !== undefined && scanner.line === 1 + task.skip + (task.header ? 1 : 0);
  while (input.at < input.end || input.more()) {
    const base = input.total - input.end;
    const { bytes, at: from, end, final } = input;
    if (look) {
      input.at = look.scan(bytes, { at: from, end, final }, { document: name, line: scanner.line });
      document.records += look.records;
      scanner.line += look.records + look.breaks;
      plain &&= isPlainText(bytes.subarray(from, input.at));
    }
    const { at } = input;
    const found = scanner.scan(bytes, { at, end, final, row: 0 });
    if (found.row > 0) sniffRows(group, scanner.records, { bytes, escapes, rows: found.row, document: name });
    keys?.add(scanner.records, bytes, { names: header ?? [], from: 0, to: found.row });
    document.records += found.row;
    input.at = found.at;
    plain &&= found.at === at;
    cuts.look(base + found.at - start, scanner.line);
    if (scanner.tooLong) throw tooLong(name, LINES_OR_QUOTES);
    if (found.at === from && !input.more()) break;
  }
  document.keys = keys?.keys;
  document.parts = cuts.parts(input.total - start, 1 + task.skip);
  if (plain) document.plain = { crlf: look!.crlf, longest: look!.longest };
}

function plainLook(
  { dialect, header, key }: CsvTask,
  input: TextWindow,
  group: SniffGroup,
): PlainLook | undefined {
  const { columns, fields } = group;
  // Keys are found in the records of the scanner.
  if (key || !PlainLook.takes(dialect, fields)) return undefined;
  const { bytes, at } = input;
  const line = header ? at - 1 : bytes.subarray(at, input.end).indexOf(LF) + at;
  return new PlainLook(dialect, columns, line > 0 && bytes[line - 1] === CR);
}

/** Texts that any reader takes for the same. */
function isPlainText(bytes: Uint8Array): boolean {
  return isUtf8(bytes) && !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(0);
}

function scannerFor(dialect: CsvDialect, fields: number, onBroken: () => void): CsvScanner {
  return new CsvScanner(dialect, new Records(fields, RECORDS), { maxBytes: MOST_RECORD_BYTES, onBroken });
}

/** Of the first record; undefined when there is none. */
function countFields(task: CsvTask, input: TextWindow, name: string): number | undefined {
  const scanner = scannerFor(task.dialect, 2, () => undefined);
  for (;;) {
    const { bytes, at, end, final } = input;
    const found = end > at ? scanner.measure(bytes, { at, end, final }) : undefined;
    if (found) return found.fields;
    if (end - at > MOST_RECORD_BYTES) throw tooLong(name, LINES_OR_QUOTES);
    if (!input.more()) return end > at ? 1 : undefined;
  }
}

function tooMany(name: string, fields: number): DataError {
  return new DataError(
    `looking through "${name}": its first record has ${formatCount(fields)} fields, and ${MOST_FIELDS} are the most that can be read`,
    {
      code: 'files.too_many_fields',
      remedy: 'are its delimiter and line breaks those that `sluice plan` shows?',
      details: { file: name },
    },
  );
}

function readHeader(input: TextWindow, scanner: CsvScanner): void {
  for (;;) {
    const { bytes, at, end, final } = input;
    const found = scanner.scan(bytes, { at, end, final, row: RECORDS - 1 });
    input.at = found.at;
    if (found.row === RECORDS || !input.more()) return;
  }
}

function groupOf(groups: SniffGroup[], header: SniffGroup['header'], fields: number): SniffGroup {
  const key = JSON.stringify(header ?? fields);
  let group = groups.find((each) => JSON.stringify(each.header ?? each.fields) === key);
  if (!group) {
    group = { header, fields, columns: [] };
    groups.push(group);
  }
  return group;
}
