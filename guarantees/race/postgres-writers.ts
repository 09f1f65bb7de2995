/** The writers' SQL for PostgreSQL. */
import { insertSql, type RowDialect, sharedRows, updateSql } from './row-sql.ts';
import { type RaceTable, ZONE } from './tables.ts';
import { type Stamp, type Values } from './transaction.ts';
import type { Writers } from './writers.ts';

const STAMPS: Readonly<Record<Stamp, string>> = {
  now: 'now()',
  clock: 'clock_timestamp()',
  // Shared by many, and never before the transaction began.
  second: `date_trunc('second', clock_timestamp()) + interval '1 second'`,
};

/** lock_not_available, deadlock_detected */
const CONFLICTS: readonly string[] = ['55P03', '40P01'];

const COLUMNS: Readonly<Record<RaceTable['cursor'], string>> = {
  instant: 'at timestamptz',
  sparse: 'at timestamptz',
  local: 'at timestamp',
  day: 'at date',
  business: 'at timestamptz, day date',
  greatest: 'made timestamptz, at timestamptz',
  number: 'at int8 GENERATED ALWAYS AS IDENTITY',
  transaction: 'at timestamptz',
};

const POSTGRES: RowDialect = {
  version: 'DEFAULT',
  cursor: cursorSql,
  day: ({ daysAgo }) => `current_date - ${daysAgo}`,
};

/** `name` is one that no other race on the server has: prepared transactions are known to all of it. */
export function postgresWriters(tables: readonly RaceTable[], name: string): Writers {
  const changing = tables.filter((table) => !table.insertOnly);
  return {
    tables,
    // Every version of a row has a number of its own, so that one that is loaded twice shows.
    setup: ['CREATE SEQUENCE versions', ...tables.flatMap(createTable)].join(';\n'),
    statement({ writer, action, row }) {
      const gid = `'${name} ${writer}'`;
      switch (action.do) {
        case 'begin':
          return 'BEGIN; SELECT now()';
        case 'savepoint':
          return 'SAVEPOINT s';
        case 'rollback-to':
          return 'ROLLBACK TO SAVEPOINT s';
        case 'release':
          return 'RELEASE SAVEPOINT s';
        case 'commit':
          return 'COMMIT';
        case 'rollback':
          return 'ROLLBACK';
        case 'prepare':
          return `PREPARE TRANSACTION ${gid}`;
        case 'commit-prepared':
          return `COMMIT PREPARED ${gid}`;
        case 'rollback-prepared':
          return `ROLLBACK PREPARED ${gid}`;
        case 'insert':
          return tables.map((table) => insertSql(POSTGRES, table, { row, values: action.values })).join('; ');
        case 'update':
          return changing
            .map((table) => updateSql(POSTGRES, table, { row, values: action.values }))
            .join('; ');
        case 'idle':
          return '';
      }
    },
    impatient: `SET lock_timeout = '50ms'`,
    restrict: (role) =>
      `DO $$ BEGIN CREATE ROLE ${role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
       GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role}`,
    isConflict: (error) => CONFLICTS.includes((error as { code?: string }).code ?? ''),
    versions: ({ name: table }) => `SELECT id::text, ver::text AS version FROM ${table}`,
    newer({ name: table }, value) {
      const where = value === undefined ? '' : ` WHERE at > '${value}'`;
      return `SELECT id::text, ver::text AS version, at::text FROM ${table}${where} ORDER BY at NULLS FIRST`;
    },
  };
}

function createTable(table: RaceTable): string[] {
  const key = table.keyless ? '' : ' PRIMARY KEY';
  const columns = `id int8${key}, ver int8 NOT NULL DEFAULT nextval('versions'), ${COLUMNS[table.cursor]}`;
  return [
    `CREATE TABLE ${table.name} (${columns})`,
    ...(table.indexed ? [`CREATE INDEX ON ${table.name} (at)`] : []),
    ...(table.indexed && table.cursor === 'greatest' ? [`CREATE INDEX ON ${table.name} (made)`] : []),
    ...sharedRows(POSTGRES, table),
  ];
}

function cursorSql(table: RaceTable, { stamp, empty, skew }: Values): string {
  const drawn = STAMPS[stamp];
  switch (table.cursor) {
    case 'sparse':
      return empty ? 'NULL' : drawn;
    case 'local':
      return `(${drawn}) AT TIME ZONE '${ZONE}'`;
    case 'day':
      return `((${drawn}) AT TIME ZONE 'UTC')::date`;
    default: {
      if (table.skewSeconds === undefined) return drawn;
      return `${drawn} + make_interval(secs => ${(skew * table.skewSeconds).toFixed(6)})`;
    }
  }
}
