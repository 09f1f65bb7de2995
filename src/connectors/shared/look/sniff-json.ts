/** Looks through a document of JSON objects. */
import { DataError } from '../../../core/errors.ts';
import type { TextWindow } from '../text/text-window.ts';
import { type JsonDialect, JsonScanner } from '../text/json-scanner.ts';
import { Records } from '../text/records.ts';
import { escapesOf } from '../text/scanners.ts';
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

/** Fields that there is room for at first; it doubles. */
const FIRST_FIELDS = 64;
/** More names than that are values in the place of names. */
const MOST_FIELDS = 4096;

/** All documents are one group: members go by their names. */
export function sniffJson(
  task: SniffTask & { dialect: JsonDialect },
  input: TextWindow,
  groups: SniffGroup[],
  document: SniffedDocument,
): void {
  if (groups.length === 0) groups.push({ header: [], fields: 0, columns: [] });
  const group = groups[0]!;
  const name = task.documents[input.document]!;
  document.group = 0;
  const keys = task.key && new KeyHashes(task.key);
  const start = input.total;
  let scanner = scannerFor(task.dialect, group, document);
  scanner.line = 1 + task.skip;
  const cuts = new Cuts(task.partBytes, scanner.line);
  while (input.at < input.end || input.more()) {
    const base = input.total - input.end;
    const { bytes, at, end, final } = input;
    const found = scanner.scan(bytes, { at, end, final, row: 0 });
    group.header = scanner.names;
    group.fields = Math.min(scanner.names.length, scanner.records.stride);
    if (found.row > 0)
      sniffRows(group, scanner.records, {
        bytes,
        escapes: escapesOf(task.dialect),
        json: true,
        rows: found.row,
        document: name,
      });
    keys?.add(scanner.records, bytes, { names: scanner.names, from: 0, to: found.row });
    document.records += found.row;
    input.at = found.at;
    cuts.look(base + found.at - start, scanner.line);
    if (scanner.full) {
      if (scanner.names.length > MOST_FIELDS) throw tooMany(name);
      const { line } = scanner;
      scanner = scannerFor(task.dialect, group, document);
      scanner.line = line;
    } else if (scanner.tooLong) throw tooLong(name, end - found.at);
    else if (found.at === at && !input.more()) break;
  }
  document.keys = keys?.keys;
  document.parts = cuts.parts(input.total - start, 1 + task.skip);
}

function scannerFor(
  { flatten }: JsonDialect,
  { header }: SniffGroup,
  document: SniffedDocument,
): JsonScanner {
  const names = header as string[];
  let stride = FIRST_FIELDS;
  while (stride < names.length) stride *= 2;
  return new JsonScanner({ format: 'json', names, flatten }, new Records(stride, RECORDS), {
    maxBytes: MOST_RECORD_BYTES,
    onBroken: () => document.broken++,
    grows: true,
  });
}

function tooMany(name: string): DataError {
  return new DataError(
    `looking through "${name}": its objects have more than ${MOST_FIELDS} different names`,
    {
      code: 'files.too_many_names',
      remedy: 'are they values? with a smaller `flatten` the objects within stay JSON',
      details: { file: name },
    },
  );
}

function tooLong(name: string, bytes: number): DataError {
  return new DataError(
    `looking through "${name}": a record has more than ${bytes} bytes, or cannot be read at all`,
    {
      code: 'files.record_too_long',
      remedy: 'is it JSON? objects stand on lines of their own, or in one array',
      details: { file: name },
    },
  );
}
