/** Which rows a table of MySQL or MariaDB refuses: a statement that fails there undoes itself, and the transaction goes on. */
import { DataError, type SluiceError } from '../../core/errors.ts';
import { quoteBackticks } from '../shared/quote.ts';
import { insertSelect } from '../shared/sql/insert-select.ts';
import type { Refusal, RefusalJob, SqlSession, TrialDialect } from '../shared/sql/system.ts';
import { errorNumber } from './errors.ts';
import { IS_VALID, merge, sameKey, valueOf, versions } from './target-compare.ts';

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
/** The row that the server has come to. */
const REACHED = '@sluice_row';

async function refusals(session: SqlSession, job: RefusalJob): Promise<Refusal[]> {
  const { doing, stage, table, key, meets } = job;
  const { rows } = await session.query(`SELECT MAX(${ROW}) AS last FROM ${stage}`, doing);
  const end = Number(rows[0]!['last'] ?? 0) + 1;
  const changes = changesOf(job);
  const broken = await breakingChecks(session, job, changes);
  const changed = await tryRows(session, changes, { doing, end });
  if (meets !== 'nothing') {
    const valid = meets === 'versions' ? ` AND ${IS_VALID}` : '';
    const met = `DELETE s FROM ${stage} s STRAIGHT_JOIN ${table} t WHERE ${sameKey('t', 's', key)}${valid}`;
    await session.query(met, doing);
  }
  const added = await tryRows(session, [insertOf(job)], { doing, end });
  return [...broken, ...changed, ...added].toSorted((a, b) => a.row - b.row);
}

const BROKEN = '`sluice_broken`';

/**
 * Rows that break a CHECK, all at once, taken out of the stage. Its columns are not those of the table, so that the table has the last
 * word: none of these rows is left out unless it refuses all of them. MySQL does not say there which table a CHECK is of.
 */
async function breakingChecks(
  session: SqlSession,
  job: RefusalJob,
  changes: readonly string[],
): Promise<Refusal[]> {
  const { doing, stage, table, key, meets } = job;
  const ask = (sql: string): ReturnType<SqlSession['query']> => session.query(sql, doing);
  const names = [...table.matchAll(/`((?:[^`]|``)*)`/g)].map(([, name = '']) => name.replaceAll('``', '`'));
  const checks = await session
    .query(
      'SELECT CHECK_CLAUSE AS clause FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ?',
      doing,
      names,
    )
    .catch(() => ({ rows: [] }));
  if (checks.rows.length === 0) return [];
  const found: Refusal[] = [];
  await ask(`CREATE TEMPORARY TABLE ${BROKEN} (place BIGINT PRIMARY KEY)`);
  await ask('SAVEPOINT sluice_checks');
  try {
    const met = `DELETE t FROM ${stage} s STRAIGHT_JOIN ${table} t WHERE ${sameKey('t', 's', key)}`;
    for (const sql of meets === 'rows' ? [met] : changes) await ask(sql);
    for (const { clause } of checks.rows) {
      await ask(`DELETE FROM ${BROKEN}`);
      await ask(`INSERT INTO ${BROKEN} SELECT s.${ROW} FROM ${stage} s WHERE (${String(clause)}) IS FALSE`);
      const { rows } = await ask(`SELECT place FROM ${BROKEN} ORDER BY place`);
      if (rows.length === 0) continue;
      const insert = insertOf(job);
      const reason = await refusalOf(
        session,
        [`${insert} AND s.${ROW} = ${Number(rows[0]!['place'])}`],
        doing,
      );
      const among = `s.${ROW} IN (SELECT place FROM ${BROKEN})`;
      const taken = await ask(`${insert.replace('INSERT', 'INSERT IGNORE')} AND ${among}`);
      if (reason === undefined || taken.count > 0) break;
      await ask(`DELETE s FROM ${stage} s WHERE ${among}`);
      found.push(...rows.map(({ place }) => ({ row: Number(place), reason })));
    }
  } catch {
    // Whatever it is, it shows again where rows are tried.
  }
  await ask('ROLLBACK TO SAVEPOINT sluice_checks');
  const rows = found.map(({ row }) => row);
  for (let at = 0; at < rows.length; at += LISTED)
    await ask(`DELETE FROM ${stage} WHERE ${ROW} IN (${rows.slice(at, at + LISTED).join(', ')})`);
  await ask(`DROP TEMPORARY TABLE ${BROKEN}`);
  return found;
}

/** Numbers in one statement. */
const LISTED = 10_000;

interface Trying {
  doing: string;
  /** Behind the last row. */
  end: number;
}

/** Statements of the load, each with a condition at its end. */
async function tryRows(
  session: SqlSession,
  work: readonly string[],
  { doing, end }: Trying,
): Promise<Refusal[]> {
  const found: Refusal[] = [];
  if (work.length === 0) return found;
  const refusal = (from: number, to: number): Promise<string | undefined> => {
    const range = ` AND s.${ROW} >= ${from} AND s.${ROW} < ${to} AND (${REACHED} := s.${ROW}) IS NOT NULL`;
    const statements = work.map((sql) => sql + range);
    return refusalOf(session, statements, doing);
  };
  let stops = true;
  for (let at = 1, step = MOST; at < end;) {
    const to = Math.min(at + step, end);
    const reason = await refusal(at, to);
    if (reason === undefined || to === at + 1) {
      if (reason !== undefined) found.push({ row: at, reason });
      at = to;
      if (stops) step = MOST;
      else if (reason === undefined) step = Math.min(step * FACTOR, MOST);
      continue;
    }
    // Most statements add rows one by one, and stop at the one that is refused; others gather them first.
    const reached: number = stops ? await reachedBy(session, doing) : at;
    stops &&= reached >= at && reached < to && (reached === at || (await refusal(at, reached)) === undefined);
    if (stops) {
      at = reached;
      step = 1;
    } else step = Math.max(1, Math.floor((to - at) / FACTOR));
  }
  return found;
}

async function reachedBy(session: SqlSession, doing: string): Promise<number> {
  const { rows } = await session.query(`SELECT ${REACHED} AS reached`, doing);
  return Number(rows[0]!['reached'] ?? 0);
}

/** What a load does to rows that are there. */
function changesOf(job: RefusalJob): readonly string[] {
  if (job.meets === 'rows') return merge({ ...job, others: true }).prepare;
  if (job.meets === 'nothing') return [];
  const { changed, replaced } = versions(job);
  return [changed, replaced];
}

/** Rows that meet none. */
function insertOf({ stage, table, columns, staged, stamps, meets }: RefusalJob): string {
  const given = meets === 'nothing' ? columns.filter(({ name }) => staged.has(name)) : columns;
  const all = given.map((column) => ({
    column: quoteBackticks(column.name),
    value: valueOf(column, staged),
  }));
  return insertSelect(table, [...all, ...stamps], `${stage} s WHERE 1 = 1`);
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
