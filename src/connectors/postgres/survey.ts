/** Facts about one stream at the moment of the snapshot; asks, never decides. */
import type pg from 'pg';
import { AuthError, ConfigError } from '../../core/errors.ts';
import type { CursorFacts, Survey } from '../../core/source.ts';
import {
  type Checkpoint,
  hasRules,
  type RunWindow,
  type SliceRange,
  type StreamConfig,
} from '../../core/stream.ts';
import type { TableStructure } from '../../core/structure.ts';
import { quoteName } from '../shared/quote.ts';
import { parseCursor } from '../shared/cursor-value.ts';
import { datedRange } from '../shared/dated-range.ts';
import { marginOf, sameTable } from '../shared/rise.ts';
import { delayOf } from './delay.ts';
import { blockedBy, boundSql, type CursorHorizon, type CursorKind, type Horizon } from './horizon.ts';
import { type Relation, resolveRelation, sliceSql } from './relation.ts';
import { overlapOf } from './overlap.ts';
import { catchUp, partsOf } from './parts.ts';
import { anyRow, boundaries, estimateRows } from './probe.ts';
import { findRelation, type Found } from './resolve.ts';
import { readForeignKeys } from './foreign-keys.ts';
import { seenBy, type SeenFacts, unseenFrom } from './seen.ts';
import { type Ask, readStructure } from './structure.ts';

/** What every survey of one snapshot shares. */
export interface SnapshotFacts extends SeenFacts {
  horizon: Horizon;
  serverVersion: number;
  /** The server checks that text is UTF-8. */
  checked: boolean;
  /** Bytes of a table that one part of a first load covers. */
  partBytes: number;
  /** Rows go to another PostgreSQL as they are. */
  direct: boolean;
}

export interface PostgresSurvey extends Survey {
  relation: Relation;
  /** Of a table with a cursor by its own values: what tells it from another one of the same name. */
  identity: string | undefined;
  /** What the snapshot has of it, for the checkpoint. */
  seen: string | undefined;
}

/** Transaction ids go on over all tables of a server. A view made anew usually shows the same tables. */
function identityOf(table: Found['table'], relation: Relation): string | undefined {
  if (!table || !relation.cursor || relation.cursor.system) return undefined;
  return table.kind === 'r' || table.kind === 'p' ? String(table.oid) : undefined;
}

export interface SurveyRequest {
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
}

export async function survey(
  client: pg.Client,
  facts: SnapshotFacts,
  request: SurveyRequest,
): Promise<PostgresSurvey> {
  const { stream } = request;
  const found = await findRelation(client, stream);
  const relation = resolveRelation({
    stream,
    table: { from: found.from, columns: found.columns, key: found.key },
    // What another server sends is not held against the lengths.
    sized: found.table?.kind !== 'f',
    checked: facts.checked,
    nextXid: facts.nextXid,
    // Nobody can look at rows that go as they are.
    direct: facts.direct && !hasRules(stream),
  });
  checkReadable(stream, relation, found);
  const sql = sliceSql(relation, { kind: 'all' });
  const table = found.table;
  const wanted = { stream, checkpoint: request.checkpoint, found, relation, ...facts };
  const { ranges: parts, layout } = await partsOf(client, wanted);
  const identity = identityOf(table, relation);
  const days = stream.date ? await daysOf(client, facts, request, { found, relation, identity }) : undefined;
  const dated = datedRange(stream, days);
  return {
    identity,
    seen: seenBy(facts, { stream, found, relation, identity }),
    schema: relation.schema,
    relation,
    estimatedRows: dated
      ? await estimateRows(client, sliceSql(relation, dated))
      : (table?.rows ?? (await estimateRows(client, sql))),
    estimatedBytes: table?.bytes,
    layout,
    parts,
    catchUp: catchUp(wanted, layout),
    // Only a table that is made needs it.
    structure: request.checkpoint ? undefined : await structureOf(client, found, relation),
    cursor: relation.cursor
      ? await cursorFacts(client, facts, request, { found, relation, identity })
      : undefined,
    days,
    sql,
  };
}

async function structureOf(
  client: pg.Client,
  { table }: Found,
  relation: Relation,
): Promise<TableStructure | undefined> {
  if (table?.kind !== 'r' && table?.kind !== 'p') return undefined;
  const names = new Map(relation.columns.map(({ source, name }) => [source, name]));
  const ask: Ask = async (sql, values) =>
    (await client.query<Record<string, unknown>>(sql, [...values])).rows;
  const fieldOf = (column: string): string | undefined => names.get(column);
  const structure = await readStructure(ask, table.oid, fieldOf);
  return { ...structure, foreignKeys: await readForeignKeys(ask, table.oid, fieldOf) };
}

/** The server would name the table only. */
function checkReadable(stream: StreamConfig, relation: Relation, found: Found): void {
  const wanted = new Set(relation.columns.map(({ source }) => source));
  const refused = found.columns.filter(({ name, readable }) => wanted.has(name) && !readable);
  if (refused.length === 0) return;
  const names = refused.map(({ name }) => quoteName(name)).join(', ');
  throw new AuthError(`reading ${stream.name}: this role may not read ${names} of ${found.from}`, {
    code: 'postgres.permission',
    remedy:
      refused.length === found.columns.length
        ? 'GRANT USAGE on the schema and SELECT on the table to this role'
        : 'GRANT SELECT on the table or on these columns to this role, or leave them out with `columns`',
  });
}

interface Place {
  found: Found;
  relation: Relation;
  identity: string | undefined;
}

async function cursorFacts(
  client: pg.Client,
  facts: SnapshotFacts,
  request: SurveyRequest,
  place: Place,
): Promise<CursorFacts> {
  const { stream } = request;
  const { found, relation } = place;
  const cursor = relation.cursor!;
  checkStored(cursor.names, request.checkpoint, stream);
  const kind: CursorKind = {
    type: cursor.type,
    zone: stream.cursorZone,
    system: cursor.system,
    overlapSeconds: stream.overlapSeconds,
    relations: found.relations,
  };
  const horizon = await horizonOf(client, facts, kind, place);
  const same = sameTable(request.checkpoint, place.identity);
  const checkpoint = same ? request.checkpoint : undefined;
  const since = await lookback(client, stream);
  // Also after a window that the user chose: it left no watermark.
  const first = checkpoint?.watermark === undefined && checkpoint?.high === undefined;
  const from = first ? await firstWindow(client, stream, kind, facts.horizon.zone) : checkpoint.watermark;
  // A value that somebody typed is refused before anything is read, not when the watermark is to rise.
  if (from !== undefined) parseCursor(from, cursor.type);
  if (cursor.system) checkXid(from, facts, stream);
  const indexed = !cursor.system && cursor.names.every((name) => found.table?.indexed.includes(name));
  const high = checkpoint?.high;
  const window: SliceRange = { kind: 'cursor', from: high === undefined ? from : undefined, above: high };
  const probe = indexed && !first;
  // A first load of everything goes by pages, unless small steps are asked for.
  const batched = indexed && (!first || from !== undefined || stream.sliceRows !== undefined);
  const nulls = stream.nullCursor === 'load';
  const behind = { kind: 'cursor', from, upTo: high, nulls, since } as const;
  const fresh = probe ? await anyRow(client, relation, window) : undefined;
  const again = await overlapOf(client, relation, {
    behind: probe && high !== undefined ? behind : undefined,
    fresh,
    nextXid: facts.nextXid,
    unseenFrom: () => unseenFrom(client, facts, { stream, ...place }, checkpoint),
  });
  const nullable = cursor.fields.every((field) => relation.schema.fields[field]!.nullable);
  const nullRows =
    nullable &&
    (indexed
      ? await anyRow(client, relation, { kind: 'all' }, { only: nullCondition(relation) })
      : undefined);
  return {
    from,
    horizon,
    note:
      (same ? undefined : OTHER_TABLE) ?? noteOf(horizon) ?? (await sequenceNote(client, found, relation)),
    indexed,
    fresh,
    ...again,
    boundaries: batched && fresh !== false ? await boundaries(client, relation, stream, window) : [],
    estimatedRows:
      first && from === undefined ? undefined : await estimateRows(client, sliceSql(relation, window)),
    nullRows,
    since,
  };
}

const OTHER_TABLE =
  'another table of this name has taken the place of the one that was loaded: it is read in full and compared; rows that only the old one had stay until --full-refresh';

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

/** Transaction ids start again when a database is restored from a dump or replaced by a logical copy. */
function checkXid(watermark: string | undefined, facts: SnapshotFacts, stream: StreamConfig): void {
  if (watermark === undefined || BigInt(watermark) <= BigInt(facts.nextXid)) return;
  throw new ConfigError(
    `planning ${stream.name}: it was read up to transaction ${watermark}, but this server has only come to ${facts.nextXid}`,
    {
      code: 'postgres.other_server',
      remedy: 'the database was restored or replaced; load the stream once with --full-refresh',
    },
  );
}

async function horizonOf(
  client: pg.Client,
  facts: SnapshotFacts,
  kind: CursorKind,
  { found, relation }: Place,
): Promise<CursorHorizon> {
  const { oldestXid } = facts;
  if (kind.system)
    return { horizon: facts.horizon, kind, safe: oldestXid, blocked: undefined, late: false, oldestXid };
  const delay = await delayOf(client, found, sliceSql(relation, { kind: 'all' }));
  const horizon = { ...facts.horizon, blind: delay ?? facts.horizon.blind };
  const bound = boundSql(kind);
  let safe: string | undefined;
  if (bound) {
    const margin = marginOf(horizon, kind.overlapSeconds);
    const values = [horizon.oldest, margin, ...(bound.zone === undefined ? [] : [bound.zone])];
    safe = (await client.query<{ safe: string }>(`SELECT ${bound.sql} AS safe`, values)).rows[0]!.safe;
  }
  const blocked = blockedBy(horizon, kind.relations);
  return { horizon, kind, safe, blocked, late: horizon.replica || delay !== undefined, oldestXid };
}

function noteOf(cursor: CursorHorizon): string | undefined {
  const { horizon } = cursor;
  if (cursor.blocked !== undefined) return cursor.blocked;
  if (cursor.kind.system) return undefined;
  if (horizon.blind !== undefined)
    return `${horizon.blind}; so the last ${Math.round(marginOf(horizon, cursor.kind.overlapSeconds) / 60)} minutes are read again each time (overlap)`;
  if (horizon.ageSeconds > 5 && horizon.holder)
    return `an open transaction since ${horizon.oldest} (${horizon.holder}) keeps the watermark there; rows after it are compared and not loaded twice`;
  const { type, zone } = cursor.kind;
  if (zone === undefined && (type.kind === 'date' || (type.kind === 'timestamp' && !type.zone)))
    return 'the cursor has no time zone: half a day is read again each time; cursor_timezone makes it a minute';
  return undefined;
}

/** A sequence that hands out numbers in blocks lets a session draw a low number after others drew higher ones. */
async function sequenceNote(
  client: pg.Client,
  found: Found,
  relation: Relation,
): Promise<string | undefined> {
  const cursor = relation.cursor!;
  if (cursor.system || !found.table || !cursor.type.kind.startsWith('int')) return undefined;
  const { rows } = await client.query<{ name: string; cache: string }>(
    `SELECT s.seqrelid::regclass::text AS name, s.seqcache::text AS cache
       FROM pg_catalog.pg_depend d
       JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
       JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid AND a.attname = ANY($2::text[]) AND s.seqcache > 1`,
    [found.table.oid, cursor.names],
  );
  if (!rows[0]) return undefined;
  return `sequence ${rows[0].name} hands out ${rows[0].cache} numbers at a time, so a low number may come late; a timestamp or xmin is a safer cursor`;
}

async function lookback(client: pg.Client, stream: StreamConfig): Promise<CursorFacts['since']> {
  if (!stream.lookback) return undefined;
  const { rows } = await client.query<{ day: string }>('SELECT (current_date - $1::int)::text AS day', [
    stream.lookback.days,
  ]);
  return { column: stream.lookback.column, from: rows[0]!.day };
}

/** Where a first run with `first_run` begins, in cursor text. */
async function firstWindow(
  client: pg.Client,
  stream: StreamConfig,
  kind: CursorKind,
  serverZone: string,
): Promise<string | undefined> {
  if (stream.firstRunSeconds === undefined) return undefined;
  const type = kind.type;
  if (type.kind !== 'timestamp' && type.kind !== 'date') {
    throw new ConfigError(`planning ${stream.name}: first_run is a time span, but the cursor is a number`, {
      code: 'stream.invalid',
      remedy: 'use `where` to leave old rows out',
    });
  }
  const start = `(now() - make_interval(secs => $1::float8))`;
  const zoned = type.kind === 'timestamp' && type.zone;
  const sql = zoned
    ? `${start}::text`
    : `(${start} AT TIME ZONE $2)::${type.kind === 'date' ? 'date' : 'timestamp'}::text`;
  const { rows } = await client.query<{ start: string }>(
    `SELECT ${sql} AS start`,
    zoned ? [stream.firstRunSeconds] : [stream.firstRunSeconds, kind.zone ?? serverZone],
  );
  return rows[0]!.start;
}

function nullCondition(relation: Relation): string {
  return relation.cursor!.expressions.map((expression) => `${expression} IS NULL`).join(' AND ');
}

/** The days that a dated stream loads now: asked for, or all since the last one, by default yesterday. */
async function daysOf(
  client: pg.Client,
  facts: SnapshotFacts,
  request: SurveyRequest,
  { found, relation }: Place,
): Promise<Survey['days']> {
  const { stream, checkpoint, window } = request;
  const zone = stream.date!.zone ?? facts.horizon.zone;
  const today = `(now() AT TIME ZONE $1)::date`;
  const { rows } = await client.query<DayRow>(
    `SELECT day::date::text AS day, (day::date + 1)::text AS next,
            (day::timestamp AT TIME ZONE $1)::text AS from_instant, ((day::timestamp + interval '1 day') AT TIME ZONE $1)::text AS to_instant,
            (day::timestamp + interval '1 day') AT TIME ZONE $1 <= $6::timestamptz - make_interval(secs => $7::float8) AS settled
       FROM generate_series(
         coalesce($2::date, CASE WHEN $4::date IS NOT NULL THEN least($4::date + 1, ${today} - 1) END, CASE WHEN $5::float8 IS NOT NULL THEN (now() AT TIME ZONE $1 - make_interval(secs => $5::float8))::date END, ${today} - 1),
         coalesce($3::date, ${today}) - 1, interval '1 day') AS day ORDER BY day`,
    [
      zone,
      window.from ?? null,
      window.to ?? null,
      checkpoint?.day ?? null,
      stream.firstRunSeconds ?? null,
      facts.horizon.oldest,
      marginOf(facts.horizon, stream.overlapSeconds),
    ],
  );
  const column = relation.columns.find((c) => c.source === stream.date!.column);
  const instant = column?.mapping.type.kind === 'timestamp' && column.mapping.type.zone;
  const blocked = blockedBy(facts.horizon, found.relations) !== undefined;
  return rows.map((row) => ({
    day: row.day,
    from: instant ? row.from_instant : row.day,
    to: instant ? row.to_instant : row.next,
    settled: row.settled && !blocked,
  }));
}

interface DayRow {
  day: string;
  next: string;
  from_instant: string;
  to_instant: string;
  settled: boolean;
}
