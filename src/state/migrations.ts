/** One step of the schema of the SQLite state; its number is its position in the list, from 1. */
export interface Migration {
  title: string;
  sql: string;
}

/**
 * Every step since the first release, in order. A released step is never changed: databases exist that have taken it.
 * All missing steps are taken in one transaction; `PRAGMA user_version` is the number of the last one taken.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    title: 'leases and run history',
    // A released lease stays as a row: its fence must not be handed out again.
    sql: `
      CREATE TABLE lease (
        name TEXT PRIMARY KEY,
        fence INTEGER NOT NULL,
        held INTEGER NOT NULL CHECK (held IN (0, 1)),
        run TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        machine TEXT,
        process_start TEXT,
        ttl_ms INTEGER NOT NULL,
        acquired_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        taken_over INTEGER NOT NULL CHECK (taken_over IN (0, 1))
      ) STRICT;

      CREATE TABLE run (
        run TEXT PRIMARY KEY,
        pipeline TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        record TEXT NOT NULL CHECK (json_valid(record))
      ) STRICT;

      CREATE INDEX run_by_start ON run (started_at, run);
      CREATE INDEX run_by_pipeline ON run (pipeline, started_at, run);
    `,
  },
];
