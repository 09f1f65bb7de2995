/**
 * What may still be written behind our back. NOW() is the start of a *statement* here, so a row gets its cursor value while
 * its statement or its transaction is open, and nothing that is still invisible to a snapshot can lie below the start of the
 * oldest of both, as they were *before* the snapshot was taken. Hence the order: the clock, the statements under way, the
 * transactions, then the snapshot. A statement that ends between the two looks has either committed, and the snapshot sees
 * it, or is among the transactions; one that begins after the first look is younger than the clock.
 *
 * INNODB_TRX knows when a transaction first touched InnoDB, which is after the start of the statement that did: by as long
 * as that statement waited for the metadata of its tables. The margin (a minute, or `overlap`) has to cover that.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogicalType } from '../../core/types.ts';
import { backBy, greaterCursor, lesserCursor } from '../shared/cursor-value.ts';
import type { RisingCursor } from '../shared/rise.ts';
import type { Client } from './client.ts';
import { errorNumber } from './errors.ts';
import { replicationOf } from './replication.ts';

/** One observation; plain data. Times are the server's, as text in UTC. */
export interface Horizon {
  at: string;
  /** Start of the oldest statement or transaction that may still write, or `at`. */
  oldest: string;
  /** Seconds between the two. */
  ageSeconds: number;
  /** Nothing else was open; see {@link atSnapshot}. */
  quiet: boolean;
  /** InnoDB's counter of transactions that write; undefined: not known. */
  counter: string | undefined;
  /** Rows come when they are replayed, however long after their commit where they were written. */
  late: boolean;
  /** Some transactions cannot be seen: a replica, a cluster, or an account without PROCESS. */
  blind: string | undefined;
  /** Who is the oldest. */
  holder: string | undefined;
  /** Prepared transactions whose start is not known stop every watermark. */
  blocked: string | undefined;
  /** The server's default time zone, a name or an offset such as +02:00. */
  zone: string;
}

const INSTANT: LogicalType = { kind: 'timestamp', zone: true };

/** `own` are ids of connections of ours. Leaves no transaction behind. */
export async function observe(client: Client, own: readonly number[]): Promise<Horizon> {
  const counter = await writeCounter(client);
  const zone = await serverZone(client);
  const [now] = await client.query<{ at: string }>(`SELECT CONCAT(UTC_TIMESTAMP(6), '+00') AS at`);
  const { at } = now!;
  const statements = await runningStatements(client, own);
  const transactions = await openTransactions(client, own);
  const prepared = await preparedTransactions(client, transactions);
  const replication = await replicationOf(client, statements.replicating, transactions.visible);
  const writers = [
    ...statements.running.filter(({ id }) => !transactions.readOnly.has(id)),
    ...transactions.open,
  ].sort((a, b) => b.ageSeconds - a.ageSeconds);
  const oldest = writers[0];
  const start = oldest ? backBy(at, oldest.ageSeconds, INSTANT) : at;
  const blind = transactions.blind ?? replication.blind;
  return {
    at,
    oldest: lesserCursor(at, start, INSTANT),
    ageSeconds: oldest?.ageSeconds ?? 0,
    quiet: writers.length === 0 && prepared === undefined && blind === undefined && !replication.late,
    counter,
    late: replication.late,
    blind,
    holder: oldest?.who,
    blocked: prepared,
    zone,
  };
}

/**
 * The observation as it counts for a snapshot that was taken after it: whatever was open at that moment had begun before
 * `clock`. Quiet stays quiet only when nobody has begun to write in between.
 */
export async function atSnapshot(client: Client, horizon: Horizon): Promise<Horizon> {
  const [row] = await client.query<{ clock: string }>(`SELECT CONCAT(UTC_TIMESTAMP(6), '+00') AS clock`);
  const counter = horizon.quiet ? await writeCounter(client) : undefined;
  const quiet = horizon.quiet && counter !== undefined && counter === horizon.counter;
  return { ...horizon, at: greaterCursor(row!.clock, horizon.at, INSTANT)!, quiet };
}

interface Writer {
  id: number;
  ageSeconds: number;
  who: string;
}

/** Sessions that do not run a statement of a client. */
const IDLE = /^(sleep|daemon|binlog dump.*|slave.*|killed)$/i;

/** Without PROCESS the server shows those of our own account only. */
async function runningStatements(
  client: Client,
  own: readonly number[],
): Promise<{ running: Writer[]; replicating: boolean }> {
  const age = client.mariadb ? 'TIME_MS / 1000' : 'TIME + 1';
  const rows = await client.query<{ id: string; user: string; command: string; age: string | null }>(
    `SELECT ID AS id, USER AS user, COMMAND AS command, ${age} AS age FROM information_schema.PROCESSLIST`,
  );
  const others = rows.filter(({ id }) => !own.includes(Number(id)));
  const system = /^(system user|event_scheduler|unauthenticated user)$/;
  return {
    running: others
      .filter(({ command, user }) => !IDLE.test(command) && !system.test(user))
      .map(({ id, user, age: seconds }) => ({
        id: Number(id),
        // The clock was read a moment before: rounding to the earlier side costs nothing.
        ageSeconds: Math.max(0, Number(seconds ?? 0)) + 0.01,
        who: `connection ${id}, ${user}`,
      })),
    replicating: others.some(({ user, command }) => user === 'system user' && command !== 'Daemon'),
  };
}

interface OpenTransactions {
  open: Writer[];
  /** Connections whose transaction cannot write. */
  readOnly: ReadonlySet<number>;
  /** Without PROCESS nobody's transactions are visible. */
  visible: boolean;
  blind: string | undefined;
  /** Start of the oldest one that belongs to no connection, in seconds since the server's start. */
  detached: { count: number; afterStart: number } | undefined;
}

const MISSING_PRIVILEGE = 1227;
/** INNODB_TRX is a copy that is made anew only when nobody has read it for a tenth of a second. */
const CACHE_MS = 120;
const TRIES = 10;

interface TransactionRow {
  thread: string;
  read_only: string | number;
  age: string | null;
  after_start: string | null;
  query: string | null;
}

/**
 * Times of INNODB_TRX are in the system's zone, whatever that of the session is; in the hour that is twice when summer ends
 * the earlier reading counts. The copy is fresh when it holds our own transaction with the very statement that asks.
 */
async function openTransactions(client: Client, own: readonly number[]): Promise<OpenTransactions> {
  const none = { open: [], readOnly: new Set<number>(), detached: undefined };
  await client.query('SET SESSION time_zone = SYSTEM');
  try {
    await client.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const mark = randomUUID();
      const started =
        'LEAST(UNIX_TIMESTAMP(trx_started), UNIX_TIMESTAMP(trx_started - INTERVAL 1 HOUR) + 3600)';
      const rows = await client.query<TransactionRow>(
        `SELECT /* ${mark} */ trx_mysql_thread_id AS thread, trx_is_read_only AS read_only, UNIX_TIMESTAMP(SYSDATE(6)) - ${started} AS age,
                ${started} - (UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM ${statusTable(client)} WHERE VARIABLE_NAME = 'Uptime')) AS after_start,
                trx_query AS query FROM information_schema.INNODB_TRX`,
      );
      if (rows.some(({ query }) => query?.includes(mark))) return toOpen(rows, own);
      await sleep(CACHE_MS);
    }
    return {
      ...none,
      visible: true,
      blind: "the server's list of transactions is out of date: others keep reading it",
    };
  } catch (error) {
    if (errorNumber(error) !== MISSING_PRIVILEGE) throw error;
    return { ...none, visible: false, blind: BLIND };
  } finally {
    if (client.alive) {
      await client.query('ROLLBACK');
      await client.query(`SET SESSION time_zone = '+00:00'`);
    }
  }
}

const BLIND = 'transactions of other accounts cannot be seen (GRANT PROCESS ON *.* shows them)';

function statusTable(client: Client): string {
  return client.mariadb ? 'information_schema.GLOBAL_STATUS' : 'performance_schema.global_status';
}

function toOpen(rows: TransactionRow[], own: readonly number[]): OpenTransactions {
  const others = rows.filter(({ thread }) => !own.includes(Number(thread)));
  const writers = others.filter((row) => Number(row.read_only) === 0);
  const detached = others.filter(({ thread }) => Number(thread) === 0);
  return {
    open: writers.map(({ thread, age }) => ({
      id: Number(thread),
      ageSeconds: Math.max(0, Number(age ?? 0)),
      who: Number(thread) === 0 ? 'a prepared transaction' : `connection ${thread}`,
    })),
    readOnly: new Set(
      others.filter((row) => Number(row.read_only) === 1).map(({ thread }) => Number(thread)),
    ),
    visible: true,
    blind: undefined,
    detached: {
      count: detached.length,
      afterStart: Math.min(...detached.map((row) => Number(row.after_start ?? 0))),
    },
  };
}

/** Seconds after its start for which the server may still recover transactions. */
const RECOVERY_SECONDS = 60;

/** A prepared transaction (XA) that came through a restart has the time of the restart for its start. */
async function preparedTransactions(client: Client, open: OpenTransactions): Promise<string | undefined> {
  const { detached } = open;
  let names: string[] = [];
  try {
    const rows = await client.query<{ data: string }>('XA RECOVER');
    names = rows.map(({ data }) => data);
  } catch {
    // MySQL 8 shows them to those with XA_RECOVER_ADMIN only.
  }
  const recovered = detached && detached.count > 0 && detached.afterStart < RECOVERY_SECONDS;
  const unseen = names.length > 0 && (detached === undefined || open.open.length === 0);
  if (!recovered && !unseen) return undefined;
  const name = names[0] === undefined ? 'a prepared transaction' : `the prepared transaction "${names[0]}"`;
  return `${name} may have written here at any time and keeps the watermark where it is; XA COMMIT or XA ROLLBACK ends it`;
}

/** InnoDB gives a number to every transaction when it first writes. */
async function writeCounter(client: Client): Promise<string | undefined> {
  try {
    const [row] = await client.query<{ Status: string }>('SHOW ENGINE INNODB STATUS');
    return /Trx id counter (\w+)/.exec(row!.Status)?.[1];
  } catch (error) {
    if (errorNumber(error) === MISSING_PRIVILEGE) return undefined;
    throw error;
  }
}

/** A name where the server has one; else the offset that its clock has now. */
async function serverZone(client: Client): Promise<string> {
  const [row] = await client.query<{ zone: string }>('SELECT @@GLOBAL.time_zone AS zone');
  const { zone } = row!;
  if (/^[A-Za-z_]+\/|^UTC$/.test(zone)) return zone;
  if (/^[+-]\d\d:\d\d$/.test(zone)) return zone;
  await client.query('SET SESSION time_zone = @@GLOBAL.time_zone');
  const [shift] = await client.query<{ minutes: string | number }>(
    'SELECT ROUND(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()) / 60) AS minutes',
  );
  await client.query(`SET SESSION time_zone = '+00:00'`);
  const minutes = Number(shift!.minutes);
  const two = (n: number): string => String(Math.trunc(n)).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** How a stream's cursor relates to time. */
export interface CursorKind {
  type: LogicalType;
  /** Zone of zone-less values, when the user told. */
  zone: string | undefined;
  /** Digits after the second that the column keeps. */
  fraction: number;
  overlapSeconds: number | undefined;
}

/** What the horizon of one survey says about one cursor; plain data. */
export interface CursorHorizon extends RisingCursor {
  horizon: Horizon;
  kind: CursorKind;
  /** For numbers: the greatest value when nobody else was writing; all that comes later is above it. */
  floor: string | undefined;
}
