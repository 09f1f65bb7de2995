/**
 * DuckDB takes -0 for equal to 0 and may give back one for the other: from the dictionaries of its Parquet files, and from
 * comparisons (stage-sql.ts). Floats with -0 among them, which are rare, take another way.
 */
import type { Session } from '../../../duckdb/session.ts';
import { duckName } from '../../../duckdb/types.ts';

/** Whether -0 is in the result of a query; statistics leave most row groups unread. */
export async function hasSignedZeros(session: Session, query: string): Promise<boolean> {
  const columns = await session.columns(query, 'looking for columns of floats');
  const floats = columns.filter(({ type }) => type === 'FLOAT' || type === 'DOUBLE');
  if (floats.length === 0) return false;
  const names = floats.map(({ name }) => duckName(name));
  const any = names.map((name) => `(${name} = 0 AND signbit(${name}))`).join(' OR ');
  return (
    (await session.rows(`SELECT 1 FROM (${query}) WHERE ${any} LIMIT 1`, 'looking for negative zeros'))
      .length > 0
  );
}
