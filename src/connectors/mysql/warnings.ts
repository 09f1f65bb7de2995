import type { SourceFacts } from '../../core/source.ts';
import type { Client } from './client.ts';
import { looseEngine } from './describe.ts';
import type { Horizon } from './horizon.ts';

export interface WarningRequest {
  horizon: Horizon;
  /** Databases that are looked at; undefined: all. */
  schemas: string[] | undefined;
  workers: number;
  globalLock: boolean;
}

/** What the user should know of this server before the first run. */
export async function warningsOf(client: Client, request: WarningRequest): Promise<SourceFacts['warnings']> {
  const { horizon } = request;
  const warnings: SourceFacts['warnings'] = [];
  if (horizon.blind !== undefined) {
    warnings.push({
      code: 'mysql.blind',
      message: horizon.blind,
      remedy: 'until then the last hour is read again on every run; `overlap` sets another time',
    });
  }
  if (request.workers > 1 && !(await canReadTogether(client, request.globalLock))) {
    warnings.push({
      code: 'mysql.one_reader',
      message: 'one connection reads everything: nothing lets several see the same moment on this server',
      remedy: client.mariadb
        ? 'turn the binary log on, or GRANT RELOAD ON *.* to this account'
        : 'GRANT RELOAD ON *.* to this account, for a read lock of some milliseconds',
    });
  }
  const loose = await looseTables(client, request.schemas);
  if (loose !== undefined) warnings.push(loose);
  return warnings;
}

async function canReadTogether(client: Client, globalLock: boolean): Promise<boolean> {
  const [row] = await client.query<{ log: string | number }>('SELECT @@GLOBAL.log_bin AS log');
  if (client.mariadb && Number(row!.log) === 1) return true;
  const grants = await client.query<Record<string, string>>('SHOW GRANTS');
  return (
    globalLock &&
    grants.some((grant) =>
      Object.values(grant).some((text) => /\b(ALL PRIVILEGES|RELOAD)\b.* ON \*\.\*/.test(text)),
    )
  );
}

async function looseTables(
  client: Client,
  schemas: string[] | undefined,
): Promise<SourceFacts['warnings'][number] | undefined> {
  const system = ['mysql', 'information_schema', 'performance_schema', 'sys'];
  const rows = await client.query<{ name: string; engine: string }>(
    `SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name, ENGINE AS engine FROM information_schema.TABLES
      WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA ${schemas ? 'IN (?)' : 'NOT IN (?)'} ORDER BY 1`,
    [schemas ?? system],
  );
  const loose = rows.filter(
    (row) => row.engine !== null && looseEngine({ engine: row.engine }) !== undefined,
  );
  if (loose.length === 0) return undefined;
  const names = loose.slice(0, 5).map(({ name, engine }) => `${name} (${engine})`);
  return {
    code: 'mysql.no_transactions',
    message: `${loose.length} tables have no transactions and are read as they are at that moment: ${names.join(', ')}${loose.length > 5 ? ', …' : ''}`,
    remedy: 'ALTER TABLE … ENGINE = InnoDB makes them part of the snapshot',
  };
}
