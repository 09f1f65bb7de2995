/** One real MariaDB server per test file, where the machine has one. */
import mysql, { type Connection } from 'mysql2/promise';
import { afterAll, beforeAll } from 'vitest';
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
    if (mariadbPresent) server = await startMariadb(options);
  });
  afterAll(() => server?.stop());
  return () => server!;
}

/** A session of its own; times are shown in UTC, as text. */
export async function session(url: string): Promise<Connection> {
  const client = await mysql.createConnection({
    uri: url,
    dateStrings: true,
    multipleStatements: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  await client.query(`SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'`);
  return client;
}
