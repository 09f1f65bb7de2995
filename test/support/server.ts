/** One real PostgreSQL server per test file. */
import { afterAll, beforeAll, inject } from 'vitest';
import {
  type PostgresServer,
  type PostgresServerOptions,
  startPostgres,
} from '../../src/testing/postgres-server.ts';

let names = 0;

/** For a role or a database: they belong to the server and stay when a test ends, and its second try needs others. */
export function newName(name: string): string {
  return `${name}_${++names}`;
}

/** Starts a server before the tests of a file and stops it after them; call it at the top level. */
export function useServer(options: PostgresServerOptions = {}): () => PostgresServer {
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    // The template was made by the embedded server, and another version does not read it.
    const template = options.binaries === undefined ? { template: inject('templates').postgres } : {};
    server = await startPostgres({ ...template, ...options });
  });
  afterAll(() => server?.stop());
  return () => server!;
}
