/** Looks through a document of delimited text. */
import { type CsvDialect, CsvScanner } from '../text/csv-scanner.ts';
import { escapesOf } from '../text/scanners.ts';
import type { DocumentInput } from '../text/document-input.ts';
import { fieldText } from '../text/field-text.ts';
import { Records } from '../text/records.ts';
import { KeyHashes } from './key-hashes.ts';
import {
  Cuts,
  MOST_RECORD_BYTES,
  RECORDS,
  type SniffedDocument,
  type SniffGroup,
  sniffRows,
  type SniffTask,
} from './sniff-types.ts';

type CsvTask = SniffTask & { dialect: CsvDialect };

export function sniffCsv(
  task: CsvTask,
  input: DocumentInput,
  groups: SniffGroup[],
  document: SniffedDocument,
): void {
  // Text before the document.
  const start = input.total;
  const fields = countFields(task, input);
  if (fields === undefined) return;
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
  const name = task.documents[input.document]!;
  const keys = task.key && new KeyHashes(task.key);
  const cuts = new Cuts(task.partBytes, scanner.line);
  while (input.at < input.end || input.more()) {
    const base = input.total - input.end;
    const { bytes, at, end, final } = input;
    const found = scanner.scan(bytes, { at, end, final, row: 0 });
    if (found.row > 0) sniffRows(group, scanner.records, { bytes, escapes, rows: found.row, document: name });
    keys?.add(scanner.records, bytes, { names: header ?? [], rows: found.row });
    document.records += found.row;
    input.at = found.at;
    cuts.look(base + found.at - start, scanner.line);
    if (found.at === at && !input.more()) break;
  }
  document.keys = keys?.keys;
  document.parts = cuts.parts(input.total - start, 1 + task.skip);
}

function scannerFor(dialect: CsvDialect, fields: number, onBroken: () => void): CsvScanner {
  return new CsvScanner(dialect, new Records(fields, RECORDS), { maxBytes: MOST_RECORD_BYTES, onBroken });
}

/** Of the first record; undefined when there is none. */
function countFields(task: CsvTask, input: DocumentInput): number | undefined {
  const scanner = scannerFor(task.dialect, 2, () => undefined);
  for (;;) {
    const { bytes, at, end, final } = input;
    const found = end > at ? scanner.measure(bytes, { at, end, final }) : undefined;
    if (found) return found.fields;
    if (!input.more()) return end > at ? 1 : undefined;
  }
}

function readHeader(input: DocumentInput, scanner: CsvScanner): void {
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
