/**
 * DuckDB takes -0 for equal to 0 and may give back one for the other: from the dictionaries of its Parquet files, and from
 * EXCEPT. Floats with -0 among them, which are rare, take another way.
 */
import type { Session } from '../../duckdb/session.ts';
import { duckName } from '../../duckdb/types.ts';

interface FloatColumn {
  /** Quoted. */
  name: string;
  type: string;
}

async function floatColumns(session: Session, query: string): Promise<FloatColumn[]> {
  const columns = await session.columns(query, 'looking for columns of floats');
  return columns
    .map(({ name, type }) => ({ name: duckName(name), type }))
    .filter(({ type }) => type === 'FLOAT' || type === 'DOUBLE');
}

/** Whether -0 is in the result of a query; statistics leave most row groups unread. */
export async function hasSignedZeros(session: Session, query: string): Promise<boolean> {
  const floats = await floatColumns(session, query);
  if (floats.length === 0) return false;
  const any = floats.map(({ name }) => `(${name} = 0 AND signbit(${name}))`).join(' OR ');
  return (
    (await session.rows(`SELECT 1 FROM (${query}) WHERE ${any} LIMIT 1`, 'looking for negative zeros'))
      .length > 0
  );
}

/** Rows of one query that another one does not have, as a multiset; floats are compared by their text, which has the sign. */
export async function exceptSigned(session: Session, query: string, minus: string): Promise<string> {
  const floats = await floatColumns(session, query);
  const replace = (from: string, type: (column: FloatColumn) => string): string =>
    `SELECT * REPLACE (${floats.map((column) => `CAST(${column.name} AS ${type(column)}) AS ${column.name}`).join(', ')}) FROM (${from})`;
  const asText = (from: string): string => replace(from, () => 'VARCHAR');
  return replace(`${asText(query)} EXCEPT ALL ${asText(minus)}`, ({ type }) => type);
}
