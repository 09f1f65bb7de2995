/**
 * What may still be written behind our back. A row gets its cursor value (now(), clock_timestamp(), nextval())
 * while its transaction is open, so nothing that is still invisible to a snapshot can lie below the start of the
 * oldest transaction that was open *before* the snapshot was taken. Hence the order: observe, then take the
 * snapshot. Background: pg_stat_activity.xact_start is the start of the transaction, also of one without an xid;
 * pg_locks shows everybody's virtual transactions, also where pg_stat_activity hides their times from our role.
 */
import type pg from 'pg';
import type { LogicalType } from '../../core/types.ts';
import { CATALOG_FIRST } from './session.ts';
import type { RisingCursor } from '../shared/rise.ts';

/** One observation; plain data. Times are the server's, as text in UTC. */
export interface Horizon {
  at: string;
  /** Start of the oldest transaction that may still write, or `at`. */
  oldest: string;
  /** Seconds between the two. */
  ageSeconds: number;
  /** No other transaction was open; see {@link atSnapshot}. */
  quiet: boolean;
  /** Transaction ids below this were given out. */
  nextXid: string;
  /** Rows come when they are replayed, however long after their commit on the primary. */
  replica: boolean;
  /** Some transactions cannot be seen: a replica, or a role without pg_read_all_stats. */
  blind: string | undefined;
  /** Who is the oldest. */
  holder: string | undefined;
  /** Prepared transactions with the relations they have locked for writing; null: not known. */
  prepared: { gid: string; since: string; relations: number[] | null }[];
  /** The session's default time zone. */
  zone: string;
}

/**
 * A role without pg_read_all_stats sees of the sessions of others that they are there, and NULL for the rest, also for
 * backend_type; what autovacuum and the like do belongs to nobody (usesysid). A prepared transaction is known in pg_locks
 * by the lock on its own id; the relations it has locked lie under the same virtual transaction.
 */
const OBSERVE = `
WITH open AS MATERIALIZED (
  SELECT a.pid, a.xact_start, a.usename, a.application_name,
         a.xact_start IS NULL AND (a.query = '<insufficient privilege>' OR a.state = 'disabled' OR a.state IS NULL) AS hidden
    FROM pg_catalog.pg_stat_activity a
   WHERE a.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
     AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL AND a.backend_type IS DISTINCT FROM 'parallel worker'),
held AS MATERIALIZED (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND granted),
oldest AS (SELECT * FROM open WHERE xact_start IS NOT NULL ORDER BY xact_start LIMIT 1)
SELECT (statement_timestamp() AT TIME ZONE 'UTC')::text || '+00' AS at,
       (least((SELECT xact_start FROM oldest), statement_timestamp(),
              CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() END) AT TIME ZONE 'UTC')::text || '+00' AS oldest,
       greatest(0, extract(epoch FROM statement_timestamp() - (SELECT xact_start FROM oldest)))::float8 AS age,
       (SELECT format('pid %s, %s %s', pid, usename, application_name) FROM oldest) AS holder,
       (SELECT count(*) FROM open JOIN held USING (pid) WHERE hidden)::int AS hidden,
       (SELECT count(*) FROM open JOIN held USING (pid))::int AS others,
       (SELECT count(*) FROM open WHERE xact_start IS NOT NULL)::int AS visible,
       txid_snapshot_xmax(txid_current_snapshot())::text AS next_xid,
       pg_is_in_recovery() AS replica, current_setting('TimeZone') AS zone,
       coalesce((SELECT json_agg(json_build_object('gid', p.gid, 'since', p.prepared, 'relations',
           (SELECT coalesce(json_agg(DISTINCT l.relation::int8) FILTER (WHERE l.relation IS NOT NULL AND l.mode IN
                ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')), '[]')
              FROM pg_catalog.pg_locks own JOIN pg_catalog.pg_locks l ON l.virtualtransaction = own.virtualtransaction AND l.pid IS NULL
             WHERE own.pid IS NULL AND own.locktype = 'transactionid' AND own.transactionid = p.transaction
            HAVING count(*) > 0)))
         FROM pg_catalog.pg_prepared_xacts p WHERE p.database = current_database()), '[]') AS prepared`;

/** Looks at all open transactions of the database; outside of a transaction, so that every look is a fresh one. */
export async function observe(client: pg.Client): Promise<Horizon> {
  const { rows } = await client
    .query<ObserveRow>(`${CATALOG_FIRST}; SET LOCAL DateStyle = 'ISO, YMD'; ${OBSERVE}`)
    .then(lastResult);
  const row = rows[0]!;
  return {
    at: row.at,
    oldest: row.oldest,
    ageSeconds: row.age ?? 0,
    quiet: row.others === 0 && row.visible === 0 && row.prepared.length === 0 && !row.replica,
    nextXid: row.next_xid,
    replica: row.replica,
    blind: blindness(row),
    holder: row.holder ?? undefined,
    prepared: row.prepared,
    zone: row.zone,
  };
}

interface ObserveRow {
  at: string;
  oldest: string;
  age: number | null;
  holder: string | null;
  hidden: number;
  others: number;
  visible: number;
  next_xid: string;
  replica: boolean;
  zone: string;
  prepared: Horizon['prepared'];
}

/** pg gives one result per statement of a text with several. */
function lastResult(result: unknown): pg.QueryResult<ObserveRow> {
  return (Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult<ObserveRow>;
}

function blindness(row: ObserveRow): string | undefined {
  if (row.replica) return 'this is a replica: transactions that are open on the primary cannot be seen';
  if (row.hidden > 0)
    return `${row.hidden} open transactions of other roles hide their start (GRANT pg_read_all_stats shows them)`;
  return undefined;
}

/**
 * The observation as it counts for a snapshot that was taken after it. `clock` is the server's time when the snapshot
 * existed: whatever was open at that moment had begun before it. Quiet stays quiet only when no transaction has ended in
 * between: what the snapshot sees was then there at the look, and who was not open at the look draws greater numbers.
 */
export function atSnapshot(horizon: Horizon, snapshot: { nextXid: string; clock: string }): Horizon {
  return { ...horizon, at: snapshot.clock, quiet: horizon.quiet && horizon.nextXid === snapshot.nextXid };
}

/** How a stream's cursor relates to time. */
export interface CursorKind {
  type: LogicalType;
  /** Zone of zone-less values, when the user told. */
  zone: string | undefined;
  /** `xmin`: the bound is that of the snapshot itself. */
  system: boolean;
  /** Margin for clocks of clients and for the moment between a statement's start and its becoming visible to others. */
  overlapSeconds: number | undefined;
  /** The stream's relation and its children; undefined: unknown (views, queries). */
  relations: number[] | undefined;
}

/** What the horizon of one survey says about one cursor; plain data. */
export interface CursorHorizon extends RisingCursor {
  horizon: Horizon;
  kind: CursorKind;
  /** Transactions below this had ended when the snapshot was taken. */
  oldestXid: string;
}

/** Prepared transactions that have written to the stream: their start is not recorded, so they stop the watermark. */
export function blockedBy(horizon: Horizon, relations: number[] | undefined): string | undefined {
  const writes = (locked: number[]): boolean =>
    relations ? locked.some((relation) => relations.includes(relation)) : locked.length > 0;
  const writers = horizon.prepared.filter(
    (prepared) => prepared.relations === null || writes(prepared.relations),
  );
  if (writers.length === 0) return undefined;
  return `the prepared transaction "${writers[0]!.gid}" of ${writers[0]!.since} has written here and keeps the watermark where it is; COMMIT PREPARED or ROLLBACK PREPARED ends it`;
}

/** The zone in which clocks are furthest behind. */
const LEAST_OFFSET = '12 hours';

/**
 * SQL of the bound in the cursor's own type; `$1` is the oldest start, `$2` the margin in seconds. Values without a zone
 * may have been written in any, unless the user said which (`$3`): sessions choose their own.
 */
export function boundSql(kind: CursorKind): { sql: string; zone: string | undefined } | undefined {
  const { type, zone } = kind;
  if (type.kind !== 'timestamp' && type.kind !== 'date') return undefined;
  const start = `($1::timestamptz - make_interval(secs => $2::float8))`;
  if (type.kind === 'timestamp' && type.zone) return { sql: `${start}::text`, zone: undefined };
  const native = type.kind === 'date' ? 'date' : 'timestamp';
  if (zone === undefined)
    return {
      sql: `(${start} AT TIME ZONE 'UTC' - interval '${LEAST_OFFSET}')::${native}::text`,
      zone: undefined,
    };
  // Local time goes back when summer ends: of the offsets of the next hours, the least counts.
  const offset = (hours: number): string =>
    `((${start} + interval '${hours} hours') AT TIME ZONE $3 - (${start} + interval '${hours} hours') AT TIME ZONE 'UTC')`;
  return {
    sql: `(${start} AT TIME ZONE 'UTC' + least(${offset(0)}, ${offset(1)}, ${offset(2)}))::${native}::text`,
    zone,
  };
}
