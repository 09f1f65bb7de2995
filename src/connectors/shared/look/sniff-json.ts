/** Looks through a document of JSON objects. */
import { isUtf8 } from 'node:buffer';
import { keepShapes } from '../../../core/collect-garbage.ts';
import { DataError } from '../../../core/errors.ts';
import type { TextWindow } from '../text/text-window.ts';
import { type JsonDialect, JsonScanner } from '../text/json-scanner.ts';
import { Records } from '../text/records.ts';
import { escapesOf } from '../text/scanners.ts';
import { KeyHashes } from './key-hashes.ts';
import { PlainObjects } from './plain-objects.ts';
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
/** A first record that is longer is none of many that are alike. */
const LONGEST_LOOK = 1 << 20;
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
  const look = plainObjects(task, input, group, keys);
  let plain = look !== undefined;
  let line = 1 + task.skip;
  let scanner: JsonScanner | undefined;
  const cuts = new Cuts(task.partBytes, line);
  while (input.at < input.end || input.more()) {
    const base = input.total - input.end;
    const { bytes, at: from, end, final } = input;
    if (look) {
      input.at = look.scan(bytes, { at: from, end, final }, { document: name, line });
      document.records += look.records;
      line += look.records;
      plain &&= isUtf8(bytes.subarray(from, input.at));
      cuts.look(base + input.at - start, line);
      // The rest of a line is to come: a record would end here without its end.
      if (look.whole && look.records > 0 && (input.at === end || input.more())) continue;
    }
    const { at } = input;
    scanner ??= scannerFor(task.dialect, group, document);
    scanner.line = line;
    const found = scanner.scan(bytes, { at, end, final, row: 0 });
    line = scanner.line;
    plain &&= found.at === at;
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
    cuts.look(base + found.at - start, line);
    if (scanner.full) {
      if (scanner.names.length > MOST_FIELDS) throw tooMany(name);
      scanner = undefined;
    } else if (scanner.tooLong)
      throw tooLong(name, 'is it JSON? objects stand on lines of their own, or in one array');
    else if (found.at === from && !input.more()) break;
  }
  document.keys = keys?.keys;
  document.parts = cuts.parts(input.total - start, 1 + task.skip);
  if (plain && look!.ordered) document.plain = { crlf: false, longest: look!.longest, high: look!.high };
  if (look) keepShapes(look);
}

/** By the members of the first record, in their order, and those that are known beside. */
function plainObjects(
  { dialect, key, cursor }: SniffTask & { dialect: JsonDialect },
  input: TextWindow,
  group: SniffGroup,
  hashes: KeyHashes | undefined,
): PlainObjects | undefined {
  const first = firstNames(input);
  if (dialect.flatten > 0 || !first || !first.every((name) => PLAIN_NAME.test(name))) return undefined;
  const header = group.header as string[];
  const names = [...new Set([...first, ...header])];
  if (names.length > MOST_FIELDS) return undefined;
  const known = [...new Set([...header, ...first])];
  group.header = known;
  group.fields = known.length;
  addColumns(group);
  const samples = names.map((name) => group.columns[known.indexOf(name)]!);
  return new PlainObjects(names, samples, { key: key ?? [], hashes, cursor });
}

/** Others may be written in several ways. */
const PLAIN_NAME = /^[ !#-[\]-~]+$/;

/** Of an object at the very beginning, on a line of its own. */
function firstNames(input: TextWindow): string[] | undefined {
  for (;;) {
    const line = input.bytes.subarray(input.at, input.end).indexOf(LF);
    const end = line < 0 && input.final ? input.end : input.at + line;
    if (end >= input.at) return namesIn(input.bytes.subarray(input.at, end));
    if (input.end - input.at > LONGEST_LOOK || !input.more()) return undefined;
  }
}

function namesIn(line: Uint8Array): string[] | undefined {
  try {
    const record: unknown = JSON.parse(
      Buffer.from(line.buffer, line.byteOffset, line.length).toString('utf8'),
    );
    const isObject = typeof record === 'object' && record !== null && !Array.isArray(record);
    return isObject ? Object.keys(record) : undefined;
  } catch {
    return undefined;
  }
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
