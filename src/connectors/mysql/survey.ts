/** Facts about one stream at the moment of the snapshot; asks, never decides. */
import { AuthError, ConfigError } from '../../core/errors.ts';
import type { CursorFacts, Survey } from '../../core/source.ts';
import type { Checkpoint, RunWindow, SliceRange, StreamConfig } from '../../core/stream.ts';
import type { TableStructure } from '../../core/structure.ts';
import { backBy, parseCursor } from '../shared/cursor-value.ts';
import { addDays, dateAt, daysOf } from '../shared/days.ts';
import { readsAll } from '../shared/key-sample.ts';
import { quoteBackticks } from '../shared/quote.ts';
import { marginOf } from '../shared/rise.ts';
import { boundOf, wallClock, zoneOffset } from '../shared/zones.ts';
import type { Client } from './client.ts';
import { looseEngine } from './describe.ts';
import type { CursorHorizon, CursorKind, Horizon } from './horizon.ts';
import type { CatalogTable } from './catalog.ts';
import { readStructure } from './source-structure.ts';
import { estimatedRows, isKeyType, keyRanges, sampledRanges } from './key-ranges.ts';
import {
  nullCondition,
  type Relation,
  resolveRelation,
  sliceSql,
  whereClause,
  wireFormats,
} from './relation.ts';
import { datedRange } from '../shared/dated-range.ts';
import { findRelation, type Found } from './resolve.ts';
import { expectFormats } from './result-types.ts';
import { describeColumns } from './rows-out.ts';
import type { TypeSettings } from './types.ts';

/** What every survey of one snapshot shares. */
export interface SnapshotFacts {
  horizon: Horizon;
  /** Database that names without one belong to. */
  database: string | undefined;
  types: TypeSettings;
  /** Bytes of a table that one part of a first load covers. */
  partBytes: number;
}

export interface MysqlSurvey extends Survey {
  relation: Relation;
}

export interface SurveyRequest {
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
}

export async function survey(
  client: Client,
  facts: SnapshotFacts,
  request: SurveyRequest,
): Promise<MysqlSurvey> {
  const { stream, checkpoint, window } = request;
  const found = await findRelation(client, stream, facts.database);
  // Those of a view are as old as the view is.
  const stored = found.table?.view === false;
  const relation = resolveRelation({ stream, table: found, stored, settings: facts.types });
  checkReadable(stream, relation, found);
  const sql = sliceSql(relation, { kind: 'all' });
  // What is wrong with `where` is said now, not when everything else has been read.
  expectFormats(stream.name, wireFormats(relation), await describeColumns(client, sql));
  const { table } = found;
  const layout = table ? `${table.created}/${table.primary[0]}` : 'query';
  const days = stream.date
    ? daysOf({
        stream,
        window,
        loaded: checkpoint?.day,
        horizon: facts.horizon,
        type: relation.types[stream.date.column],
      })
    : undefined;
  const dated = datedRange(stream, days);
  return {
    schema: relation.schema,
    relation,
    estimatedRows: dated
      ? await estimatedRows(client, sliceSql(relation, dated))
      : (table?.rows ?? (await estimatedRows(client, sql))),
    estimatedBytes: table?.bytes,
    layout,
    parts: await parts(client, facts, request, { found, relation }),
    catchUp: catchUp(checkpoint, layout, relation),
    // Only a table that is made needs it.
    structure: checkpoint || !table || table.view ? undefined : await structureOf(client, table, relation),
    cursor: relation.cursor ? await cursorFacts(client, facts, request, { found, relation }) : undefined,
    days,
    sql,
  };
}

function structureOf(client: Client, table: CatalogTable, relation: Relation): Promise<TableStructure> {
  const names = new Map(relation.columns.map(({ source, name }) => [source, name]));
  return readStructure(client, table, (column) => names.get(column));
}

/** The server would name the table only. */
function checkReadable(stream: StreamConfig, relation: Relation, found: Found): void {
  const wanted = new Set(relation.columns.map(({ source }) => source));
  const refused = found.columns.filter(({ name, readable }) => wanted.has(name) && !readable);
  if (refused.length === 0) return;
  const names = refused.map(({ name }) => quoteBackticks(name)).join(', ');
  throw new AuthError(`reading ${stream.name}: this account may not read ${names} of ${found.from}`, {
    code: 'mysql.permission',
    remedy: 'GRANT SELECT on the table or on these columns to this account, or leave them out with `columns`',
  });
}

/** By `slice_by`, or where rows lie in the order of a key of whole numbers. */
async function parts(
  client: Client,
  facts: SnapshotFacts,
  { stream, checkpoint }: SurveyRequest,
  { found, relation }: Place,
): Promise<SliceRange[]> {
  if (!readsAll(stream, checkpoint)) return [];
  const { table } = found;
  if (stream.sliceBy)
    return sampledRanges(client, {
      relation,
      columns: stream.sliceBy,
      bytes: relation.where === undefined ? table?.bytes : undefined,
      partBytes: facts.partBytes,
    });
  const column = table?.primary[0];
  if (!table || column === undefined || relation.where !== undefined) return [];
  if (table.engine?.toLowerCase() !== 'innodb' || !isKeyType(relation.types[column])) return [];
  return keyRanges(client, { from: found.from, column, bytes: table.bytes, partBytes: facts.partBytes });
}

/**
 * What has changed since an unfinished load began, in the parts that it has done: rows whose cursor is not below what was
 * safe then. Without a key such a row could not be told from its equals, and without a bound none is left out for sure.
 */
function catchUp(
  checkpoint: Checkpoint | undefined,
  layout: string,
  relation: Relation,
): SliceRange[] | undefined {
  const unfinished = checkpoint?.unfinished;
  if (!unfinished || unfinished.layout !== layout || relation.schema.key.length === 0) return undefined;
  const { safe, floor, late, blocked } = unfinished.horizon as CursorHorizon;
  const since = safe ?? floor;
  if (since === undefined || late || blocked !== undefined) return undefined;
  return unfinished.slices.flatMap(({ id, range }) =>
    unfinished.done.includes(id) && range.kind === 'key' ? [{ ...range, since }] : [],
  );
}

interface Place {
  found: Found;
  relation: Relation;
}

async function cursorFacts(
  client: Client,
  facts: SnapshotFacts,
  request: SurveyRequest,
  { found, relation }: Place,
): Promise<CursorFacts> {
  const { stream, checkpoint } = request;
  const cursor = relation.cursor!;
  checkStored(cursor.names, checkpoint, stream);
  const horizon = await horizonOf(client, facts, stream, relation);
  const since = lookback(facts, stream);
  // Also after a window that the user chose: it left no watermark.
  const first = checkpoint?.watermark === undefined && checkpoint?.high === undefined;
  const from = first ? firstWindow(facts, stream, horizon.kind) : checkpoint.watermark;
  // A value that somebody typed is refused before anything is read, not when the watermark is to rise.
  if (from !== undefined) parseCursor(from, cursor.type);
  const indexed = cursor.names.every((name) => found.table?.indexed.includes(name));
  const high = checkpoint?.high;
  const window: SliceRange = { kind: 'cursor', from: high === undefined ? from : undefined, above: high };
  const probe = indexed && !first;
  // A first load of everything goes by parts, unless small steps are asked for.
  const batched = indexed && (!first || from !== undefined || stream.sliceRows !== undefined);
  const behind: SliceRange = { kind: 'cursor', from, upTo: high, nulls: stream.nullCursor === 'load', since };
  const fresh = probe ? await anyRow(client, relation, whereClause(relation, window)) : undefined;
  const nullRows = cursor.nullable && (indexed ? await anyNull(client, relation) : undefined);
  return {
    from,
    horizon,
    note: noteOf(horizon) ?? looseEngine(found.table),
    indexed,
    fresh,
    overlap:
      probe && high !== undefined ? await anyRow(client, relation, whereClause(relation, behind)) : undefined,
    boundaries: batched && fresh !== false ? await boundaries(client, relation, stream, window) : [],
    estimatedRows:
      first && from === undefined ? undefined : await estimatedRows(client, sliceSql(relation, window)),
    nullRows,
    since,
  };
}

/** A watermark belongs to the columns it was taken from. */
function checkStored(names: string[], checkpoint: Checkpoint | undefined, stream: StreamConfig): void {
  if (!checkpoint || checkpoint.cursor.join() === names.join()) return;
  throw new ConfigError(
    `planning ${stream.name}: it was loaded by cursor "${checkpoint.cursor.join(', ') || 'none'}" and is now configured with "${names.join(', ')}"`,
    {
      code: 'stream.cursor_changed',
      remedy: 'load it once with --full-refresh, or put the old cursor back',
    },
  );
}

async function horizonOf(
  client: Client,
  facts: SnapshotFacts,
  stream: StreamConfig,
  relation: Relation,
): Promise<CursorHorizon> {
  const { horizon } = facts;
  const { type, names, fraction } = relation.cursor!;
  const { cursorZone: zone, overlapSeconds } = stream;
  const kind: CursorKind = { type, zone, fraction, overlapSeconds };
  const safe = boundOf(horizon.oldest, marginOf(horizon, stream.overlapSeconds), kind);
  const column = quoteBackticks(names[0]!);
  const rising = safe === undefined && horizon.quiet && names.length === 1;
  const [top] = rising
    ? await client.query<{ top: string | null }>(
        `SELECT CAST(MAX(${column}) AS CHAR) AS top FROM ${relation.from}`,
      )
    : [];
  return { horizon, kind, safe, blocked: horizon.blocked, late: horizon.late, floor: top?.top ?? undefined };
}

function noteOf({ horizon, kind, blocked }: CursorHorizon): string | undefined {
  if (blocked !== undefined) return blocked;
  if (horizon.blind !== undefined)
    return `${horizon.blind}; so the last ${Math.round(marginOf(horizon, kind.overlapSeconds) / 60)} minutes are read again each time (overlap)`;
  if (horizon.ageSeconds > 5 && horizon.holder !== undefined)
    return `an open transaction or statement since ${horizon.oldest} (${horizon.holder}) keeps the watermark there; rows after it are compared and not loaded twice`;
  const { type, zone } = kind;
  if (zone === undefined && (type.kind === 'date' || (type.kind === 'timestamp' && !type.zone)))
    return 'the cursor has no time zone: half a day is read again each time; cursor_timezone makes it a minute';
  return undefined;
}

function lookback({ horizon }: SnapshotFacts, stream: StreamConfig): CursorFacts['since'] {
  if (!stream.lookback) return undefined;
  const { column, days } = stream.lookback;
  return { column, from: addDays(dateAt(horizon.at, 'UTC'), -days) };
}

/** Where a first run with `first_run` begins, in cursor text. */
function firstWindow({ horizon }: SnapshotFacts, stream: StreamConfig, kind: CursorKind): string | undefined {
  if (stream.firstRunSeconds === undefined) return undefined;
  const { type } = kind;
  if (type.kind !== 'timestamp' && type.kind !== 'date') {
    throw new ConfigError(`planning ${stream.name}: first_run is a time span, but the cursor is a number`, {
      code: 'stream.invalid',
      remedy: 'use `where` to leave old rows out',
    });
  }
  const start = backBy(horizon.at, stream.firstRunSeconds, { kind: 'timestamp', zone: true });
  if (type.kind === 'timestamp' && type.zone) return start;
  const micros = parseCursor(start, { kind: 'timestamp', zone: true });
  return wallClock(micros + zoneOffset(micros, kind.zone ?? horizon.zone), type);
}

async function anyRow(client: Client, relation: Relation, where: string): Promise<boolean> {
  const [row] = await client.query<{ found: string | number }>(
    `SELECT EXISTS (SELECT 1 FROM ${relation.from}${where}) AS found`,
  );
  return Number(row!.found) === 1;
}

function anyNull(client: Client, relation: Relation): Promise<boolean> {
  const where = whereClause(relation, { kind: 'all' }) || ' WHERE true';
  return anyRow(client, relation, `${where} AND ${nullCondition(relation)}`);
}

/** Rows of one micro-batch when nothing is configured: about a file of the lake. */
const SLICE_ROWS = 5_000_000;
const MOST_BOUNDARIES = 1000;

/**
 * Walks the index in steps of the wanted size and notes the cursor value at each step. Only for one cursor column:
 * the order of the greatest of several is in no index.
 */
async function boundaries(
  client: Client,
  relation: Relation,
  stream: StreamConfig,
  window: SliceRange,
): Promise<string[]> {
  const { names, type } = relation.cursor!;
  const size = stream.sliceRows ?? SLICE_ROWS;
  // The estimate may be far off; a wish for small slices is always looked at.
  if (names.length > 1) return [];
  const estimate = await estimatedRows(client, sliceSql(relation, window));
  if (stream.sliceRows === undefined && estimate < size * 1.5) return [];
  const found: string[] = [];
  const column = quoteBackticks(names[0]!);
  const zone = type.kind === 'timestamp' && type.zone ? '+00' : '';
  let range: SliceRange = window;
  while (found.length < MOST_BOUNDARIES) {
    const where = whereClause(relation, range) || ' WHERE true';
    const [row] = await client.query<{ value: string }>(
      `SELECT CAST(${column} AS CHAR) AS value FROM ${relation.from}${where} AND NOT (${nullCondition(relation)}) ORDER BY ${column} LIMIT 1 OFFSET ${Math.trunc(size)}`,
    );
    if (row === undefined) break;
    const value = row.value + zone;
    // More equal values than a slice has rows stay together; the next boundary lies above them.
    const tie = value === found.at(-1);
    // A date such as 2024-00-10 bounds nothing.
    if (!tie && /-00/.test(value)) break;
    if (!tie) found.push(value);
    range = tie ? { kind: 'cursor', above: value } : { kind: 'cursor', from: value };
  }
  return found;
}
