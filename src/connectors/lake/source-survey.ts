/**
 * Facts about one stream of a lake. What is new since the last run is not a matter of cursor values here: the log says which
 * loads came after the commit that the checkpoint names, and their rows are read, whatever their cursor holds. The cursor
 * gives the order, the watermark that people see, and the bounds that they ask for.
 */
import { ConfigError } from '../../core/errors.ts';
import type { CursorFacts, Loaded, Survey } from '../../core/source.ts';
import type { Checkpoint, RunWindow, SliceRange, StreamConfig } from '../../core/stream.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { LogicalType } from '../../core/types.ts';
import { greaterCursor, lesserCursor, parseCursor } from '../shared/cursor-value.ts';
import { type Relation, whereClause } from '../shared/duckdb/relation.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';
import { anyRow, boundaries, checkWhere, firstWindow } from '../shared/duckdb/survey.ts';
import { daysOf } from '../shared/days.ts';
import { sameTable } from '../shared/rise.ts';
import { AskingFiles } from '../shared/duckdb/asking-files.ts';
import type { CommitRecord, DataFile, FoldedState } from './records.ts';
import { resolveTable } from './source-relation.ts';
import { allRows, oldRowsSql, oldVersionsSql, type Rows, rowsSince, rowsSql } from './source-rows.ts';

const INSTANT: LogicalType = { kind: 'timestamp', zone: true };

export interface LakeSurvey extends Survey {
  relation: Relation;
  /** Everything that the stream consists of. */
  all: Rows;
  /** What the checkpoint does not cover; undefined: it does not say. */
  fresh: Rows | undefined;
  /** Names the commit that is read. */
  position: string;
  /** What tells the table from a later one of its name. */
  identity: string;
}

/** A table as the snapshot found it. */
export interface PinnedTable {
  name: string;
  state: FoldedState;
  /** All versions are read. */
  history: boolean;
  /** The commits after this number, up to that of the state. */
  since(seq: number): Promise<CommitRecord[]>;
}

/** What all streams of a snapshot share. */
export interface Lake {
  storage: ObjectStorage;
  engine: SourceEngine;
  /** Of files that one part of a first load covers. */
  partBytes: number;
}

export interface SurveyRequest {
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
  table: PinnedTable;
  lake: Lake;
  /** Clock of the snapshot. */
  at: string;
  signal: AbortSignal;
}

export async function survey(request: SurveyRequest): Promise<LakeSurvey> {
  const { stream, checkpoint, window, table, lake } = request;
  const { state } = table;
  const relation = resolveTable(stream, state, table.history);
  const all = allRows(lake.storage, state, table.history);
  const identity = identityOf(state);
  const fresh = relation.cursor && (await freshRows(request, all, identity));
  const windowed = window.from !== undefined || window.to !== undefined;
  const layout = `${identity}/${state.version}`;
  const parts = partsOf(all, lake.partBytes);
  const first = all.files.slice(0, 1);
  const nothing = rowsSql({ ...all, files: first, key: undefined }, undefined);
  await checkWhere(new AskingFiles(lake, first), { stream, relation, from: `(${nothing})` }, request.signal);
  return {
    schema: relation.schema,
    relation,
    all,
    fresh: windowed ? undefined : fresh,
    position: positionOf(state),
    identity,
    estimatedRows: state.rows,
    estimatedBytes: state.bytes,
    layout,
    parts,
    // The same commit has the same rows.
    catchUp: checkpoint?.unfinished?.layout === layout ? [] : undefined,
    cursor: relation.cursor && (await cursorFacts(request, { relation, all, fresh, identity })),
    days: stream.date && days(request, relation),
    sql: `SELECT ${relation.columns.map(({ sql }) => sql).join(', ')} FROM ${table.name}${whereClause(relation, { kind: 'all' })}`,
  };
}

function identityOf({ schemas }: FoldedState): string {
  return `${schemas[0]!.seq} ${schemas[0]!.at}`;
}

/** Names a commit: another one may have its number after a lake was restored from a backup. */
function positionOf({ version, last }: FoldedState): string {
  return `${version} ${last.wallMs}`;
}

/** Undefined where the checkpoint does not name a commit of this table. */
async function freshRows(
  { checkpoint, table }: SurveyRequest,
  all: Rows,
  identity: string,
): Promise<Rows | undefined> {
  const { state } = table;
  const [seq = NaN, wallMs] = checkpoint?.position?.split(' ').map(Number) ?? [];
  if (!checkpoint || !(seq >= 1 && seq <= state.version) || !sameTable(checkpoint, identity))
    return undefined;
  if (checkpoint.position === positionOf(state)) return rowsSince(all, []);
  const [read, ...since] = await table.since(seq - 1);
  // Rows of another table have come in the place of all.
  if (since.some(({ kind, slices, add }) => kind === 'load' && slices.length === 0 && add.length > 0))
    return undefined;
  return read?.wallMs === wallMs ? rowsSince(all, since) : undefined;
}

/** Of many files, some for each part. Where versions are told apart, too: a file is read without its old rows. */
function partsOf({ files }: Rows, partBytes: number): SliceRange[] {
  const ends: number[] = [];
  let bytes = 0;
  files.forEach((file, i) => {
    bytes += file.bytes;
    if (bytes < partBytes || i === files.length - 1) return;
    ends.push(i + 1);
    bytes = 0;
  });
  if (ends.length === 0) return [];
  return [...ends, undefined].map((to, i) => ({ kind: 'pages', from: ends[i - 1] ?? 0, to }));
}

interface Place {
  relation: Relation;
  all: Rows;
  fresh: Rows | undefined;
  identity: string;
}

async function cursorFacts(request: SurveyRequest, place: Place): Promise<CursorFacts> {
  const { stream, checkpoint } = request;
  const { relation, fresh, all, identity } = place;
  const { lake, signal, at } = request;
  const cursor = relation.cursor!;
  if (checkpoint && checkpoint.cursor.join() !== cursor.names.join())
    throw new ConfigError(
      `planning ${stream.name}: it was loaded by cursor "${checkpoint.cursor.join(', ') || 'none'}" and is now configured with "${cursor.names.join(', ')}"`,
      {
        code: 'stream.cursor_changed',
        remedy: 'load it once with --full-refresh, or put the old cursor back',
      },
    );
  // A commit that this table does not have makes the values that go with it meaningless, too.
  const lost = !sameTable(checkpoint, identity) || (checkpoint?.position !== undefined && !fresh);
  const known = lost ? undefined : checkpoint;
  const first = known?.watermark === undefined && known?.high === undefined;
  const from = first ? firstWindow(stream, cursor.type, at) : known.watermark;
  if (from !== undefined) parseCursor(from, cursor.type);
  const high = known?.high;
  const rows = fresh ?? all;
  const any = (range: SliceRange): Promise<boolean> | undefined =>
    fresh &&
    (fresh.files.length === 0
      ? Promise.resolve(false)
      : anyRow(
          new AskingFiles(lake, fresh.files),
          `(${rowsSql(fresh, undefined)})${whereClause(relation, range)}`,
          signal,
        ));
  return {
    from,
    horizon: undefined,
    note: undefined,
    indexed: fresh !== undefined || !checkpoint,
    fresh: await any({ kind: 'cursor', above: high, nulls: high === undefined }),
    // Rows of loads that are not read yet are not in the target, but for windows that the user chose.
    overlap: await any({ kind: 'cursor', upTo: high, nulls: true }),
    boundaries:
      stream.sliceRows === undefined
        ? []
        : await boundaries(
            new AskingFiles(lake, rows.files),
            { relation, from: `(${rowsSql(rows, undefined)})`, rows: stream.sliceRows },
            { kind: 'cursor', from: high === undefined ? from : undefined, above: high },
            signal,
          ),
    estimatedRows: fresh ? fresh.files.reduce((sum, { rows }) => sum + rows, 0) : undefined,
    nullRows: cursor.nullable ? undefined : false,
    since: undefined,
  };
}

/** A day is done when the table was loaded after its end. */
function days({ stream, window, checkpoint, table, at }: SurveyRequest, relation: Relation): Survey['days'] {
  const { column } = stream.date!;
  const oldest = lesserCursor(table.state.loadedAt ?? at, at, INSTANT);
  return daysOf({
    stream: { ...stream, overlapSeconds: stream.overlapSeconds ?? 0 },
    window,
    loaded: checkpoint?.day,
    horizon: { at, oldest, blind: undefined, blocked: undefined, zone: 'UTC' },
    type: relation.known.get(column)!.type,
  });
}

/** The query of a slice, and how many rows it has where the log tells; what is old among the rows is found first. */
export async function sliceQuery(
  surveyed: LakeSurvey,
  range: SliceRange,
  lake: Lake,
  signal: AbortSignal,
): Promise<{ sql: string; files: readonly DataFile[]; exact: number | undefined }> {
  const { relation, all, fresh } = surveyed;
  const { engine } = lake;
  const rows = range.kind === 'cursor' ? (fresh ?? all) : all;
  const files = range.kind === 'pages' ? rows.files.slice(range.from, range.to) : rows.files;
  const part = { ...rows, files };
  const old =
    rows.key && files.length > 0
      ? await engine.table(oldVersionsSql(rows, rows.key), signal, new AskingFiles(lake, rows.files))
      : undefined;
  // What is not read yet is new, whatever its cursor says.
  const wanted = fresh && range.kind === 'cursor' ? { ...range, from: undefined } : range;
  const where = whereClause(relation, wanted);
  const list = relation.columns.map(({ sql }, i) => `${sql} AS c${i}`);
  if (relation.cursor) list.push(...relation.cursor.expressions.map((sql, i) => `${sql} AS k${i}`));
  const from = rowsSql(part, old && old.rows > 0 ? old.name : undefined);
  let exact: number | undefined;
  if (where === '' && rows.loads === undefined) {
    exact = files.reduce((sum, file) => sum + file.rows, 0);
    if (old && old.rows > 0) {
      const [found] = await engine.rows(oldRowsSql(part, old.name), signal);
      exact -= Number(found!['n']);
    }
  }
  return { sql: `SELECT ${list.join(', ')} FROM (${from})${where}`, files, exact };
}

export function advance(loaded: Loaded, at: string): Checkpoint {
  const { stream, before: committed, loads, last } = loaded;
  const { relation, identity, position } = loaded.survey as LakeSurvey;
  const base: Checkpoint = { cursor: stream.cursor, relation: identity, readAt: at };
  const type = relation.cursor?.type;
  if (!type) return { ...base, day: committed?.day };
  const before = sameTable(committed, identity) ? committed : undefined;
  let high = before?.high;
  for (const { facts } of loads) high = greaterCursor(high, facts.high, type);
  if (!last) return { ...base, high, watermark: before?.watermark, position: before?.position };
  return {
    ...base,
    high,
    watermark: greaterCursor(before?.watermark, high, type),
    position,
  };
}
