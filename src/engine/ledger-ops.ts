/** Changing by hand which files a stream has loaded: again, no longer, or as its table says. */
import { matcher } from '../config/stream-name.ts';
import type { Comparable, ComparedColumn } from '../core/compare.ts';
import type { Destination, TableState } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { FileLedger, FileMark, FilePart } from '../core/ledger.ts';
import type { Survey, SurveyedFile } from '../core/source.ts';
import { type Checkpoint, renamed, type StreamConfig } from '../core/stream.ts';
import type { ProjectContext } from './context.ts';
import type { PipelineSession } from './session.ts';
import { changeCheckpoint, withStream } from './state-ops.ts';

/** Marks files of a stream, so that the next run replaces the rows that they have brought; gives their paths. */
export async function reloadFiles(
  context: ProjectContext,
  pipeline: string,
  name: string,
  wanted: readonly string[],
): Promise<string[]> {
  let marked: string[] = [];
  await changeCheckpoint(context, pipeline, name, async (_session, stream, { checkpoint }) => {
    const doing = `loading files of ${name} again`;
    const ledger = ledgerOf(stream, checkpoint, doing);
    if (stream.files!.fileColumn === false) throw noFiles(doing, 'it is not known which rows are theirs');
    marked = filesOf(ledger, wanted, doing);
    const again = Object.fromEntries(marked.map((file) => [file, { ...ledger.files[file]!, again: true }]));
    return { ...checkpoint!, ledger: { ...ledger, files: { ...ledger.files, ...again } } };
  });
  return marked;
}

/** Takes files out of the ledger, and leaves their rows alone: the next run takes them for new. Gives their paths. */
export async function forgetFiles(
  context: ProjectContext,
  pipeline: string,
  name: string,
  wanted: readonly string[],
): Promise<string[]> {
  let gone: string[] = [];
  await changeCheckpoint(context, pipeline, name, async (_session, stream, { checkpoint }) => {
    const doing = `forgetting files of ${name}`;
    const ledger = ledgerOf(stream, checkpoint, doing);
    gone = filesOf(ledger, wanted, doing);
    const left = Object.entries(ledger.files).filter(([file]) => !gone.includes(file));
    return { ...checkpoint!, ledger: { ...ledger, files: Object.fromEntries(left) } };
  });
  return gone;
}

function ledgerOf(stream: StreamConfig, checkpoint: Checkpoint | undefined, doing: string): FileLedger {
  if (!checkpoint?.ledger || !stream.files) throw noFiles(doing, 'none is loaded');
  return checkpoint.ledger;
}

function filesOf({ files }: FileLedger, wanted: readonly string[], doing: string): string[] {
  const found = Object.keys(files).filter((file) => wanted.some((pattern) => matcher(pattern)(file)));
  const unknown = wanted.filter((pattern) => !found.some((file) => matcher(pattern)(file)));
  if (unknown.length === 0) return found;
  throw new ConfigError(`${doing}: no loaded file fits "${unknown.join('", "')}"`, {
    code: 'state.unknown_file',
    remedy: '`sluice ledger show` lists them',
  });
}

function noFiles(doing: string, found: string): ConfigError {
  return new ConfigError(`${doing}: ${found}`, {
    code: 'state.no_files',
    remedy:
      'that needs a stream of files with a `file_column`; `sluice run --full-refresh` loads all of a stream again',
  });
}

export interface RebuiltFile {
  file: string;
  /** In the table. */
  rows: number;
  /** In the file; undefined: it is not there any more. */
  records: number | undefined;
  /** `again`: the table has other numbers of its rows, so the next run replaces them. */
  mark: 'loaded' | 'again' | 'gone';
}

export interface LedgerRebuild {
  /** The column of the table that tells which files are in it. */
  column: string;
  files: RebuiltFile[];
  /** Files that are there, and not in the table: they come with the next run. */
  fresh: string[];
}

/** Makes the ledger from the column of the table that says which file, or which day, a row is from. `dryRun`: writes nothing. */
export async function rebuildLedger(
  context: ProjectContext,
  pipeline: string,
  name: string,
  { dryRun }: { dryRun: boolean },
): Promise<LedgerRebuild> {
  if (dryRun)
    return withStream(context, pipeline, name, async (...place) => (await rebuilt(...place)).report);
  let report: LedgerRebuild | undefined;
  await changeCheckpoint(context, pipeline, name, async (...place) => {
    const made = await rebuilt(...place);
    report = made.report;
    return made.checkpoint;
  });
  return report!;
}

async function rebuilt(
  session: PipelineSession,
  stream: StreamConfig,
  state: TableState,
): Promise<{ checkpoint: Checkpoint; report: LedgerRebuild }> {
  const doing = `making the ledger of ${stream.name}`;
  if (!stream.files) throw noFiles(doing, 'it is no stream of files');
  if (stream.load !== 'append')
    throw new ConfigError(
      `${doing}: by \`load: ${stream.load}\` rows of later files take the place of earlier ones`,
      {
        code: 'state.no_rebuild',
        remedy:
          'so the table does not tell which files it is from; `sluice run --full-refresh` loads all of them',
      },
    );
  const { signal } = new AbortController();
  const { reload: _reload, ...before } = state.checkpoint ?? { cursor: [] };
  const snapshot = await session.source.open(signal, session.accepts);
  try {
    const survey = await snapshot.survey(stream, before, {}, signal);
    if (survey.problem) throw survey.problem;
    const found = compareFiles(await contentOf(session.destination, { stream, state, survey, doing }), {
      survey,
      known: before.ledger?.files ?? {},
      doing,
    });
    const { ledger } = snapshot.advance({ stream, survey, before, loads: [], last: true });
    const files = { ...ledger!.files, ...found.marks };
    return { checkpoint: { ...before, ledger: { ...ledger!, files } }, report: found.report };
  } finally {
    await snapshot.close();
  }
}

/** What the table says. */
interface Content {
  column: string;
  /** Rows by what the column holds. */
  rows: ReadonlyMap<string, number>;
  /** What it holds of the rows of a file. */
  valueOf: (path: string, file: SurveyedFile) => string | undefined;
  byDay: boolean;
}

async function contentOf(
  destination: Destination,
  {
    stream,
    state,
    survey,
    doing,
  }: { stream: StreamConfig; state: TableState; survey: Survey; doing: string },
): Promise<Content> {
  const has = (column: string): boolean => state.schema.fields.some((field) => field.name === column);
  const fileColumn = stream.files!.fileColumn;
  const [some] = [...(survey.files?.values() ?? [])];
  const day = Object.keys(some?.named ?? {}).find(
    (column) =>
      has(renamed(stream, column)) &&
      [...survey.files!.values()].every(({ named }) => DAY.test(named[column] ?? '')),
  );
  const byFile = fileColumn !== false && has(fileColumn);
  const column = byFile ? fileColumn : day && renamed(stream, day);
  if (column === undefined)
    throw noFiles(doing, 'the table has neither a column with their paths nor one with their days');
  const counted = await countRows(destination, { table: stream.table, state, column }, doing);
  if (byFile) return { column, rows: counted, valueOf: (path) => path, byDay: false };
  const rows = new Map<string, number>();
  for (const [value, count] of counted)
    rows.set(value.slice(0, 10), (rows.get(value.slice(0, 10)) ?? 0) + count);
  return { column, rows, valueOf: (_, { named }) => named[day!] ?? undefined, byDay: true };
}

const DAY = /^\d{4}-\d\d-\d\d$/;

/** How many rows have each value of a column; those without one are left out. */
async function countRows(
  destination: Destination,
  { table, state, column }: { table: string; state: TableState; column: string },
  doing: string,
): Promise<Map<string, number>> {
  const { signal } = new AbortController();
  const { type } = state.schema.fields.find((field) => field.name === column)!;
  const tables = await destination.compare?.(signal);
  try {
    const found = await tables?.table(table, signal);
    if (!found) throw noFiles(doing, 'the destination does not show its rows');
    try {
      return await countValues(found.rows, { name: column, type }, signal);
    } finally {
      await found.close();
    }
  } finally {
    await tables?.close();
  }
}

async function countValues(
  rows: Comparable,
  column: ComparedColumn,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const which = { current: false, within: undefined, waiting: undefined };
  const request = { columns: [column], key: [column.name], digits: 1, ...which };
  const counts = new Map<string, number>();
  for await (const { names } of rows.rows(request, undefined, signal))
    for (const value of names[0]!) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function compareFiles(
  content: Content,
  { survey, known, doing }: { survey: Survey; known: FileLedger['files']; doing: string },
): { marks: FileLedger['files']; report: LedgerRebuild } {
  const { column, rows, byDay } = content;
  const looked = [...(survey.files ?? [])].filter(([path]) => !Object.hasOwn(known, path));
  if (byDay) checkDays(content, { looked, known, doing });
  const parts = new Map<string, FilePart>();
  for (const range of survey.parts)
    if (range.kind === 'files') for (const part of range.files) parts.set(part.path, part);
  const marks: Record<string, FileMark> = {};
  const report: LedgerRebuild = { column, files: [], fresh: [] };
  const seen = new Set<string>();
  for (const [path, file] of looked) {
    const value = content.valueOf(path, file);
    const there = value === undefined ? undefined : rows.get(value);
    const part = parts.get(path);
    if (there === undefined || !part) {
      report.fresh.push(path);
      continue;
    }
    seen.add(path);
    const { path: _path, range: _range, ...mark } = part;
    const count = byDay ? file.records : there;
    const again = count !== file.records;
    marks[path] = { ...mark, rows: count, bad: 0, ...(again && { again }) };
    report.files.push({ file: path, rows: count, records: file.records, mark: again ? 'again' : 'loaded' });
  }
  for (const [path, count] of byDay ? [] : rows) {
    if (seen.has(path) || Object.hasOwn(known, path)) continue;
    // Should it come back, it counts as one that has changed, and is not loaded as if it were new.
    marks[path] = { size: 0, modifiedAt: 0, rows: count, bad: 0 };
    report.files.push({ file: path, rows: count, records: undefined, mark: 'gone' });
  }
  return { marks, report };
}

/** Rows of a day that is there in part could neither be replaced nor be told from those that are missing. */
function checkDays(
  { rows, valueOf }: Content,
  { looked, known, doing }: { looked: [string, SurveyedFile][]; known: FileLedger['files']; doing: string },
): void {
  if (Object.keys(known).length > 0)
    throw noFiles(doing, 'it has files already, and days do not tell which others are loaded');
  const records = new Map<string, number>();
  for (const [path, file] of looked) {
    const day = valueOf(path, file)!;
    records.set(day, (records.get(day) ?? 0) + file.records);
  }
  const differs = [...records].filter(([day, count]) => rows.has(day) && rows.get(day) !== count);
  if (differs.length === 0) return;
  const shown = differs
    .slice(0, 3)
    .map(([day, count]) => `${day} (${rows.get(day)} rows, ${count} in the files)`);
  const more = differs.length > shown.length ? ` and ${differs.length - shown.length} more` : '';
  throw new ConfigError(
    `${doing}: days have other numbers of rows in the table: ${shown.join(', ')}${more}`,
    {
      code: 'state.rebuild_differs',
      remedy:
        'delete the rows of these days, so that they are loaded anew; or load all by `sluice run --full-refresh`',
    },
  );
}
