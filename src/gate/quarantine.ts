/**
 * Keeps records that did not fit as Parquet files. A file is written before the commit of the load that it belongs to, and
 * counts from that commit on, which names it: what no checkpoint names was left by a process that died, and is swept.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { KeptRecords, QuarantineFile } from '../core/quarantine.ts';
import { duckText as text } from '../duckdb/types.ts';
import { openKept, type ReplacedFiles, writeOthers } from './kept-records.ts';
import { fetchKept, type KeptHome, keptPlace, type KeptPlace, type KeptStorage } from './kept-storage.ts';
import { KEPT_FORM, withDuck } from './quarantine-session.ts';

/** The table that the records were on their way to, and who is loading it. */
export interface QuarantineScope {
  run: string;
  table: string;
  stream: string;
}

/** Records that may be there. */
export interface Earlier {
  files: readonly QuarantineFile[];
  /** What they are read from has another name each time: they are told by their text alone. */
  anywhere: boolean;
}

/** What is known of records beside themselves. */
interface Keeping {
  origin?: Pick<QuarantineFile, 'run' | 'at'> | undefined;
  earlier?: Earlier | undefined;
}

/** What is wrong with the records of a load, most frequent first. */
export interface Reason {
  code: string;
  reason: string;
  rows: number;
  /** The first of them. */
  document: string;
  line: number;
}

/** DuckDB takes buffers for twice the longest line, for each that it reads at once. */
const BUFFERS = 6;

const COLUMNS = `{'document': 'VARCHAR', 'line': 'BIGINT', 'column': 'VARCHAR', 'code': 'VARCHAR', 'reason': 'VARCHAR',
  'raw': 'VARCHAR', 'base64': 'BOOLEAN', 'as': 'BIGINT', 'form': 'VARCHAR'}`;

export class Quarantine {
  readonly #place: KeptPlace;
  readonly #scope: QuarantineScope;
  #made = 0;

  constructor(home: KeptHome, scope: QuarantineScope) {
    this.#place = keptPlace(home, scope.table);
    this.#scope = scope;
  }

  /** A file for the records that a reader puts aside; it makes that, and its folder, when there is one. */
  scratch(): string {
    return path.join(this.#place.scratch, `${this.#scope.run}-${process.pid}-${this.#made++}.jsonl`);
  }

  /**
   * Makes a Parquet file of what a reader has put aside for a slice; it lasts when this returns. `origin`: the run that put
   * the records aside first, when they have been there before. `earlier`: files whose records are not kept twice; when there
   * are no others, there is no file.
   */
  async keep(
    scratch: string,
    slice: { id: string },
    { origin, earlier }: Keeping = {},
  ): Promise<QuarantineFile | undefined> {
    const { stream } = this.#scope;
    const { run, at } = origin ?? { run: this.#scope.run, at: new Date().toISOString() };
    // Ids of slices may be as long as they like, names of files may not.
    const { id } = slice;
    const short = id.length > 80 ? createHash('sha256').update(id).digest('hex').slice(0, 16) : id;
    const name = `${this.#scope.run}-${short}.parquet`;
    const unfinished = path.join(this.#place.scratch, name);
    const longest = await longestLine(scratch);
    const records = `WITH lines AS NOT MATERIALIZED (SELECT * FROM ${read(scratch, longest)}),
        forms AS (SELECT "as", form FROM lines WHERE form IS NOT NULL)
      SELECT ${text(run)} AS run, ${text(stream)} AS stream, ${text(id)} AS slice, r.document AS file, r.line,
        r."column", r.code, r.reason, CASE WHEN r.base64 THEN from_base64(r.raw) ELSE encode(r.raw) END AS raw, f.form
      FROM lines r LEFT JOIN forms f USING ("as") WHERE r.form IS NULL`;
    const rows = await this.#beside(earlier, longest, (others) => ({
      sql: `COPY (${without(records, others)}) TO ${text(unfinished)} (${KEPT_FORM})`,
      doing: 'writing records to quarantine',
    }));
    if (rows > 0) return { file: await this.#finish(name), rows, run, at };
    await this.discardScratch(unfinished);
    return undefined;
  }

  /** How many of the records that a reader has put aside are not among those of before. */
  async count(scratch: string, earlier: Earlier): Promise<number> {
    const longest = await longestLine(scratch);
    const records = `SELECT document AS file, line, CASE WHEN base64 THEN from_base64(raw) ELSE encode(raw) END AS raw
      FROM ${read(scratch, longest)} WHERE form IS NULL`;
    return this.#beside(earlier, longest, (others) => ({
      sql: `SELECT count(*) AS "Count" FROM (${without(records, others)})`,
      doing: 'looking at records that do not fit',
    }));
  }

  /** Asks DuckDB, which can open the files of before; returns what is in `Count`. */
  async #beside(
    earlier: Earlier | undefined,
    longest: number,
    query: (others: Others) => { sql: string; doing: string },
  ): Promise<number> {
    const files = (earlier?.files ?? []).map(({ file }) => file);
    const copies = await fetchKept(this.#place.storage, files);
    try {
      const { sql, doing } = query({ paths: copies.paths, anywhere: earlier?.anywhere === true });
      const [found] = await withDuck(this.#place.scratch, BUFFERS * longest, (session) =>
        session.rows(sql, doing),
      );
      return Number(found!['Count']);
    } finally {
      copies.release();
    }
  }

  /** Gives a whole file its place, which is its key. */
  async #finish(name: string): Promise<string> {
    const { storage, prefix, scratch } = this.#place;
    const key = `${prefix}/${name}`;
    await storage.upload(key, path.join(scratch, name));
    return key;
  }

  /** The files that are left without the records of some others, and those of them that were made for it. */
  async without(
    files: readonly QuarantineFile[],
    replaced: ReplacedFiles,
  ): Promise<{ left: QuarantineFile[]; made: QuarantineFile[] }> {
    const left: QuarantineFile[] = [];
    const made: QuarantineFile[] = [];
    for (const [number, file] of files.entries()) {
      const name = `${this.#scope.run}-left-${number}.parquet`;
      const { scratch } = this.#place;
      await mkdir(scratch, { recursive: true });
      const rows = await writeOthers(this.#place, file, { replaced, to: path.join(scratch, name) });
      if (rows === file.rows) left.push(file);
      else if (rows > 0) made.push({ ...file, rows, file: await this.#finish(name) });
    }
    return { left: [...left, ...made], made };
  }

  /** Records that are to be read again. */
  open(files: readonly QuarantineFile[]): Promise<KeptRecords> {
    return openKept(this.#place, files);
  }

  /** What is wrong with the records that a reader has put aside. */
  async reasons(scratch: string, most: number): Promise<Reason[]> {
    const longest = await longestLine(scratch);
    const rows = await withDuck(this.#place.scratch, BUFFERS * longest, (session) =>
      session.rows(
        `SELECT code, reason, count(*) AS n, arg_min(document, line) AS document, min(line) AS line
         FROM ${read(scratch, longest)} WHERE form IS NULL GROUP BY ALL ORDER BY n DESC, reason LIMIT ${most}`,
        'looking at records that do not fit',
      ),
    );
    return rows.map((row) => ({
      code: String(row['code']),
      reason: String(row['reason']),
      rows: Number(row['n']),
      document: String(row['document']),
      line: Number(row['line']),
    }));
  }

  /** Removes files that belong to nothing. */
  discard(files: readonly QuarantineFile[]): Promise<void> {
    return removeFiles(this.#place.storage, files);
  }

  async discardScratch(scratch: string): Promise<void> {
    await rm(scratch, { force: true });
  }

  /** Removes what processes that died have left; nobody else works on the table. */
  async sweep(
    named: readonly QuarantineFile[],
    /** By tables that may take the place of this one again; asked when something would go. */
    elsewhere: () => Promise<readonly QuarantineFile[]>,
  ): Promise<void> {
    const { storage, prefix, scratch } = this.#place;
    await rm(scratch, { recursive: true, force: true });
    const keep = new Set(named.map(({ file }) => file));
    const found = await storage.list(`${prefix}/`);
    const unnamed = found.map(({ key }) => key).filter((key) => key.endsWith('.parquet') && !keep.has(key));
    if (unnamed.length === 0) return;
    const others = new Set((await elsewhere()).map(({ file }) => file));
    await storage.delete(unnamed.filter((key) => !others.has(key)));
  }
}

interface Others {
  paths: readonly string[];
  anywhere: boolean;
}

/** The records, each as often as there are more of it than in the files. */
function without(records: string, { paths, anywhere }: Others): string {
  if (paths.length === 0) return records;
  const told = anywhere ? 'raw' : 'file, raw';
  const before = `SELECT ${told}, count(*) AS n FROM read_parquet([${paths.map(text).join(', ')}]) GROUP BY ALL`;
  return `SELECT * EXCLUDE (n, nth) FROM (
      SELECT *, row_number() OVER (PARTITION BY ${told}) AS nth FROM (${records})
    ) LEFT JOIN (${before}) USING (${told}) WHERE nth > coalesce(n, 0) ORDER BY line`;
}

/** Removes files when nothing names them any more. */
export function removeFiles(storage: KeptStorage, files: readonly QuarantineFile[]): Promise<void> {
  return storage.delete(files.map(({ file }) => file));
}

function read(scratch: string, longest: number): string {
  return `read_json(${text(scratch)}, format = 'newline_delimited', columns = ${COLUMNS},
    maximum_object_size = ${longest + 1})`;
}

async function longestLine(file: string): Promise<number> {
  let longest = 0;
  let length = 0;
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    let at = 0;
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, at)) {
      longest = Math.max(longest, length + end - at);
      length = 0;
      at = end + 1;
    }
    length += piece.length - at;
  }
  return Math.max(longest, length);
}
