/** Which rows a table of MySQL or MariaDB refuses: a statement that fails there undoes itself, and the transaction goes on. */
import { DataError, type SluiceError } from '../../core/errors.ts';
import { quoteBackticks } from '../shared/quote.ts';
import type { Refusal, RefusalJob, SqlSession, TrialDialect } from '../shared/sql/system.ts';
import { errorNumber } from './errors.ts';
import { merge, versions } from './target-compare.ts';

/** The number of a row: what temporary tables have from the beginning. */
export const ROW = '`_sluice_row`';

export const mysqlTrial: TrialDialect = {
  // Servers of a cluster leave some out.
  numbers: () => ['SET SESSION auto_increment_increment = 1, auto_increment_offset = 1'],
  number: ROW,
  drop: (stage) => `DROP TEMPORARY TABLE ${stage}`,
  refusals,
};

/** Most rows that are tried at a time. */
const MOST = 65_536;
/** Every so many tries more are tried at a time, or fewer. */
const FACTOR = 4;

async function refusals(session: SqlSession, job: RefusalJob): Promise<Refusal[]> {
  const { doing, stage } = job;
  const work = workOf(job);
  const { rows } = await session.query(`SELECT MAX(${ROW}) AS last FROM ${stage}`, doing);
  const last = Number(rows[0]!['last'] ?? 0);
  const found: Refusal[] = [];
  for (let at = 1, step = MOST; at <= last;) {
    const range = ` AND s.${ROW} >= ${at} AND s.${ROW} < ${at + step}`;
    const reason = await refusalOf(
      session,
      work.map((sql) => sql + range),
      doing,
    );
    if (reason !== undefined && step > 1) step /= FACTOR;
    else {
      if (reason !== undefined) found.push({ row: at, reason });
      at += step;
      if (reason === undefined) step = Math.min(step * FACTOR, MOST);
    }
  }
  return found;
}

/** The statements of the load, each with a condition at its end. */
function workOf(job: RefusalJob): string[] {
  if (job.meets === 'rows') {
    const { prepare, add } = merge({ ...job, others: true });
    return [...prepare, add];
  }
  if (job.meets === 'versions') {
    const { changed, replaced, insert } = versions(job);
    return [changed, replaced, insert];
  }
  const { stage, table, columns, staged, stamps } = job;
  const list = columns.filter(({ name }) => staged.has(name)).map(({ name }) => quoteBackticks(name));
  const names = [...list, ...stamps.map(({ column }) => column)].join(', ');
  const values = [...list, ...stamps.map(({ value }) => value)].join(', ');
  return [`INSERT INTO ${table} (${names}) SELECT ${values} FROM ${stage} s WHERE 1 = 1`];
}

/** Undefined when the rows were taken. */
async function refusalOf(
  session: SqlSession,
  statements: readonly string[],
  doing: string,
): Promise<string | undefined> {
  const several = statements.length > 1;
  if (several) await session.query('SAVEPOINT sluice_try', doing);
  try {
    for (const sql of statements) await session.query(sql, doing);
    return undefined;
  } catch (error) {
    if (!isOfRow(error)) throw error;
    if (several) await session.query('ROLLBACK TO SAVEPOINT sluice_try', doing);
    return reasonOf(error, doing);
  }
}

/** Numbers of values that a column does not take. */
const VALUES = [1264, 1265, 1292, 1366, 1406];

function isOfRow(error: unknown): error is SluiceError {
  if (error instanceof DataError) return !error.code.startsWith('data.');
  return VALUES.includes(errorNumber(error) ?? 0);
}

/** Messages of a trigger may have values anywhere. */
function reasonOf(error: SluiceError, doing: string): string {
  return error.code === 'mysql.raised'
    ? 'a trigger raises an error'
    : error.message.slice(`${doing}: `.length);
}
