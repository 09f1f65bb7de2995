/**
 * Which rows of the overlap a load has had before it already. A checkpoint notes of the snapshot that was read: every
 * transaction below its `xmin` had ended, so a row that carries a lesser number was in view, and was loaded. Only rows of
 * later numbers are compared again, those of savepoints among them, whose numbers are above that of their transaction.
 *
 * That holds while nothing else has changed which rows a read finds. Whatever is not sure of it means that all is compared:
 * another server, a restart or a crash (numbers may be given out twice), a replica, another question, a condition of the
 * user's, which may depend on more than the row, a table or partition whose entry in the catalog was written since, rows
 * hidden from the role, and storage whose rows have no such numbers.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Checkpoint, StreamConfig } from '../../core/stream.ts';
import { type Relation, sliceSql, xminSql } from './relation.ts';
import type { Found } from './resolve.ts';
import { scansOf } from './scans.ts';

/** What the snapshot says of itself. */
export interface SeenFacts {
  nextXid: string;
  /** Transactions below this had ended. */
  oldestXid: string;
  /** Tells a server since its last start or crash, and a database of it; null on a replica. */
  incarnation: string | null;
}

/** What is read, and from where. */
export interface SeenPlace {
  stream: StreamConfig;
  found: Found;
  relation: Relation;
  /** Of a table. */
  identity: string | undefined;
}

/**
 * SQL of {@link SeenFacts.incarnation}. Statistics begin anew after a crash, which need not end the server's main process. A
 * transaction whose commit did not wait for the disk may be gone then, and its number be given to another one.
 */
export const INCARNATION_SQL = `CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN
         extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text || '/' ||
         extract(epoch FROM pg_catalog.pg_stat_get_bgwriter_stat_reset_time())::text || '/' ||
         (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())::text END`;

/** For the checkpoint of a load that has read all that is to be read. */
export function seenBy({ oldestXid, incarnation }: SeenFacts, place: SeenPlace): string | undefined {
  if (incarnation === null || !isTold(place)) return undefined;
  return [oldestXid, incarnation, questionOf(place)].join(' ');
}

/** From which transaction on rows are new to who has read what the checkpoint says; undefined: nothing is sure. */
export async function unseenFrom(
  client: pg.Client,
  facts: SeenFacts,
  place: SeenPlace,
  checkpoint: Checkpoint | undefined,
): Promise<string | undefined> {
  const { found, relation, identity } = place;
  const [xid, ...rest] = checkpoint?.seen?.split(' ') ?? [];
  const now = seenBy(facts, place)?.split(' ').slice(1);
  if (xid === undefined || now === undefined || rest.join(' ') !== now.join(' ')) return undefined;
  if (checkpoint!.relation !== identity || !/^\d+$/.test(xid) || BigInt(xid) > BigInt(facts.nextXid))
    return undefined;
  const scans = await scansOf(client, sliceSql(relation, { kind: 'all' }));
  if (!scans.every((scan) => PLAIN.has(scan['Node Type']))) return undefined;
  const { rows } = await client.query<{ same: boolean }>(unchangedSql(facts.nextXid), [
    found.relations,
    xid,
    identity,
  ]);
  return rows[0]!.same ? xid : undefined;
}

function isTold({ found, relation, identity }: SeenPlace): boolean {
  const own = relation.cursor !== undefined && !relation.cursor.system;
  return own && identity !== undefined && found.relations !== undefined && relation.where === undefined;
}

/** A stream that is configured otherwise may want rows that it has left out. */
function questionOf({ stream, relation }: SeenPlace): string {
  const asked = [sliceSql(relation, { kind: 'all' }), stream.cursor, stream.nullCursor, stream.lookback];
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 16);
}

/** What reads tables of this server itself. Extensions that keep rows elsewhere have nodes of their own. */
const PLAIN = new Set([
  'Append',
  'Bitmap Heap Scan',
  'Bitmap Index Scan',
  'Gather',
  'Gather Merge',
  'Index Only Scan',
  'Index Scan',
  'Merge Append',
  'Result',
  'Seq Scan',
]);

/**
 * Entries of a catalog are rows as well: one that was written before was there when the stream was read, and has been since.
 * Who takes a partition off and puts it back writes another one. A role that may read some columns only has no right to `xmin`.
 */
function unchangedSql(nextXid: string): string {
  const later = (alias: string): string => `${xminSql(nextXid, alias)} >= $2::int8`;
  return `
SELECT pg_catalog.has_column_privilege($3::oid, 'xmin', 'SELECT')
   AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_class c
          WHERE c.oid = ANY($1::oid[])
            AND (c.relrowsecurity OR ${later('c')} OR NOT (c.relkind = 'p' OR (c.relkind = 'r'
                 AND c.relam = (SELECT m.oid FROM pg_catalog.pg_am m WHERE m.amname = 'heap')))))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = ANY($1::oid[]) AND ${later('i')}) AS same`;
}
