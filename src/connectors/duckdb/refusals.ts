/**
 * Which rows a table of a DuckDB file refuses. An error ends the transaction there, so nothing is tried: what the table asks of
 * its rows is asked of all of them at once.
 */
import { duckName, duckText } from '../../duckdb/types.ts';
import type { Refusal, RefusalJob, SqlResult, SqlSession, TrialDialect } from '../shared/sql/system.ts';
import { sameKey } from './target-rows.ts';

/** The number of a row. */
const NUMBER = 'sluice_row';
const COUNTER = 'sluice_numbers';

export const duckdbTrial: TrialDialect = {
  // Rows come from one thread, in their order.
  numbers: (stage) => [
    `CREATE OR REPLACE TEMPORARY SEQUENCE ${COUNTER}`,
    `ALTER TABLE ${stage} ADD COLUMN ${NUMBER} BIGINT DEFAULT nextval('${COUNTER}')`,
  ],
  number: NUMBER,
  drop: (stage) => `DROP TABLE ${stage}`,
  refusals,
};

const REFUSED = 'sluice_refused';
const DOUBLES = 'sluice_same';
const PLACE = '_sluice_place';

type Ask = (sql: string) => Promise<SqlResult>;

/** What a table asks of its rows; `parts` and `referred` are SQL. */
type Rule = { reason: string } & (
  | { kind: 'check'; expression: string }
  | { kind: 'type'; name: string; type: string }
  | { kind: 'unique'; parts: string[] }
  | { kind: 'refers'; parts: string[]; to: string; referred: string[] }
);

async function refusals(session: SqlSession, job: RefusalJob): Promise<Refusal[]> {
  const { stage, table, key, meets } = job;
  const ask: Ask = (sql) => session.query(sql, job.doing);
  if (meets !== 'nothing')
    await ask(`DELETE FROM ${table} t USING ${stage} s WHERE ${sameKey('t', 's', key)}`);
  await ask(`CREATE TEMPORARY TABLE ${REFUSED} (place BIGINT, reason VARCHAR)`);
  await ask(`CREATE TEMPORARY TABLE ${DOUBLES} (place BIGINT, earlier BIGINT, reason VARCHAR)`);
  const rules = await rulesOf(ask, job);
  const rows = await rowsOf(ask, job);
  for (const rule of rules)
    await ask(
      `INSERT INTO ${REFUSED} SELECT ${PLACE}, ${duckText(rule.reason)} FROM (${placesOf(rule, { rows, table, stage })})`,
    );
  const unique = rules.filter((rule) => rule.kind === 'unique');
  while (unique.length > 0 && (await takeDoubles(ask, unique, rows)) > 0);
  if (job.goesOn) {
    const names = [...staged(job), ...job.stamps.map(({ column }) => column)].join(', ');
    await ask(`INSERT INTO ${table} (${names}) SELECT ${names} FROM ${rows}`);
  }
  const found = await ask(`SELECT place, reason FROM ${REFUSED} ORDER BY place`);
  await ask(`DROP TABLE ${REFUSED}; DROP TABLE ${DOUBLES}`);
  return found.rows.map(({ place, reason }) => ({ row: Number(place), reason: String(reason) }));
}

/** Rows that break a rule whatever the others are. */
function placesOf(
  rule: Rule,
  { rows, table, stage }: { rows: string; table: string; stage: string },
): string {
  switch (rule.kind) {
    case 'type':
      return `SELECT ${NUMBER} AS ${PLACE} FROM ${stage} WHERE ${rule.name} IS NOT NULL AND TRY_CAST(${rule.name} AS ${rule.type}) IS NULL`;
    case 'check':
      return `SELECT ${PLACE} FROM ${rows} WHERE (${rule.expression}) IS FALSE`;
    case 'unique':
      return `SELECT ${PLACE} FROM (${keysOf(rule.parts, rows, PLACE)}) SEMI JOIN (${keysOf(rule.parts, table)}) USING (k)`;
    case 'refers':
      return `SELECT ${PLACE} FROM (${keysOf(rule.parts, rows, PLACE)}) ANTI JOIN (${keysOf(rule.referred, rule.to)}) USING (k)`;
  }
}

/** Those without a NULL, which is like no other. */
function keysOf(parts: readonly string[], from: string, ...more: readonly string[]): string {
  const whole = parts.map((part) => `(${part}) IS NOT NULL`).join(' AND ');
  return `SELECT ${[...more, `row(${parts.join(', ')}) AS k`].join(', ')} FROM ${from} WHERE ${whole}`;
}

/**
 * Refuses rows that equal an earlier one which is sure to stay, and counts them. Others that equal an earlier one may fit once
 * that is refused.
 */
async function takeDoubles(
  ask: Ask,
  unique: readonly Extract<Rule, { kind: 'unique' }>[],
  rows: string,
): Promise<number> {
  await ask(`DELETE FROM ${DOUBLES}`);
  for (const { parts, reason } of unique)
    await ask(
      `INSERT INTO ${DOUBLES} SELECT ${PLACE}, earlier, ${duckText(reason)} FROM (
         SELECT ${PLACE}, min(${PLACE}) OVER (PARTITION BY k) AS earlier FROM (${keysOf(parts, rows, PLACE)})) WHERE earlier < ${PLACE}`,
    );
  const { count } = await ask(
    `INSERT INTO ${REFUSED} SELECT place, any_value(reason) FROM ${DOUBLES}
      WHERE earlier NOT IN (SELECT place FROM ${DOUBLES}) GROUP BY place`,
  );
  return count;
}

function staged(job: RefusalJob): string[] {
  return job.columns.filter(({ name }) => job.staged.has(name)).map(({ name }) => duckName(name));
}

/** Rows of the stage that are not refused yet, with all columns of the table. */
async function rowsOf(ask: Ask, job: RefusalJob): Promise<string> {
  const { stage, stamps } = job;
  const marks = new Map(stamps.map(({ column, value }) => [column, value]));
  const { rows } = await ask(
    `SELECT '=' || column_name AS name, data_type AS type, column_default AS value FROM duckdb_columns() WHERE ${its(job.table)} ORDER BY column_index`,
  );
  const list = rows.map((row) => {
    const plain = String(row['name']).slice(1);
    const name = duckName(plain);
    const given = job.staged.has(plain)
      ? name
      : (marks.get(plain) ?? (row['value'] as string | null) ?? 'NULL');
    return `TRY_CAST(${given} AS ${String(row['type'])}) AS ${name}`;
  });
  return `(SELECT ${NUMBER} AS ${PLACE}, ${list.join(', ')} FROM ${stage} WHERE ${NUMBER} NOT IN (SELECT place FROM ${REFUSED}))`;
}

async function rulesOf(ask: Ask, job: RefusalJob): Promise<Rule[]> {
  const { table } = job;
  const types = await ask(
    `SELECT '=' || column_name AS name, data_type AS type FROM duckdb_columns() WHERE ${its(table)}`,
  );
  const typeOf = new Map(types.rows.map(({ name, type }) => [String(name).slice(1), String(type)]));
  const narrower = job.columns.filter(({ name, type }) => job.staged.has(name) && typeOf.get(name) !== type);
  const { rows: constraints } = await ask(
    `SELECT constraint_type AS kind, expression, constraint_column_names AS parts, referenced_table AS refers, referenced_column_names AS referred
       FROM duckdb_constraints() WHERE ${its(table)} AND constraint_type <> 'NOT NULL' ORDER BY constraint_index`,
  );
  const { rows: indexes } = await ask(
    `SELECT index_name AS name, CAST(expressions AS VARCHAR[]) AS parts FROM duckdb_indexes() WHERE ${its(table)} AND is_unique AND NOT is_primary ORDER BY 1`,
  );
  return [
    ...narrower.map(({ name }): Rule => {
      const type = typeOf.get(name)!;
      return { kind: 'type', reason: `${name} is no ${type}`, name: duckName(name), type };
    }),
    ...constraints.map((constraint) => ruleOf(table, constraint)),
    ...indexes.map(({ name, parts }): Rule => {
      const reason = `another row has its place in index "${String(name)}"`;
      return { kind: 'unique', reason, parts: parts as string[] };
    }),
  ];
}

function sharing(names: readonly string[]): string {
  return `another row has its ${names.join(', ')}`;
}

function ruleOf(table: string, constraint: Record<string, unknown>): Rule {
  const { kind, expression, parts, refers, referred } = constraint;
  const names = parts as string[];
  if (kind === 'CHECK')
    return { kind: 'check', reason: `it breaks CHECK ${String(expression)}`, expression: String(expression) };
  if (kind !== 'FOREIGN KEY') return { kind: 'unique', reason: sharing(names), parts: names.map(duckName) };
  return {
    kind: 'refers',
    reason: `table "${String(refers)}" has no row with its ${names.join(', ')}`,
    parts: names.map(duckName),
    to: [...namesOf(table).slice(0, 2), String(refers)].map(duckName).join('.'),
    referred: (referred as string[]).map(duckName),
  };
}

function namesOf(table: string): string[] {
  return [...table.matchAll(/"((?:[^"]|"")*)"/g)].map(([, name = '']) => name.replaceAll('""', '"'));
}

/** What the catalog's functions show of a table. */
function its(table: string): string {
  const [database = '', schema = '', name = ''] = namesOf(table);
  return `database_name = ${duckText(database)} AND schema_name = ${duckText(schema)} AND lower(table_name) = lower(${duckText(name)})`;
}
