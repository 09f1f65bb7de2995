/** Reads a dump from its beginning to its end: its tables, and where the rows of each are. */
import { DataError } from '../../core/errors.ts';
import type { DocumentInput } from '../shared/text/document-input.ts';
import { InsertScanner } from '../shared/text/insert-scanner.ts';
import { type BrokenRecord, Records } from '../shared/text/records.ts';
import { countLines, INCOMPLETE, SqlLexer } from '../shared/text/sql-lexer.ts';
import { SQL_SYNTAX, type SyntaxName } from '../shared/text/sql-syntax.ts';
import { DumpCatalog } from './catalog.ts';
import type { DumpIndex, DumpTable } from './dump-index.ts';
import { RangeList } from './range-list.ts';
import { TokenReader, tokensOf } from './tokens.ts';

const LF = 10;
const SEMICOLON = 59;
const RECORDS = 2048;
/** What is looked at to know what a statement is, and to read its names. */
const FIRST_BYTES = 512;
const HEAD_BYTES = 1 << 16;
const MOST_STATEMENT_BYTES = 64 << 20;

const NAME = '(?:[\\p{L}_][\\p{L}\\p{N}_$]*|"(?:[^"]|"")+"|`(?:[^`]|``)+`)';
const NAMES = `${NAME}(?:\\s*\\.\\s*${NAME})*`;
const INSERT = new RegExp(
  `^(?:INSERT|REPLACE)\\s+(?:(?:IGNORE|LOW_PRIORITY|DELAYED)\\s+)*INTO\\s+(${NAMES})\\s*(\\([^()]*\\))?\\s*(?:OVERRIDING\\s+(?:SYSTEM|USER)\\s+VALUE\\s+)?VALUES?\\s*(?=\\()`,
  'iu',
);
const COPY: RegExp = new RegExp(`^COPY\\s+(${NAMES})\\s*(\\([^()]*\\))?\\s+FROM\\s+stdin\\b([^;]*);`, 'iu');

export class DumpIndexer {
  readonly #input: DocumentInput;
  readonly #syntax: SyntaxName;
  readonly #lexer: SqlLexer;
  readonly #catalog: DumpCatalog;
  readonly #ranges: RangeList;
  #line = 1;
  /** The INSERT that was read last: many begin as the one before. */
  #insert: { table: string; head: Buffer; scanner: InsertScanner; columns: string[] | undefined } | undefined;
  #unknown: DumpIndex['unknown'] = { count: 0, line: 0, words: '' };
  #cut: DumpIndex['cut'];
  /** Programs that write dumps say who they are at the beginning, and that it is the end at the end. */
  readonly #writer: string | undefined;
  #finished = false;

  constructor(input: DocumentInput, partBytes: number) {
    this.#input = input;
    this.#ranges = new RangeList(partBytes);
    if (input.nextDocument()) input.more();
    const head = Buffer.from(input.bytes.subarray(input.at, input.end)).toString('latin1');
    this.#syntax = syntaxOf(head);
    this.#writer = /^-- (PostgreSQL database dump|(?:MySQL|MariaDB) dump [^\n\r]*)/m.exec(head)?.[1];
    this.#lexer = new SqlLexer(SQL_SYNTAX[this.#syntax]);
    this.#catalog = new DumpCatalog(this.#syntax, ({ dropped }) => {
      if (dropped !== undefined) this.#ranges.drop(dropped);
      // The same beginning may mean another table from here on.
      this.#insert = undefined;
      this.#ranges.interrupt();
    });
  }

  read(): DumpIndex {
    const input = this.#input;
    while (!this.#cut && (input.at < input.end || input.more())) {
      if (input.at >= input.end || this.#step()) continue;
      if (!this.#more()) this.#cutIn('a statement');
    }
    if (this.#writer !== undefined && !this.#finished) this.#cutIn('the file: its last comment is missing');
    const tables = [...this.#catalog.tables.values()].map((table): DumpTable => {
      const ranges = this.#ranges.of(table.name);
      const rows = ranges.reduce((sum, range) => sum + range.rows, 0);
      return { ...table, ranges, rows, bytes: ranges.reduce((sum, { from, to }) => sum + to - from, 0) };
    });
    const { domains, encoding, zone } = this.#catalog;
    return {
      syntax: this.#syntax,
      tables,
      domains,
      encoding,
      zone,
      unknown: this.#unknown,
      cut: this.#cut,
      writer: this.#writer,
    };
  }

  /** Nothing that is read at once is longer than any record may be. */
  #more(): boolean {
    const { at, end } = this.#input;
    if (end - at < MOST_STATEMENT_BYTES) return this.#input.more();
    throw new DataError(`reading the dump: what begins on line ${this.#line} has no end`, {
      code: 'dump.statement',
      remedy: 'is it a dump in plain SQL?',
    });
  }

  #cutIn(what: string): void {
    this.#cut ??= { line: this.#line, what };
  }

  /** Position in the text of a position in the buffer. */
  #place(at: number): number {
    return this.#input.total - this.#input.end + at;
  }

  /** Reads blanks, a statement or data; false when more has to be there for that. */
  #step(): boolean {
    const { bytes, at, end, final } = this.#input;
    const start = this.#lexer.skipBlank(bytes, { at, end, final });
    if (start === INCOMPLETE) return false;
    if (start !== at) {
      this.#noteEnd(bytes, at, start);
      this.#pass(start);
      return true;
    }
    const { head } = this.#insert ?? {};
    if (head && head.length <= end - at && head.equals(bytes.subarray(at, at + head.length))) {
      this.#tuples();
      return true;
    }
    // What decides about a statement is at its beginning, which has to be there.
    const whole = end - at >= HEAD_BYTES || final;
    if (!whole && this.#lexer.statementEnd(bytes, { at, end, final }) === INCOMPLETE) return false;
    const first = this.#text(FIRST_BYTES);
    const text = /^(?:COPY|INSERT|REPLACE)\b/i.test(first) ? this.#text(HEAD_BYTES) : first;
    if (/^(?:\\|DELIMITER\b|USE\b)/i.test(text)) return this.#command();
    const copy = COPY.exec(text);
    if (copy) return this.#copy(copy);
    const insert = INSERT.exec(first) ?? INSERT.exec(text);
    if (!insert || !this.#opens(insert)) return this.#statement();
    this.#tuples();
    return true;
  }

  /** What comes next, at most so much of it. */
  #text(most: number): string {
    const { bytes, at, end } = this.#input;
    return Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(end - at, most)).toString('utf8');
  }

  /** Everything up to `to` is read. */
  #pass(to: number): void {
    this.#line += countLines(this.#input.bytes, this.#input.at, to);
    this.#input.at = to;
  }

  #noteEnd(bytes: Uint8Array, from: number, to: number): void {
    if (this.#writer === undefined || this.#finished) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
    this.#finished = /^-- (PostgreSQL database dump complete|Dump completed)/m.test(text);
  }

  /** Commands of the clients, which have a line of their own. */
  #command(): boolean {
    const { bytes, at, end, final } = this.#input;
    const found = bytes.indexOf(LF, at);
    const stop = found < 0 || found > end ? end : found;
    if (stop === end && !final) return false;
    const text = Buffer.from(bytes.subarray(at, stop)).toString('utf8').trim();
    const delimiter = /^DELIMITER\s+(\S+)/i.exec(text)?.[1];
    if (delimiter !== undefined) {
      this.#lexer.delimiter = Buffer.from(delimiter);
      this.#ranges.interrupt();
    }
    const database = /^USE\s+`?((?:[^`;]|``)+?)`?\s*;?$/i.exec(text)?.[1];
    if (database !== undefined) this.#catalog.use(database.replaceAll('``', '`'));
    if (/^\\c(?:onnect)?\b/.test(text) && this.#catalog.tables.size > 0)
      throw new DataError(`reading the dump: another database begins on line ${this.#line}`, {
        code: 'dump.databases',
        remedy: 'make a dump of each database by itself (pg_dump and not pg_dumpall)',
      });
    this.#pass(stop);
    return true;
  }

  #statement(): boolean {
    const { bytes, at, end, final } = this.#input;
    const stop = this.#lexer.statementEnd(bytes, { at, end, final });
    if (stop === INCOMPLETE) return false;
    const { delimiter } = this.#lexer;
    const ended = delimiter.equals(bytes.subarray(stop - delimiter.length, stop));
    const text = Buffer.from(bytes.subarray(at, ended ? stop - delimiter.length : stop)).toString('utf8');
    if (!ended) this.#cutIn('a statement');
    else if (!this.#catalog.add(text, this.#line)) this.#notUnderstood(text);
    this.#pass(stop);
    return true;
  }

  #notUnderstood(text: string): void {
    if (this.#unknown.count++ > 0) return;
    const plain = text.replace(/\/\*M?!\d*|\*\//g, ' ').trim();
    this.#unknown = { count: 1, line: this.#line, words: plain.split(/\s+/, 3).join(' ').slice(0, 60) };
  }

  /** False when nobody knows how many fields its tuples have. */
  #opens([head, name, names]: RegExpExecArray): boolean {
    const table = this.#catalog.table(namesOf(name!, this.#syntax));
    const columns = names === undefined ? undefined : namesOf(names.slice(1, -1), this.#syntax);
    const fields = columns?.length ?? table.columns.length;
    if (fields === 0) return false;
    const form = { syntax: this.#syntax, head, inside: false };
    const scanner = new InsertScanner(form, new Records(fields, RECORDS), {
      maxBytes: MOST_STATEMENT_BYTES,
      onBroken: (record) => this.#broken(record),
    });
    this.#insert = { table: table.name, head: Buffer.from(head), scanner, columns };
    return true;
  }

  /** A record that cannot be taken apart is one row, unless it lacks its end. */
  #broken({ code, to }: BrokenRecord): void {
    this.#ranges.rows(1);
    const ended = code === 'row.fields' || this.#input.bytes[to - 1] === SEMICOLON;
    if (!ended) this.#cutIn(`an INSERT into ${this.#insert!.table}`);
  }

  /** All tuples of a statement, whose beginning is next. */
  #tuples(): void {
    const input = this.#input;
    const { scanner, head, table, columns } = this.#insert!;
    const fields = scanner.records.stride;
    const from = this.#place(input.at);
    this.#ranges.begin(table, {
      kind: 'insert',
      from,
      line: this.#line,
      head: head.toString(),
      columns,
      fields,
    });
    this.#pass(input.at + head.length);
    scanner.line = this.#line;
    scanner.inside = true;
    while (scanner.inside) {
      const { bytes, at, end, final } = input;
      const found = scanner.tuples(bytes, { at, end, final, row: 0 });
      input.at = found.at;
      this.#line = scanner.line;
      this.#ranges.rows(found.row);
      this.#ranges.mark({ place: this.#place(found.at), line: scanner.line, inside: scanner.inside });
      if (scanner.inside && found.at === at && !this.#more()) {
        this.#cutIn(`an INSERT into ${table}`);
        break;
      }
    }
    this.#ranges.end(this.#place(input.at));
  }

  /** A COPY block, whose statement is next. */
  #copy([head, name, names, options]: RegExpExecArray): boolean {
    const input = this.#input;
    const line = input.bytes.indexOf(LF, input.at + Buffer.byteLength(head));
    // The rows begin on the next line.
    if (!input.final && (line < 0 || line >= input.end)) return false;
    const table = this.#catalog.table(namesOf(name!, this.#syntax));
    const columns = names === undefined ? undefined : namesOf(names.slice(1, -1), this.#syntax);
    const fields = columns?.length ?? table.columns.length;
    if (options!.trim() !== '') this.#notUnderstood(head);
    this.#pass(line < 0 ? input.end : Math.min(line + 1, input.end));
    const from = this.#place(input.at);
    const known = options!.trim() === '';
    this.#ranges.begin(table.name, { kind: 'copy', from, line: this.#line, head, columns, fields });
    for (let ended = false; !ended;) {
      const { bytes, at, end } = input;
      const { stop, rows, whole } = copyLines(bytes, at, end);
      ended = whole;
      input.at = stop;
      this.#line += rows;
      this.#ranges.rows(known ? rows : 0);
      if (!ended && rows > 0)
        this.#ranges.mark({ place: this.#place(stop), line: this.#line, inside: false });
      if (ended || rows > 0) continue;
      if (this.#more()) continue;
      this.#cutIn(`the rows of ${table.name}`);
      break;
    }
    this.#ranges.end(this.#place(input.at));
    this.#ranges.interrupt();
    return true;
  }
}

const COPY_LINES = 4096;

/** Goes over lines until one is `\.`, or some are read; `stop` is the beginning of the next one. */
function copyLines(
  bytes: Uint8Array,
  at: number,
  end: number,
): { stop: number; rows: number; whole: boolean } {
  let rows = 0;
  let p = at;
  bytes[end] = LF;
  while (rows < COPY_LINES) {
    let q = p;
    while (bytes[q] !== LF) q++;
    // The last line of a file may have no line break.
    const last =
      bytes[p] === 0x5c && bytes[p + 1] === 0x2e && (q - p === 2 || (q - p === 3 && bytes[p + 2] === 13));
    if (last) return { stop: p, rows, whole: true };
    if (q >= end) break;
    rows++;
    p = q + 1;
  }
  return { stop: p, rows, whole: false };
}

function namesOf(text: string, syntax: SyntaxName): string[] {
  const reader = new TokenReader(tokensOf(text, SQL_SYNTAX[syntax]));
  const names: string[] = [];
  for (let name = reader.name(); name !== undefined; name = reader.name()) {
    names.push(name);
    reader.next();
  }
  return names;
}

/** What the beginning of the text looks like. */
function syntaxOf(head: string): SyntaxName {
  if (
    /^-- PostgreSQL database dump|^SET (?:client_encoding|standard_conforming_strings)|^COPY .* FROM stdin/m.test(
      head,
    )
  )
    return /^SET standard_conforming_strings = off/m.test(head) ? 'postgres-escaped' : 'postgres';
  return /^-- (?:MySQL|MariaDB) dump|\/\*M?!\d{5}|^\s*(?:CREATE TABLE|INSERT INTO|DROP TABLE|USE)\b[^\n]*`/im.test(
    head,
  )
    ? 'mysql'
    : 'postgres';
}
