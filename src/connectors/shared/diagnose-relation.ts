/**
 * Counts the rows of a relation that have values which a target would change or refuse, and names some of them. All columns
 * are looked at in one scan; the rows are named by a second query, which ends when it has found as many as are wanted.
 */
import type { DiagnoseRequest, Diagnosis, Fate, Finding, Problem, Suspicion } from '../../core/diagnose.ts';
import type { AskRows } from './compare-relation.ts';
import { checksOf, type ColumnChecks, type SourceColumn } from './value-checks.ts';

export interface DiagnosedRelation {
  /** Body of a FROM clause, with its WHERE clause. */
  from: string;
  columns: readonly SourceColumn[];
  key: readonly DiagnosedKey[];
  /** The catalog says that no two rows have the same key. */
  unique: boolean;
  /** As in a {@link CompareDialect}. */
  fence: string;
}

interface DiagnosedKey {
  field: string;
  /** As text, for people. */
  text: string;
  /** Equal where the values are the same to the last bit; NULL for NULL. */
  exact: string;
}

interface Job {
  relation: DiagnosedRelation;
  request: DiagnoseRequest;
  ask: (sql: string) => Promise<readonly unknown[][]>;
  findings: Finding[];
}

/** Statements are run in the order in which they are put to `ask`. */
export async function diagnoseRelation(
  relation: DiagnosedRelation,
  request: DiagnoseRequest,
  { ask, signal }: { ask: AskRows; signal: AbortSignal },
): Promise<Diagnosis> {
  const { columns: limits, unique } = request.target;
  const unknown: Suspicion[] = [];
  const checked = relation.columns
    .map((column) =>
      checksOf(
        column,
        limits.find(({ field }) => field === column.field),
        unknown,
      ),
    )
    .filter(({ checks }) => checks.length > 0);
  const doubles = unique && relation.key.length > 0 && !relation.unique;
  const none = { rows: undefined, partial: false, open: [], unknown, findings: misfits(request, checked) };
  if (!request.scan) return { ...none, open: suspicions(checked, relation, doubles) };
  if ((checked.length === 0 && !doubles) || request.ranges.length === 0) return none;
  const job: Job = { relation, request, ask: (sql) => all(ask, sql, signal), findings: none.findings };
  const rows = checked.length === 0 ? undefined : await scan(job, checked);
  const partial = request.rows !== undefined && (rows ?? 0) >= request.rows;
  // Of some of the rows nobody can tell whether others have their keys.
  if (doubles && partial) unknown.push(...suspicions([], relation, true));
  else if (doubles) await findDoubles(job);
  return { ...none, rows, partial };
}

function misfits({ target }: DiagnoseRequest, checked: readonly ColumnChecks[]): Finding[] {
  const wrong = target.columns.filter(({ misfit }) => misfit !== undefined);
  for (const { field } of wrong) {
    const column = checked.find((each) => each.field === field);
    if (column) column.checks = column.checks.filter(({ fate }) => fate !== 'refused');
  }
  return wrong.map(({ field }) => ({
    fields: [field],
    problem: 'misfit',
    fate: 'refused',
    rows: undefined,
    keys: [],
  }));
}

function suspicions(
  checked: readonly ColumnChecks[],
  { key }: DiagnosedRelation,
  doubles: boolean,
): Suspicion[] {
  const values = checked.flatMap(({ field, checks }) => checks.map(({ problem }) => ({ field, problem })));
  const keys = doubles
    ? [{ field: key.map(({ field }) => field).join(', '), problem: 'duplicate' as const }]
    : [];
  return [...values, ...keys];
}

async function all(ask: AskRows, sql: string, signal: AbortSignal): Promise<readonly unknown[][]> {
  const rows: unknown[][] = [];
  for await (const batch of ask(sql, { many: false, signal })) rows.push(...batch);
  return rows;
}

interface Found {
  column: number;
  /** From 1: the number of the check in its column. */
  nth: number;
  field: string;
  problem: Problem;
  fate: Fate;
  rows: number;
}

/** For each column the number of the first check that is true for its value. */
function classes(
  { relation, request }: Job,
  checked: readonly ColumnChecks[],
  more: readonly string[],
): string {
  const list = checked.map(({ checks }, c) => {
    const cases = checks.map(({ sql }, i) => `WHEN ${sql} THEN ${i + 1}`);
    return `CASE ${cases.join(' ')} ELSE 0 END AS p${c}`;
  });
  const limit = request.rows === undefined ? relation.fence : ` LIMIT ${request.rows}`;
  return `(SELECT ${[...list, ...more].join(', ')} FROM ${relation.from}${limit}) AS v`;
}

/** Returns how many rows were looked at. */
async function scan(job: Job, checked: readonly ColumnChecks[]): Promise<number> {
  const places = checked.flatMap(({ field, checks }, column) =>
    checks.map(({ problem, fate }, i) => ({ column, nth: i + 1, field, problem, fate })),
  );
  const counts = places.map(({ column, nth }) => `, COUNT(CASE WHEN p${column} = ${nth} THEN 1 END)`);
  const sql = `SELECT COUNT(*)${counts.join('')} FROM ${classes(job, checked, [])}`;
  const [totals = []] = await job.ask(sql);
  const found = places
    .map((place, i): Found => ({ ...place, rows: Number(totals[i + 1]) }))
    .filter(({ rows }) => rows > 0);
  const keys = await nameRows(job, checked, found);
  for (const [i, { field, problem, fate, rows }] of found.entries())
    job.findings.push({ fields: [field], problem, fate, rows, keys: keys[i]! });
  return Number(totals[0]);
}

/** For each finding the keys of some of its rows. */
async function nameRows(
  job: Job,
  checked: readonly ColumnChecks[],
  found: readonly Found[],
): Promise<Finding['keys'][]> {
  const { relation, request } = job;
  const { key } = relation;
  if (key.length === 0 || found.length === 0 || request.named === 0) return found.map(() => []);
  const names = key.map((_, i) => `k${i}`).join(', ');
  const texts = key.map(({ text }, i) => `${text} AS k${i}`);
  const queries = found.map(
    ({ column, nth, rows }, i) =>
      `(SELECT ${i} AS finding, ${names} FROM ${classes(job, checked, texts)} WHERE p${column} = ${nth} LIMIT ${Math.min(rows, request.named)})`,
  );
  const rows = await job.ask(queries.join(' UNION ALL '));
  return found.map((_, i) =>
    sorted(rows.filter(([finding]) => Number(finding) === i).map((row) => keyOf(key, row.slice(1)))),
  );
}

function keyOf(key: readonly DiagnosedKey[], values: readonly unknown[]): Record<string, string | null> {
  return Object.fromEntries(key.map(({ field }, i) => [field, values[i] as string | null]));
}

function sorted(keys: Record<string, string | null>[]): Record<string, string | null>[] {
  const text = (key: Record<string, string | null>): string => Object.values(key).join('\0');
  const order = new Intl.Collator('en', { numeric: true });
  return keys.toSorted((a, b) => order.compare(text(a), text(b)));
}

/** Keys that are there more than once. NULLs are equal to each other, as for the loads that refuse such keys. */
async function findDoubles({ relation, request, ask, findings }: Job): Promise<void> {
  const { key, from } = relation;
  const names = key.map((_, i) => `g${i}`).join(', ');
  const exact = key.map(({ exact: sql }, i) => `${sql} AS g${i}`).join(', ');
  const texts = key.map(({ text }, i) => `${text} AS k${i}`).join(', ');
  const shown = key.map((_, i) => `MIN(k${i})`).join(', ');
  const groups = (list: string): string =>
    `SELECT ${list} FROM (SELECT ${exact}, ${texts} FROM ${from}${relation.fence}) AS v GROUP BY ${names} HAVING COUNT(*) > 1`;
  const [totals] = await ask(`SELECT COUNT(*), SUM(n) FROM (${groups('COUNT(*) AS n')}) AS d`);
  if (Number(totals?.[0]) === 0) return;
  const rows = request.named === 0 ? [] : await ask(`${groups(shown)} LIMIT ${request.named}`);
  findings.push({
    fields: key.map(({ field }) => field),
    problem: 'duplicate',
    fate: 'refused',
    rows: Number(totals![1]),
    keys: sorted(rows.map((row) => keyOf(key, row))),
  });
}

/** A WHERE clause for rows of any of some ranges; a range without a condition is everything. */
export function whereAny(where: string | undefined, ranges: readonly (string | undefined)[]): string {
  const known = ranges.filter((range) => range !== undefined);
  const parts = [
    ...(where === undefined ? [] : [`(${where})`]),
    ...(known.length < ranges.length || known.length === 0
      ? []
      : [`(${known.map((range) => `(${range})`).join(' OR ')})`]),
  ];
  return parts.length === 0 ? '' : ` WHERE ${parts.join(' AND ')}`;
}
