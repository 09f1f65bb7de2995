/** Looking into quarantine, and giving up what is there. What a checkpoint does not name is not there. */
import path from 'node:path';
import { ConfigError, DataError } from '../core/errors.ts';
import type { QuarantineFile } from '../core/quarantine.ts';
import { exportFormat, exportKept, type KeptRecord, readKept, summarize } from '../gate/kept-records.ts';
import { keptPlace, type KeptPlace } from '../gate/kept-storage.ts';
import { removeFiles } from '../gate/quarantine.ts';
import { openQuarantine, pipelineOf, type ProjectContext } from './context.ts';
import { runPipeline } from './run.ts';
import { changeCheckpoint, showState } from './state-ops.ts';
import type { RunOptions, RunReport } from './types.ts';

export interface QuarantineScope {
  /** Names or wildcards of streams; all when empty. */
  select?: string[] | undefined;
  /** Only what this run has put aside. */
  run?: string | undefined;
}

/** What a run has put aside of a stream. */
export interface QuarantineSummary {
  pipeline: string;
  stream: string;
  table: string;
  run: string;
  /** When, ISO 8601. */
  at: string;
  rows: number;
  /** How many files of the source they are from; undefined with `missing`. */
  files: number | undefined;
  /** What is wrong with them, most frequent first. */
  reasons: { code: string; reason: string; rows: number }[];
  /** The records are not here: another copy of the project has put them aside. */
  missing: boolean;
}

export interface QuarantinedRecord {
  stream: string;
  run: string;
  file: string;
  line: number;
  column: string | undefined;
  code: string;
  reason: string;
  /** The text of the record; `base64` when that is no UTF-8. */
  raw: string;
  base64?: true;
}

export interface QuarantineReadOptions extends QuarantineScope {
  /** Code of a reason. */
  reason?: string | undefined;
  /** Most records. */
  limit?: number | undefined;
}

export type ReplayOptions = QuarantineScope & Omit<RunOptions, 'window' | 'fullRefresh' | 'restart'>;

interface Kept {
  stream: string;
  table: string;
  place: KeptPlace;
  files: QuarantineFile[];
}

export async function listQuarantine(
  context: ProjectContext,
  pipeline: string,
  scope: QuarantineScope = {},
): Promise<QuarantineSummary[]> {
  const summaries: QuarantineSummary[] = [];
  for (const { stream, table, place, files } of await kept(context, pipeline, scope)) {
    for (const [run, ofRun] of Map.groupBy(files, (file) => file.run)) {
      const found = await summarize(place, ofRun).catch((error: unknown) => {
        if (error instanceof DataError && error.code === 'quarantine.missing') return undefined;
        throw error;
      });
      summaries.push({
        pipeline,
        stream,
        table,
        run,
        at: ofRun[0]!.at,
        rows: rowsOf(ofRun),
        files: found?.documents,
        reasons: found?.reasons ?? [],
        missing: found === undefined,
      });
    }
  }
  return summaries;
}

/** Records as they were put aside, stream by stream. */
export async function* readQuarantine(
  context: ProjectContext,
  pipeline: string,
  options: QuarantineReadOptions = {},
): AsyncGenerator<QuarantinedRecord> {
  const { reason: code, limit = Number.POSITIVE_INFINITY } = options;
  let left = limit;
  for (const { stream, place, files } of await kept(context, pipeline, options)) {
    if (left <= 0) return;
    const most = Number.isFinite(left) ? left : undefined;
    for await (const record of readKept(place, files, { code, limit: most })) {
      left--;
      yield shown(stream, record);
    }
  }
}

function shown(stream: string, { document: file, ...record }: KeptRecord): QuarantinedRecord {
  return { stream, file, ...record };
}

/**
 * Reads the records again with the contract and the options of now, and loads those that fit, in one commit with the checkpoint
 * that no longer names them. The others stay. Undefined: there are none.
 */
export async function replayQuarantine(
  context: ProjectContext,
  pipeline: string,
  { run, ...options }: ReplayOptions = {},
): Promise<RunReport | undefined> {
  const found = await kept(context, pipeline, { run, select: options.select });
  if (found.length === 0) return undefined;
  const select = found.map(({ stream }) => stream);
  return runPipeline(context, pipeline, { ...options, select, window: { replay: { run } } });
}

/** Gives records up; resolves to how many. The files and rows that they are from stay as they are. */
export async function dropQuarantine(
  context: ProjectContext,
  pipeline: string,
  scope: QuarantineScope = {},
): Promise<number> {
  let rows = 0;
  for (const { stream, place } of await kept(context, pipeline, scope)) {
    let gone: QuarantineFile[] = [];
    await changeCheckpoint(
      { context, pipeline, name: stream },
      async (_session, { cursor }, { checkpoint }) => {
        const { quarantine = [], ...rest } = checkpoint ?? { cursor };
        const isGone = ({ run }: QuarantineFile): boolean => scope.run === undefined || run === scope.run;
        gone = quarantine.filter(isGone);
        const stay = quarantine.filter((file) => !isGone(file));
        return { ...rest, ...(stay.length > 0 && { quarantine: stay }) };
      },
    );
    await removeFiles(place.storage, gone);
    rows += rowsOf(gone);
  }
  return rows;
}

/** Writes records to a file, whose ending says in which form; resolves to how many. Without any, none is written. */
export async function exportQuarantine(
  context: ProjectContext,
  pipeline: string,
  { to, ...scope }: QuarantineScope & { to: string },
): Promise<number> {
  const format = exportFormat(to);
  if (!format)
    throw new ConfigError(`exporting to "${to}": its ending is none of .csv, .jsonl, .parquet`, {
      code: 'quarantine.format',
    });
  const found = await kept(context, pipeline, scope);
  const files = found.flatMap((each) => each.files);
  if (found[0]) await exportKept(found[0].place, files, { file: path.resolve(to), format });
  return rowsOf(files);
}

/** Streams with records in quarantine. */
async function kept(
  context: ProjectContext,
  pipeline: string,
  { select, run }: QuarantineScope,
): Promise<Kept[]> {
  const home = await openQuarantine(context, pipelineOf(context, pipeline).to);
  const states = await showState(context, pipeline, select);
  return states.flatMap(({ stream, table, committed }) => {
    const all = committed?.checkpoint?.quarantine ?? [];
    const files = all.filter((file) => run === undefined || file.run === run);
    return files.length === 0 ? [] : [{ stream, table, place: keptPlace(home, table), files }];
  });
}

function rowsOf(files: readonly QuarantineFile[]): number {
  return files.reduce((sum, { rows }) => sum + rows, 0);
}
