/** What attacks say differently to each system that they write to. */

export interface SourceSql {
  /** Type of a column that says when a row was written, to the microsecond. */
  readonly stamp: string;
  /** What the clock shows right now, also in the midst of a transaction. */
  readonly now: string;
  /** For FROM: the whole numbers from 1, in the column `g`. */
  readonly numbers: (to: number) => string;
  /** An instant so many seconds later; both are SQL. */
  readonly later: (instant: string, seconds: string) => string;
  /** A date so many days later; both are SQL. */
  readonly laterDay: (date: string, days: string) => string;
  /** Has the optimizer look at a table. */
  readonly analyze: (table: string) => string;
}

export const POSTGRES_SQL: SourceSql = {
  stamp: 'timestamptz NOT NULL DEFAULT clock_timestamp()',
  now: 'clock_timestamp()',
  numbers: (to) => `generate_series(1, ${to}) AS numbers (g)`,
  later: (instant, seconds) => `${instant} + (${seconds}) * interval '1 second'`,
  laterDay: (date, days) => `${date} + (${days})`,
  analyze: (table) => `ANALYZE ${table}`,
};

export const MYSQL_SQL: SourceSql = {
  stamp: 'timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)',
  now: 'SYSDATE(6)',
  numbers: (to) => `(SELECT CAST(seq AS SIGNED) AS g FROM seq_1_to_${to}) AS numbers`,
  later: (instant, seconds) => `${instant} + INTERVAL (${seconds}) SECOND`,
  laterDay: (date, days) => `${date} + INTERVAL (${days}) DAY`,
  analyze: (table) => `ANALYZE TABLE ${table}`,
};
