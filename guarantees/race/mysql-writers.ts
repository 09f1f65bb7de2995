/** The writers' SQL for MariaDB. */
import { insertSql, type RowDialect, sharedRows, updateSql } from './row-sql.ts';
import { type RaceTable, ZONE } from './tables.ts';
import { type Stamp, type Values } from './transaction.ts';
import type { Writers, WriteStep } from './writers.ts';

const STAMPS: Readonly<Record<Stamp, string>> = {
  // The start of the statement.
  now: 'NOW(6)',
  clock: 'SYSDATE(6)',
  // Shared by many, and never before the transaction began.
  second: 'NOW(0) + INTERVAL 1 SECOND',
};

/** ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, ER_CHECKREAD, ER_XA_RBDEADLOCK */
const CONFLICTS: readonly unknown[] = [1205, 1213, 1020, 1614];

const COLUMNS: Readonly<Record<Exclude<RaceTable['cursor'], 'transaction'>, string>> = {
  instant: 'at TIMESTAMP(6) NULL',
  sparse: 'at TIMESTAMP(6) NULL',
  local: 'at DATETIME(6) NULL',
  day: 'at DATE NULL',
  business: 'at TIMESTAMP(6) NULL, day DATE NULL',
  greatest: 'made TIMESTAMP(6) NULL, at TIMESTAMP(6) NULL',
  number: 'at BIGINT NOT NULL AUTO_INCREMENT UNIQUE',
};

const MYSQL: RowDialect = {
  version: 'NEXTVAL(versions)',
  cursor: cursorSql,
  day: ({ daysAgo }) => `CURRENT_DATE - INTERVAL ${daysAgo} DAY`,
};

/** There is no `xmin`. `name` is one that no other race on the server has: prepared transactions are known to all of it. */
export function mysqlWriters(all: readonly RaceTable[], name: string): Writers {
  const tables = all.filter(({ cursor }) => cursor !== 'transaction');
  const changing = tables.filter((table) => !table.insertOnly);
  /** Whose transaction is one that can be prepared. */
  const distributed = new Set<number>();
  /** Savepoints that are open; one takes the place of another with its name. */
  const depths = new Map<number, number>();
  const depthOf = (writer: number): number => depths.get(writer) ?? 0;
  const end = (writer: number, plain: string, xa: string): string =>
    distributed.delete(writer) ? xa : plain;
  return {
    tables,
    setup: ['CREATE SEQUENCE versions', ...tables.flatMap(createTable)].join(';\n'),
    statement({ writer, action, row }: WriteStep) {
      const xid = `'${name} ${writer}'`;
      switch (action.do) {
        case 'begin':
          depths.set(writer, 0);
          if (action.prepares === true) distributed.add(writer);
          return action.prepares === true ? `XA START ${xid}` : 'BEGIN; SELECT NOW(6)';
        case 'savepoint':
          depths.set(writer, depthOf(writer) + 1);
          return `SAVEPOINT s${depthOf(writer)}`;
        case 'rollback-to':
          return `ROLLBACK TO SAVEPOINT s${depthOf(writer)}`;
        case 'release':
          depths.set(writer, depthOf(writer) - 1);
          return `RELEASE SAVEPOINT s${depthOf(writer) + 1}`;
        case 'commit':
          return end(writer, 'COMMIT', `XA END ${xid}; XA COMMIT ${xid} ONE PHASE`);
        case 'rollback':
          // After a deadlock it has ended already, and has to be rolled back nevertheless.
          return end(writer, 'ROLLBACK', tolerant(`XA END ${xid}`, `XA ROLLBACK ${xid}`));
        case 'prepare':
          return `XA END ${xid}; XA PREPARE ${xid}`;
        case 'commit-prepared':
          distributed.delete(writer);
          return `XA COMMIT ${xid}`;
        case 'rollback-prepared':
          distributed.delete(writer);
          return `XA ROLLBACK ${xid}`;
        case 'insert':
          return tables.map((table) => insertSql(MYSQL, table, { row, values: action.values })).join('; ');
        case 'update':
          // A statement of nothing is an error there.
          return (
            changing.map((table) => updateSql(MYSQL, table, { row, values: action.values })).join('; ') ||
            'DO 0'
          );
        case 'idle':
          return '';
      }
    },
    impatient: 'SET innodb_lock_wait_timeout = 0',
    restrict: (role) => `CREATE USER IF NOT EXISTS ${role}; GRANT ALL ON \`${name}\`.* TO ${role}`,
    isConflict: (error) => CONFLICTS.includes((error as { errno?: number }).errno),
    versions: ({ name: table }) =>
      `SELECT CAST(id AS CHAR) AS id, CAST(ver AS CHAR) AS version FROM ${table}`,
    newer({ name: table }, value) {
      const where = value === undefined ? '' : ` WHERE at > '${value}'`;
      return `SELECT CAST(id AS CHAR) AS id, CAST(ver AS CHAR) AS version, CAST(at AS CHAR) AS at FROM ${table} t${where} ORDER BY t.at`;
    },
  };
}

function tolerant(...statements: string[]): string {
  const each = statements.map(
    (sql) => `BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; ${sql}; END;`,
  );
  return `BEGIN NOT ATOMIC ${each.join(' ')} END`;
}

function createTable(table: RaceTable): string[] {
  const key = table.keyless ? '' : ' PRIMARY KEY';
  const cursor = COLUMNS[table.cursor as keyof typeof COLUMNS];
  const columns = `id BIGINT${key}, ver BIGINT NOT NULL DEFAULT NEXTVAL(versions), ${cursor}`;
  const indexed = table.indexed === true && table.cursor !== 'number' ? ['at'] : [];
  if (table.indexed && table.cursor === 'greatest') indexed.push('made');
  return [
    `CREATE TABLE ${table.name} (${columns}${indexed.map((column) => `, KEY (${column})`).join('')})`,
    ...sharedRows(MYSQL, table),
  ];
}

/** The sessions are in UTC; the server may not know the names of zones. */
function cursorSql(table: RaceTable, { stamp, empty, skew }: Values): string {
  const drawn = STAMPS[stamp];
  switch (table.cursor) {
    case 'sparse':
      return empty ? 'NULL' : drawn;
    case 'local':
      return `CONVERT_TZ(${drawn}, '+00:00', '${offsetOf(ZONE)}')`;
    case 'day':
      return `DATE(${drawn})`;
    default: {
      if (table.skewSeconds === undefined) return drawn;
      return `${drawn} + INTERVAL ${(skew * table.skewSeconds).toFixed(6)} SECOND`;
    }
  }
}

/** `+01:00` */
function offsetOf(zone: string): string {
  const parts = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts();
  return parts.find(({ type }) => type === 'timeZoneName')!.value.slice('GMT'.length) || '+00:00';
}
