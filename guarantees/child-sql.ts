/** Names for the statements of SQL destinations, at which child-run.ts can stop. */
import { DuckdbTarget } from '../src/connectors/duckdb/target.ts';
import { MysqlTarget } from '../src/connectors/mysql/target.ts';
import { PostgresTarget } from '../src/connectors/postgres/target.ts';
import type { SqlSystem } from '../src/connectors/shared/sql/system.ts';

/** Classes whose sessions are watched. */
export const SQL_SYSTEMS: readonly { prototype: SqlSystem }[] = [PostgresTarget, MysqlTarget, DuckdbTarget];

/** In the order in which they are looked at. */
const STATEMENTS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['begin', /^(BEGIN|START TRANSACTION)/],
  ['alive', /try_advisory_lock|GET_LOCK/],
  ['lock-record', /^SELECT .* FOR UPDATE$/],
  ['note', /^INSERT .*_sluice\W*_?tables/],
  ['pending', /^UPDATE .*_sluice_tables\W+SET pending/],
  ['record-rows', /^UPDATE .*_sluice\W*_?tables/],
  ['stage', /^CREATE TEMPORARY TABLE/],
  ['hidden', /^CREATE TABLE .*load_[0-9a-f]+_/],
  ['create', /^CREATE TABLE/],
  ['index', /^CREATE UNIQUE INDEX/],
  ['key', /ADD (CONSTRAINT|PRIMARY KEY)/],
  ['move', /^ALTER TABLE .* SET SCHEMA/],
  ['rename-table', /^(ALTER TABLE .* RENAME TO|RENAME TABLE)/],
  ['drop-hidden', /^DROP TABLE .*load_[0-9a-f]+_/],
  ['drop', /^DROP TABLE/],
  ['delete-rows', /^DELETE (t )?FROM/],
  // Where one statement changes what is there and adds the rest, that is its name.
  ['update', /^(UPDATE|WITH found AS \(UPDATE)/],
  ['insert', /^INSERT/],
];

const KEPT = new WeakSet<object>();

/**
 * `commit` is the COMMIT that makes rows and record visible; any other one, of a table that was made or of a load aside, is
 * `commit-aside`.
 */
export function statementName(sql: unknown, session: object): string {
  const text = String(sql);
  if (text === 'COMMIT') return KEPT.delete(session) ? 'commit' : 'commit-aside';
  const name = STATEMENTS.find(([, pattern]) => pattern.test(text))?.[0] ?? 'query';
  if (name === 'record-rows') KEPT.add(session);
  return name;
}
