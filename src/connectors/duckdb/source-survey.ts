/** Facts about one stream of a DuckDB file. Nobody writes the file while it is read, so no transaction holds a watermark back. */
import { ConfigError } from '../../core/errors.ts';
import type { CursorFacts, Survey } from '../../core/source.ts';
import type { Checkpoint, RunWindow, SliceRange, StreamConfig } from '../../core/stream.ts';
import { parseCursor } from '../shared/cursor-value.ts';
import { addDays, dateAt, daysOf } from '../shared/days.ts';
import { nullCondition, type Relation, whereClause } from '../shared/duckdb/relation.ts';
import { anyRow, boundaries, checkWhere, firstWindow } from '../shared/duckdb/survey.ts';
import { readsAll } from '../shared/key-sample.ts';
import { marginOf, type RisingCursor } from '../shared/rise.ts';
import { boundOf } from '../shared/zones.ts';
import { readStructure } from './catalog.ts';
import { findRelation, type Found, type Place } from './source-relation.ts';

/** Rows of one part of a first load: some row groups of 122,880. */
const PART_ROWS = 50 * 122_880;

export interface DuckdbSurvey extends Survey {
  relation: Relation;
  from: string;
}

export interface SurveyRequest {
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
  place: Place;
  /** Clock of the snapshot, and what tells the file from what it was at another time. */
  at: string;
  version: string;
  signal: AbortSignal;
}

export async function survey(request: SurveyRequest): Promise<DuckdbSurvey> {
  const { stream, checkpoint, window, place, at, version, signal } = request;
  const { engine, database } = place;
  const found = await findRelation(place, stream, signal);
  const { relation, from, table } = found;
  await checkWhere(engine, { stream, relation, from }, signal);
  const names = new Map(relation.columns.map(({ source, name }) => [source, name]));
  const rows = relation.where === undefined ? table?.rows : undefined;
  const horizon = { at, oldest: at, blind: undefined, blocked: undefined, zone: 'UTC' };
  const layout = `${version}/${stream.name}`;
  return {
    schema: relation.schema,
    relation,
    from,
    estimatedRows: rows,
    estimatedBytes: undefined,
    layout,
    parts: table && !table.view && readsAll(stream, checkpoint) ? partsOf(table.rows ?? 0) : [],
    // The same file has the same rows.
    catchUp: checkpoint?.unfinished?.layout === layout ? [] : undefined,
    // Only a table that is made needs it.
    structure:
      checkpoint || !table || table.view
        ? undefined
        : await readStructure(engine, { database, table }, (column) => names.get(column), signal),
    cursor: relation.cursor && (await cursorFacts(request, found)),
    days:
      stream.date &&
      daysOf({
        stream,
        window,
        loaded: checkpoint?.day,
        horizon,
        type: relation.known.get(stream.date.column)!.type,
      }),
    sql: sliceSql(relation, from, { kind: 'all' }),
  };
}

function partsOf(rows: number): SliceRange[] {
  const parts = Math.ceil(rows / PART_ROWS);
  if (parts < 2) return [];
  return Array.from({ length: parts }, (_, i) => ({
    kind: 'pages',
    from: i * PART_ROWS,
    // More rows may have been deleted than the catalog knows of, and numbers go on behind them.
    to: i === parts - 1 ? undefined : (i + 1) * PART_ROWS,
  }));
}

/** Columns of the schema, then those of the cursor. */
export function sliceSql(relation: Relation, from: string, range: SliceRange): string {
  const list = relation.columns.map(({ sql }, i) => `${sql} AS c${i}`);
  if (relation.cursor) list.push(...relation.cursor.expressions.map((sql, i) => `${sql} AS k${i}`));
  const where = whereClause(relation, range);
  const pages = range.kind === 'pages' ? [`rowid >= ${range.from}`] : [];
  if (range.kind === 'pages' && range.to !== undefined) pages.push(`rowid < ${range.to}`);
  const place = pages.length === 0 ? '' : `${where === '' ? ' WHERE' : ' AND'} ${pages.join(' AND ')}`;
  return `SELECT ${list.join(', ')} FROM ${from}${where}${place}`;
}

async function cursorFacts(request: SurveyRequest, { relation, from }: Found): Promise<CursorFacts> {
  const { stream, checkpoint, place, at, signal } = request;
  const { engine } = place;
  const cursor = relation.cursor!;
  if (checkpoint && checkpoint.cursor.join() !== cursor.names.join())
    throw new ConfigError(
      `planning ${stream.name}: it was loaded by cursor "${checkpoint.cursor.join(', ') || 'none'}" and is now configured with "${cursor.names.join(', ')}"`,
      {
        code: 'stream.cursor_changed',
        remedy: 'load it once with --full-refresh, or put the old cursor back',
      },
    );
  const first = checkpoint?.watermark === undefined && checkpoint?.high === undefined;
  const lower = first ? firstWindow(stream, cursor.type, at) : checkpoint.watermark;
  if (lower !== undefined) parseCursor(lower, cursor.type);
  const high = checkpoint?.high;
  const since = stream.lookback && {
    column: stream.lookback.column,
    from: addDays(dateAt(at, 'UTC'), -stream.lookback.days),
  };
  const window: SliceRange = { kind: 'cursor', from: high === undefined ? lower : undefined, above: high };
  const behind: SliceRange = {
    kind: 'cursor',
    from: lower,
    upTo: high,
    nulls: stream.nullCursor === 'load',
    since,
  };
  const any = (range: SliceRange): Promise<boolean> =>
    anyRow(engine, `${from}${whereClause(relation, range)}`, signal);
  const fresh = first ? undefined : await any(window);
  const missing = `${whereClause(relation, { kind: 'all' }) || ' WHERE true'} AND ${nullCondition(relation)}`;
  return {
    from: lower,
    horizon: horizonOf(request, relation),
    note: undefined,
    // Columns are small and have bounds in each row group: a part of a table is found without an index.
    indexed: true,
    fresh,
    overlap: !first && high !== undefined ? await any(behind) : undefined,
    boundaries:
      stream.sliceRows === undefined || fresh === false
        ? []
        : await boundaries(engine, { relation, from, rows: stream.sliceRows }, window, signal),
    estimatedRows: undefined,
    nullRows: cursor.nullable && (await anyRow(engine, `${from}${missing}`, signal)),
    since,
  };
}

/** Whoever had the file open has closed it: no transaction is open that began before the snapshot. */
function horizonOf({ stream, at }: SurveyRequest, relation: Relation): RisingCursor {
  const { type } = relation.cursor!;
  const { overlapSeconds, cursorZone: zone } = stream;
  const horizon = { at, oldest: at, quiet: true, blind: undefined };
  const safe = boundOf(at, marginOf(horizon, overlapSeconds), { type, zone, fraction: 6 });
  return { horizon, kind: { type, overlapSeconds }, safe, blocked: undefined, late: false };
}
