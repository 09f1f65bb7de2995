/** One real MariaDB server per test file, where the machine has one. */
import { afterAll, beforeAll, expect, inject } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { mysqlSession } from '../../guarantees/mysql-session.ts';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import {
  mariadbMissing,
  type MariadbServer,
  type MariadbServerOptions,
  startMariadb,
} from '../../src/testing/mariadb-server.ts';

/** Tests of a file are skipped without it: `describe.runIf(mariadbPresent)`. */
export const mariadbPresent: boolean = mariadbMissing() === undefined;
if (!mariadbPresent) console.log(`skipped: ${mariadbMissing()}`);

export function useMariadb(options: MariadbServerOptions = {}): () => MariadbServer {
  let server: MariadbServer | undefined;
  beforeAll(async () => {
    if (!mariadbPresent) return;
    const { mariadb: template } = inject('templates');
    server = await startMariadb({ ...(template !== undefined && { template }), ...options });
  });
  afterAll(() => server?.stop());
  return () => server!;
}

/** A session of its own; times are shown in UTC, as text. */
export const session: typeof mysqlSession = mysqlSession;

/** A database and a lake. */
export async function mysqlPair(server: MariadbServer, streams: Streams, sql: string): Promise<MysqlPair> {
  const side = await MysqlSide.open(server);
  if (sql !== '') await side.query(sql);
  const named = Object.entries(streams).map(([name, options]) => [
    `${side.database}.${name}`,
    { table: name, ...options },
  ]);
  return new MysqlPair(side, (folder) => new LakeSide(folder), Object.fromEntries(named) as Streams);
}

export class MysqlPair extends Pair<MysqlSide, LakeSide> {
  /** The lake's current rows are those of the source, no more and no fewer, and none is there twice. */
  async expectEqual(table: string): Promise<void> {
    const { lost, extra, doubled } = await this.compare(table);
    expect({ lost, extra, doubled }).toEqual({ lost: [], extra: [], doubled: [] });
  }

  /** Options of the first stream. */
  set options(options: StreamOptions) {
    const [name, before] = Object.entries(this.streams)[0]!;
    this.streams = { [name]: { ...before, ...options } };
  }
}
