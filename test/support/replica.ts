/** Two PostgreSQL databases, one a copy of the other. */
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { PostgresServer } from '../../src/testing/postgres-server.ts';

export type Replica = Pair<PostgresSide, PostgresTargetSide>;

export async function openReplica(server: PostgresServer, streams: Streams, sql: string): Promise<Replica> {
  const from = await PostgresSide.open(server);
  await from.db.query(sql);
  const to = await PostgresTargetSide.open(server);
  return new Pair(from, () => to, streams);
}
