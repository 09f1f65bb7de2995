/**
 * Which slices load a stream now. In: the configuration, the source's facts, what is committed. Out: slices in the order
 * of their reading, or none. Pure: nothing is asked and nothing is written.
 */
import { createHash } from 'node:crypto';
import { ConfigError } from '../core/errors.ts';
import type { QuarantineFile } from '../core/quarantine.ts';
import type { Arrival, Survey } from '../core/source.ts';
import {
  type Checkpoint,
  renamed,
  type RunWindow,
  type Slice,
  type SliceRange,
  type StreamConfig,
} from '../core/stream.ts';
import { BY_DATES, dateSlices, withoutDate } from './date-slices.ts';
import type { StreamPlan } from './types.ts';

export interface SliceRequest {
  stream: StreamConfig;
  survey: Survey;
  /** What is committed; undefined for a first load and for a full refresh. */
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
  /** Everything that is there is replaced in one step. */
  fullRefresh: boolean;
  /** Parts that an interrupted load has done are loaded again. */
  restart: boolean;
}

export interface SlicePlan {
  action: StreamPlan['action'];
  slices: Slice[];
  /** For people. */
  window: string;
  /** Slices may be read at the same time; otherwise each starts from the watermark of the one before. */
  parallel: boolean;
  /** The slices are all that the source has: what they lack is gone. */
  whole?: boolean;
  /** There is nothing to read, but the watermark may rise past rows that nobody need look at again. */
  rises?: boolean;
  /** A load of parts that others cannot take up: what is there is dropped with the first commit. */
  restart: boolean;
  /** Of streams by date: the slice of each day of the survey. */
  sliceOf?: string[] | undefined;
}

export function planSlices(request: SliceRequest): SlicePlan {
  const { stream, window } = request;
  if (window.replay) return planReplay(request, window.replay);
  if (request.survey.arrived) return planArrived(request, request.survey.arrived);
  if (stream.date) return planDays(request);
  if (stream.cursor.length === 0) return planFull(request);
  if (request.window.from !== undefined || request.window.to !== undefined) return planWindow(request);
  if (request.checkpoint?.unfinished) return planResume(request, request.checkpoint.unfinished);
  return request.checkpoint ? planIncrement(request, request.checkpoint) : planFirst(request);
}

/** What the survey has cut, in its order: what was loaded is not among it, as far as the source can tell. */
function planArrived(
  { stream, survey, checkpoint, fullRefresh }: SliceRequest,
  { again, distinct = false, moved = false }: Arrival,
): SlicePlan {
  const compared = again && checkpoint !== undefined && stream.load === 'append';
  const slices = survey.parts.map((range) => slice(range, compared));
  return {
    action: slices.length === 0 ? 'nothing-new' : fullRefresh ? 'reload' : checkpoint ? 'load' : 'first-load',
    slices,
    window: survey.window ?? 'all',
    parallel: sideBySide(stream) || (distinct && stream.load === 'merge'),
    restart: false,
    rises: moved && slices.length === 0,
  };
}

/** Records of one slice stay within it, for its commit takes the place of their files. */
const REPLAYED_ROWS = 1_000_000;

/** Records in quarantine. Those of one run share a slice where rows do not take the place of each other. */
function planReplay({ stream, checkpoint }: SliceRequest, { run }: { run?: string | undefined }): SlicePlan {
  const kept = (checkpoint?.quarantine ?? []).filter((file) => run === undefined || file.run === run);
  const alone = !sideBySide(stream);
  const packs: QuarantineFile[][] = [];
  for (const file of kept) {
    const pack = packs.at(-1);
    const fits = !alone && pack?.[0]!.run === file.run && rowsOf(pack) + file.rows <= REPLAYED_ROWS;
    if (fits) pack.push(file);
    else packs.push([file]);
  }
  const rows = rowsOf(kept);
  return {
    action: kept.length === 0 ? 'nothing-new' : 'load',
    slices: packs.map((files) => ({
      ...slice({ kind: 'quarantine', files }, false),
      estimatedRows: rowsOf(files),
    })),
    window: `${rows.toLocaleString('en')} ${rows === 1 ? 'record' : 'records'} in quarantine`,
    parallel: !alone,
    restart: false,
  };
}

function rowsOf(files: readonly QuarantineFile[]): number {
  return files.reduce((sum, { rows }) => sum + rows, 0);
}

function sideBySide({ load }: StreamConfig): boolean {
  return !laterReplace(load);
}

/** Whether rows of later files take the place of those of earlier ones. */
export function laterReplace(load: StreamConfig['load']): boolean {
  return load !== 'append' && load !== 'replace';
}

function planDays(request: SliceRequest): SlicePlan {
  const { stream, survey, checkpoint, fullRefresh, restart, window: wanted } = request;
  const days = survey.days ?? [];
  const { column, by = 'day' } = stream.date!;
  // Loading everything again must not shrink the table to the days that a first run would take.
  const all = fullRefresh && wanted.from === undefined && stream.firstRunSeconds === undefined;
  const { slices, sliceOf } = dateSlices(days, column, by, all);
  // Who asks for days does not ask for rows of no day.
  const dateless =
    wanted.from === undefined && wanted.to === undefined && mayBeNull(survey, renamed(stream, column));
  if (dateless) slices.unshift(withoutDate(column));
  const window = `${all ? `${column} ≤ ${days.at(-1)?.day}` : daysText(column, days)}${dateless ? ' or NULL' : ''}`;
  const plan = { slices, window, parallel: true, restart: false, sliceOf };
  const unfinished = fullRefresh || restart ? undefined : checkpoint?.unfinished;
  // Only the very same slices can be taken up.
  if (unfinished?.layout === BY_DATES && JSON.stringify(unfinished.slices) === JSON.stringify(slices)) {
    const left = slices.filter(({ id }) => !unfinished.done.includes(id));
    const text = `${window}: ${left.length} of ${slices.length} parts that are left`;
    return { ...plan, action: 'resume', slices: left, window: text };
  }
  return { ...plan, action: slices.length === 0 ? 'nothing-new' : checkpoint ? 'load' : 'first-load' };
}

function mayBeNull({ schema }: Survey, name: string): boolean {
  return schema.fields.some((field) => field.name === name && field.nullable);
}

function daysText(column: string, days: NonNullable<Survey['days']>): string {
  if (days.length === 0) return 'no day';
  const { day } = days[0]!;
  return days.length === 1 ? `${column} = ${day}` : `${column} ${day} … ${days.at(-1)!.day}`;
}

function planFull({ survey, checkpoint, fullRefresh }: SliceRequest): SlicePlan {
  if (survey.unchanged === true && checkpoint)
    return {
      action: 'nothing-new',
      slices: [],
      window: survey.window ?? 'all',
      parallel: true,
      restart: false,
    };
  const slices = everything(survey);
  return {
    action: checkpoint || fullRefresh ? 'reload' : 'first-load',
    slices,
    window: 'all',
    parallel: true,
    whole: true,
    restart: false,
  };
}

/** A window that the user asked for; rows that are already there are recognised, and the watermark stays. */
function planWindow({ stream, window, checkpoint }: SliceRequest): SlicePlan {
  if (checkpoint?.unfinished) {
    throw new ConfigError(
      `planning ${stream.name}: its first load has not finished, and its parts would bring the rows of the window again`,
      {
        code: 'stream.unfinished',
        remedy: 'run once without --from, --to and --date, which finishes it',
      },
    );
  }
  const range: SliceRange = { kind: 'cursor', from: window.from, to: window.to };
  const text = [window.from && `≥ ${window.from}`, window.to && `< ${window.to}`]
    .filter(Boolean)
    .join(' and ');
  return {
    action: 'load',
    slices: [slice(range, true)],
    window: `${name(stream)} ${text}`,
    parallel: false,
    restart: false,
  };
}

function planResume(request: SliceRequest, unfinished: NonNullable<Checkpoint['unfinished']>): SlicePlan {
  const { catchUp } = request.survey;
  if (!catchUp || request.restart)
    return { ...planFirst({ ...request, checkpoint: undefined }), action: 'reload', restart: true };
  const left = unfinished.slices.filter((each) => !unfinished.done.includes(each.id));
  const slices = [...left, ...catchUp.map((range) => slice(range, true))];
  return {
    action: 'resume',
    slices,
    window: `${left.length} of ${unfinished.slices.length} parts that are left`,
    parallel: true,
    restart: false,
  };
}

function planFirst({ stream, survey, fullRefresh }: SliceRequest): SlicePlan {
  const action = fullRefresh ? 'reload' : 'first-load';
  const cursor = survey.cursor!;
  const nulls = stream.nullCursor === 'load';
  const base = { action, restart: false } as const;
  if (cursor.from !== undefined) {
    const range: SliceRange = { kind: 'cursor', from: cursor.from, nulls, since: cursor.since };
    return {
      ...base,
      slices: inBatches(range, cursor.boundaries),
      window: `${name(stream)} ≥ ${cursor.from}`,
      parallel: false,
    };
  }
  if (stream.sliceRows !== undefined && cursor.boundaries.length > 0) {
    return {
      ...base,
      slices: inBatches({ kind: 'cursor', nulls }, cursor.boundaries),
      window: 'all, in order of the cursor',
      parallel: false,
      whole: true,
    };
  }
  const slices = nulls ? everything(survey) : [slice({ kind: 'cursor', nulls: false }, false)];
  return { ...base, slices, window: 'all', parallel: true, whole: true };
}

function planIncrement({ stream, survey }: SliceRequest, checkpoint: Checkpoint): SlicePlan {
  const cursor = survey.cursor!;
  const { from, since, writtenFrom } = cursor;
  const nulls = stream.nullCursor === 'load';
  const window = `${name(stream)} ≥ ${from ?? 'the beginning'}${since ? `, ${since.column} ≥ ${since.from}` : ''}`;
  const base = { window, parallel: false, restart: false };
  if (!cursor.indexed || checkpoint.high === undefined) {
    // One pass over the table finds both what is new and what has to be compared.
    return {
      ...base,
      action: 'load',
      slices: [slice({ kind: 'cursor', from, nulls, since, writtenFrom }, true)],
    };
  }
  const slices: Slice[] = [];
  if (cursor.overlap !== false)
    slices.push(slice({ kind: 'cursor', from, upTo: checkpoint.high, nulls, since, writtenFrom }, true));
  if (cursor.fresh !== false)
    slices.push(...inBatches({ kind: 'cursor', above: checkpoint.high }, cursor.boundaries));
  const nothing = slices.length === 0;
  return {
    ...base,
    action: nothing ? 'nothing-new' : 'load',
    slices,
    rises: nothing && cursor.passed === true,
  };
}

function everything(survey: Survey): Slice[] {
  const ranges: SliceRange[] = survey.parts.length > 0 ? survey.parts : [{ kind: 'all' }];
  return ranges.map((range) => slice(range, false));
}

/** Cuts a cursor window at the boundaries; rows without a cursor value and of the lookback go with the first batch. */
function inBatches(range: Extract<SliceRange, { kind: 'cursor' }>, boundaries: string[]): Slice[] {
  const ends = [...boundaries, undefined];
  return ends.map((to, i) => {
    const from: SliceRange = i === 0 ? range : { kind: 'cursor', from: boundaries[i - 1]! };
    return slice(to === undefined ? from : { ...from, to }, false);
  });
}

/** The id follows from the range alone, so the same piece of work has the same name in every run. */
function slice(range: SliceRange, overlap: boolean): Slice {
  if (range.kind === 'all') return { id: 'all', range, overlap };
  if (range.kind === 'pages') {
    const since = range.since === undefined ? '' : `-since-${range.since}`;
    return { id: `pages-${range.from}-${range.to ?? 'end'}${since}`, range, overlap };
  }
  const hash = createHash('sha256').update(JSON.stringify(range)).digest('hex').slice(0, 12);
  const own = range.kind === 'key' || range.kind === 'files' || range.kind === 'quarantine';
  const kind = own ? range.kind : 'cursor';
  return { id: `${overlap ? 'overlap' : kind}-${hash}`, range, overlap };
}

function name(stream: StreamConfig): string {
  return stream.cursor.length === 1 ? stream.cursor[0]! : `greatest(${stream.cursor.join(', ')})`;
}
