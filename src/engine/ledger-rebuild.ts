/**
 * Finds out which files of a stream are loaded, when its ledger is lost or never was. In: the files that are there, what the table
 * says of its rows, and what the user says where it says nothing. Out: a ledger. What is not known is told, and never guessed.
 */
import type { TableState } from '../core/destination.ts';
import { asSluiceError, ConfigError } from '../core/errors.ts';
import type { FileLedger, FileMark, FilePart } from '../core/ledger.ts';
import type { Schema } from '../core/schema.ts';
import type { Snapshot, Survey } from '../core/source.ts';
import type { Checkpoint, StreamConfig } from '../core/stream.ts';
import { compareTables } from './compare-tables.ts';
import type { ProjectContext } from './context.ts';
import { type Content, contentOf, DAY, dayOf, type LookedFile } from './ledger-content.ts';
import { noFiles } from './ledger-ops.ts';
import { laterReplace } from './plan-slices.ts';
import type { PipelineSession } from './session.ts';
import { changeCheckpoint, withStream } from './state-ops.ts';

export interface RebuildOptions {
  /** Writes nothing. */
  dryRun: boolean;
  /** Column of the table with the date of the names of files. */
  dateColumn?: string | undefined;
  /** A file, or a day of the names: what the table does not tell of is loaded up to this one, and not loaded after it. */
  upTo?: string | undefined;
}

export interface RebuiltFile {
  file: string;
  /** In the table; undefined: only the user knows, or days do. */
  rows: number | undefined;
  /** In the file; undefined: it is not there any more. */
  records: number | undefined;
  /** `again`: the table has other numbers of its rows, so the next run replaces them; `told`: as the user says. */
  mark: 'loaded' | 'again' | 'gone' | 'told';
}

export interface LedgerRebuild {
  /** The column of the table that tells which files are in it; undefined: only the user does. */
  column: string | undefined;
  /** Rows of a table that nobody has loaded, which are taken for those of the stream. */
  adopted: number | undefined;
  files: RebuiltFile[];
  /** Files that are there, and not in the table: they come with the next run. */
  fresh: string[];
  /** Files of which the table does not tell, and nobody else has. */
  unknown: { file: string; reason: string }[];
}

/** Makes the ledger from the column of the table that says which file, or which day, a row is from. */
export async function rebuildLedger(
  context: ProjectContext,
  pipeline: string,
  name: string,
  options: RebuildOptions,
): Promise<LedgerRebuild> {
  const at = new Rebuild(options);
  const place = { context, pipeline, name, describe: at.describe };
  try {
    if (options.dryRun) return await withStream(place, async (...of) => (await at.found(...of)).report);
    let report: LedgerRebuild | undefined;
    await changeCheckpoint(place, async (...of) => {
      const made = await at.found(...of);
      refuseUnknown(name, made.report);
      report = made.report;
      return made.checkpoint;
    });
    return report!;
  } finally {
    await at.close();
  }
}

class Rebuild {
  readonly #options: RebuildOptions;
  readonly #signal: AbortSignal = new AbortController().signal;
  #snapshot: Snapshot | undefined;
  #surveyed: { before: string; survey: Survey } | undefined;

  constructor(options: RebuildOptions) {
    this.#options = options;
  }

  /** Of a table that nobody has loaded, those of its columns that the stream has. */
  readonly describe = async (
    session: PipelineSession,
    stream: StreamConfig,
  ): Promise<TableState | undefined> => {
    const doing = doingOf(stream);
    if (!stream.files) throw noFiles(doing, 'it is no stream of files');
    const { destination } = session;
    try {
      return await destination.describe(stream.table, this.#signal);
    } catch (error) {
      if (asSluiceError(error, doing).code !== 'sql.not_ours') throw error;
      const { schema } = await this.#survey(session, stream, { cursor: [] });
      const tables = await compareTables(destination, this.#signal, schema);
      try {
        const found = await tables.table(stream.table, this.#signal);
        await found?.close();
        return found?.state;
      } finally {
        await tables.close();
      }
    }
  };

  async found(
    session: PipelineSession,
    stream: StreamConfig,
    state: TableState,
  ): Promise<{ checkpoint: Checkpoint; report: LedgerRebuild }> {
    const doing = doingOf(stream);
    const { reload: _reload, ...before } = state.checkpoint ?? { cursor: [] };
    const survey = await this.#survey(session, stream, before);
    if (survey.problem) throw survey.problem;
    const known = before.ledger?.files ?? {};
    const looked = lookedAt(survey, known);
    const { dateColumn, upTo } = this.#options;
    const adopts = state.version === 0 ? withDate(survey.schema, dateColumn) : undefined;
    const job = { destination: session.destination, stream, looked, dateColumn, adopts, doing };
    const content = await contentOf(job, this.#signal);
    if (!content && upTo === undefined)
      throw noFiles(doing, 'the table has neither a column with their paths nor one with their days');
    const told = upTo === undefined ? undefined : filesUpTo(upTo, looked, doing);
    const found = compareFiles(content, { stream, looked, known, upTo: told, doing });
    const { ledger } = this.#snapshot!.advance({ stream, survey, before, loads: [], last: true });
    const files = { ...ledger!.files, ...found.marks };
    const adopted = adopts && state.rows;
    return { checkpoint: { ...before, ledger: { ...ledger!, files } }, report: { ...found.report, adopted } };
  }

  /** Never throws. */
  async close(): Promise<void> {
    await this.#snapshot?.close().catch(() => undefined);
  }

  async #survey(session: PipelineSession, stream: StreamConfig, before: Checkpoint): Promise<Survey> {
    const key = JSON.stringify(before);
    if (this.#surveyed?.before === key) return this.#surveyed.survey;
    this.#snapshot ??= await session.source.open(this.#signal, session.accepts);
    const survey = await this.#snapshot.survey(stream, before, {}, this.#signal);
    this.#surveyed = { before: key, survey };
    return survey;
  }
}

/** The column need not be one of the stream. */
function withDate(schema: Schema, name: string | undefined): Schema {
  if (name === undefined || schema.fields.some((field) => field.name === name)) return schema;
  return { ...schema, fields: [...schema.fields, { name, type: { kind: 'date' }, nullable: true }] };
}

function doingOf({ name }: StreamConfig): string {
  return `making the ledger of ${name}`;
}

/** Files that are in no ledger, in the order in which they are loaded. */
function lookedAt(survey: Survey, known: FileLedger['files']): LookedFile[] {
  const parts = new Map<string, FilePart[]>();
  for (const range of survey.parts)
    if (range.kind === 'files')
      for (const part of range.files) parts.set(part.path, [...(parts.get(part.path) ?? []), part]);
  return [...(survey.files ?? [])].flatMap(([path, file]) => {
    const all = parts.get(path);
    if (Object.hasOwn(known, path) || !all) return [];
    return [{ path, ...file, part: all[0]!, pieces: all.length }];
  });
}

/** Files up to one of them, in the order in which they are loaded, or up to a day. */
function filesUpTo(upTo: string, looked: readonly LookedFile[], doing: string): ReadonlySet<string> {
  const at = looked.findIndex(({ path }) => path === upTo);
  if (at >= 0) return new Set(looked.slice(0, at + 1).map(({ path }) => path));
  if (DAY.test(upTo) && looked.every((file) => dayOf(file) !== undefined))
    return new Set(looked.filter((file) => dayOf(file)! <= upTo).map(({ path }) => path));
  throw new ConfigError(
    `${doing}: "${upTo}" is none of the files that are not in the ledger, and no day of their names`,
    {
      code: 'state.unknown_file',
      remedy: 'name a file as the connection does, or a day such as 2026-02-09',
    },
  );
}

interface Comparison {
  stream: StreamConfig;
  looked: readonly LookedFile[];
  known: FileLedger['files'];
  /** What the user says is loaded. */
  upTo: ReadonlySet<string> | undefined;
  doing: string;
}

interface Found {
  marks: Record<string, FileMark>;
  report: Omit<LedgerRebuild, 'adopted'>;
}

function compareFiles(
  content: Content | undefined,
  { stream, looked, known, upTo, doing }: Comparison,
): Found {
  if (content?.byDay && Object.keys(known).length > 0)
    throw noFiles(doing, 'it has files already, and days do not tell which others are loaded');
  const marks: Record<string, FileMark> = {};
  const report: Found['report'] = { column: content?.column, files: [], fresh: [], unknown: [] };
  const judge = content
    ? laterReplace(stream.load)
      ? newestRows(content, looked)
      : allRows(content, { looked, doing, told: upTo !== undefined })
    : (): Verdict => ({ unknown: 'no column of the table tells' });
  for (const file of looked) {
    const { path, records, part } = file;
    let verdict = judge(file);
    if (typeof verdict === 'object' && 'unknown' in verdict && upTo)
      verdict = upTo.has(path) ? 'told' : 'fresh';
    if (verdict === 'fresh') report.fresh.push(path);
    else if (typeof verdict === 'object' && 'unknown' in verdict)
      report.unknown.push({ file: path, reason: verdict.unknown });
    else {
      const { path: _path, range: _range, ...mark } = part;
      const rows = typeof verdict === 'object' ? verdict.rows : undefined;
      const kind = verdict === 'told' ? 'told' : rows === undefined || rows === records ? 'loaded' : 'again';
      marks[path] = { ...mark, rows: rows ?? records, bad: 0, ...(kind === 'again' && { again: true }) };
      report.files.push({ file: path, rows, records, mark: kind });
    }
  }
  const there = new Set(looked.map(({ path }) => path));
  for (const [value, rows] of content && !content.byDay ? content.rows : []) {
    if (there.has(value) || Object.hasOwn(known, value)) continue;
    // Should it come back, it counts as one that has changed, and is not loaded as if it were new.
    marks[value] = { size: 0, modifiedAt: 0, rows, bad: 0 };
    report.files.push({ file: value, rows, records: undefined, mark: 'gone' });
  }
  return { marks, report };
}

/** `rows`: the table has so many, and all that were loaded are still there. */
type Verdict = 'loaded' | 'told' | 'fresh' | { rows: number } | { unknown: string };

type Judge = (file: LookedFile) => Verdict;

/** Rows without a value may be of any file that has none with one. */
function absent({ nulls, column }: Content, { records }: LookedFile): Verdict {
  if (records === 0 || nulls === 0) return 'fresh';
  return { unknown: `${nulls.toLocaleString('en')} rows of the table have no ${column}` };
}

/** The table has all rows of its files. */
function allRows(
  content: Content,
  { looked, doing, told }: Pick<Comparison, 'looked' | 'doing'> & { told: boolean },
): Judge {
  const { byDay, rows, valueOf } = content;
  const differs = byDay ? otherDays(content, looked) : new Map<string, string>();
  if (differs.size > 0 && !told) throw daysDiffer([...differs.values()], doing);
  return (file) => {
    const value = valueOf(file);
    const there = value === undefined ? undefined : rows.get(value);
    if (there === undefined) return absent(content, file);
    if (!byDay) return { rows: there };
    return differs.has(value!) ? { unknown: 'its day has other numbers of rows' } : 'loaded';
  };
}

/** Rows of later files have taken the place of those of earlier ones: a file of which none is left may be loaded or not. */
function newestRows(content: Content, looked: readonly LookedFile[]): Judge {
  const { byDay, rows, valueOf } = content;
  const places = new Map(looked.map(({ path }, i) => [path, i]));
  const isThere = (file: LookedFile): boolean => rows.has(valueOf(file) ?? '');
  const newest = looked.findLastIndex(isThere);
  const files = Map.groupBy(looked, valueOf);
  return (file) => {
    const at = places.get(file.path)!;
    if (!isThere(file)) {
      if (file.records === 0 || at > newest) return absent(content, file);
      return { unknown: 'later files are loaded, and none of its rows is left' };
    }
    if (byDay && files.get(valueOf(file))!.length > 1) return { unknown: 'its day has other files as well' };
    // Whoever was stopped between its parts has loaded some of them: it comes again, and takes its own place.
    const whole = file.pieces < 2 || at < newest || rows.get(valueOf(file)!)! >= file.records;
    return whole ? 'loaded' : 'fresh';
  };
}

/** Rows of a day that is there in part could neither be replaced nor be told from those that are missing. */
function otherDays({ rows, valueOf }: Content, looked: readonly LookedFile[]): Map<string, string> {
  const records = new Map<string, number>();
  for (const file of looked) {
    const day = valueOf(file);
    if (day !== undefined) records.set(day, (records.get(day) ?? 0) + file.records);
  }
  const differs = [...records].filter(([day, count]) => rows.has(day) && rows.get(day) !== count);
  return new Map(
    differs.map(([day, count]) => [day, `${day} (${rows.get(day)} rows, ${count} in the files)`]),
  );
}

const SHOWN = 3;

function some(all: readonly string[]): string {
  const more = all.length > SHOWN ? ` and ${all.length - SHOWN} more` : '';
  return `${all.slice(0, SHOWN).join(', ')}${more}`;
}

function daysDiffer(days: readonly string[], doing: string): ConfigError {
  return new ConfigError(`${doing}: days have other numbers of rows in the table: ${some(days)}`, {
    code: 'state.rebuild_differs',
    remedy:
      'delete the rows of these days, so that they are loaded anew; if they are loaded as they are to be, say up to where with --up-to',
  });
}

function refuseUnknown(name: string, { unknown }: LedgerRebuild): void {
  if (unknown.length === 0) return;
  const files = unknown.map(({ file, reason }) => `${file} (${reason})`);
  throw new ConfigError(`making the ledger of ${name}: the table does not tell of ${some(files)}`, {
    code: 'state.rebuild_unknown',
    remedy:
      'say up to which of them all are loaded with `--up-to <file or day>`; those after it are loaded by the next run. Or `sluice run --full-refresh`',
  });
}
