/** Which rows a table refuses, found in the server: a trip for each of them would cost more than the load. */
import { quoteName, quoteText } from '../shared/quote.ts';
import { insertSelect } from '../shared/sql/insert-select.ts';
import type { Refusal, RefusalJob, SqlSession, TrialDialect } from '../shared/sql/system.ts';

/** Most rows that are tried at a time. */
const MOST = 65_536;
/** Every so many tries more are tried at a time, or fewer. */
const FACTOR = 4;

/** The number of a row. */
const ROW = 'sluice_row';

export const postgresTrial: TrialDialect = {
  numbers: (stage) => [`ALTER TABLE ${stage} ADD COLUMN ${ROW} bigint GENERATED ALWAYS AS IDENTITY`],
  number: ROW,
  drop: (stage) => `DROP TABLE ${stage}`,
  refusals,
};

async function refusals(session: SqlSession, job: RefusalJob): Promise<Refusal[]> {
  const ask = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await session.query(sql, job.doing)).rows;
  await ask('CREATE TEMPORARY TABLE sluice_refused (row bigint, reason text)');
  await ask(`DO LANGUAGE plpgsql ${quoteText(bodyOf(job))}`);
  const rows = await ask('SELECT row, reason FROM sluice_refused ORDER BY row');
  await ask('DROP TABLE sluice_refused');
  return rows.map(({ row, reason }) => ({ row: Number(row), reason: String(reason) }));
}

function bodyOf({ stage, table, columns, staged, meets, stamps, key }: RefusalJob): string {
  const list = columns.filter(({ name }) => staged.has(name)).map(({ name }) => quoteName(name));
  const all = [...list.map((column) => ({ column, value: column })), ...stamps];
  const range = `s.${ROW} >= sluice_at AND s.${ROW} < sluice_at + sluice_step`;
  const same = key.map(({ name }) => `t.${quoteName(name)} = s.${quoteName(name)}`).join(' AND ');
  // Rows that are to be replaced refuse nothing.
  const replaced = meets !== 'nothing' ? `DELETE FROM ${table} t USING ${stage} s WHERE ${same};` : '';
  return `#variable_conflict use_variable
DECLARE
  sluice_at bigint := 1; sluice_step bigint := ${MOST}; sluice_last bigint; sluice_state text; sluice_message text;
  sluice_check record;
BEGIN
  FOR sluice_check IN ${checksOf(table)} LOOP
    BEGIN
      EXECUTE pg_catalog.format(${quoteText(`WITH gone AS (DELETE FROM ${stage.replaceAll('%', '%%')} WHERE (%s) IS FALSE RETURNING ${ROW}) INSERT INTO sluice_refused SELECT ${ROW}, %L FROM gone`)},
        sluice_check.expression, sluice_check.reason);
    EXCEPTION WHEN others THEN NULL;
    END;
  END LOOP;
  IF EXISTS (SELECT 1 FROM sluice_refused) THEN RETURN; END IF;
  CREATE UNIQUE INDEX ON ${stage} (${ROW});
  ANALYZE ${stage} (${ROW});
  ${replaced}
  SELECT max(${ROW}) INTO sluice_last FROM ${stage};
  WHILE sluice_at <= sluice_last LOOP
    BEGIN
      ${insertSelect(table, all, `${stage} s WHERE ${range}`)};
      sluice_at := sluice_at + sluice_step;
      sluice_step := least(sluice_step * ${FACTOR}, ${MOST});
    EXCEPTION WHEN integrity_constraint_violation OR data_exception OR raise_exception THEN
      IF sluice_step > 1 THEN
        sluice_step := sluice_step / ${FACTOR};
      ELSE
        GET STACKED DIAGNOSTICS sluice_state = RETURNED_SQLSTATE, sluice_message = MESSAGE_TEXT;
        INSERT INTO sluice_refused VALUES (sluice_at, ${REASON});
        sluice_at := sluice_at + 1;
      END IF;
    END;
  END LOOP;
END`;
}

/**
 * What most rows are refused for can be asked of all of them at once; where a trigger may change them first, it cannot. What is
 * found is all that is told: the rest shows when the load is tried again.
 */
function checksOf(table: string): string {
  const relation = `${quoteText(table)}::regclass`;
  return `SELECT pg_catalog.pg_get_expr(c.conbin, c.conrelid) AS expression,
      pg_catalog.format('new row for relation "%s" violates check constraint "%s"', r.relname, c.conname) AS reason
    FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
    WHERE c.conrelid = ${relation} AND c.contype = 'c'
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ${relation} AND NOT g.tgisinternal AND g.tgtype & 7 = 7)
    ORDER BY c.conname`;
}

/** Messages of the server have values behind a colon, and those of a trigger may have them anywhere. */
const REASON = `CASE WHEN sluice_state = 'P0001' THEN 'a trigger or rule raises an exception'
  ELSE pg_catalog.regexp_replace(sluice_message, ': ".*', '') END`;
