/** What a survey asks of rows that DuckDB reads; `from` is the body of a FROM clause. */
import { ConfigError } from '../../../core/errors.ts';
import type { SliceRange, StreamConfig } from '../../../core/stream.ts';
import type { LogicalType } from '../../../core/types.ts';
import { backBy, parseCursor } from '../cursor-value.ts';
import { wallClock, zoneOffset } from '../zones.ts';
import { nullCondition, type Relation, whereClause } from './relation.ts';
import type { Asking } from './source-engine.ts';

const INSTANT: LogicalType = { kind: 'timestamp', zone: true };
const MOST_BOUNDARIES = 1000;

/** What is wrong with `where` is said now, not when rows are read. */
export async function checkWhere(
  engine: Asking,
  { stream, relation, from }: { stream: StreamConfig; relation: Relation; from: string },
  signal: AbortSignal,
): Promise<void> {
  if (relation.where === undefined) return;
  try {
    await engine.rows(`SELECT 1 FROM ${from}${whereClause(relation, { kind: 'all' })} LIMIT 0`, signal);
  } catch (error) {
    if (!(error instanceof Error) || !/^(Binder|Parser|Catalog|Conversion) Error/.test(error.message))
      throw error;
    throw new ConfigError(`planning ${stream.name}: where: ${error.message.split('\n')[0]!}`, {
      code: 'stream.invalid',
      remedy: 'it is a condition in the SQL of DuckDB',
      cause: error,
    });
  }
}

/** Where a first run with `first_run` begins, in cursor text. */
export function firstWindow(stream: StreamConfig, type: LogicalType, at: string): string | undefined {
  if (stream.firstRunSeconds === undefined) return undefined;
  if (type.kind !== 'timestamp' && type.kind !== 'date')
    throw new ConfigError(`planning ${stream.name}: first_run is a time span, but the cursor is a number`, {
      code: 'stream.invalid',
      remedy: 'use `where` to leave old rows out',
    });
  const start = backBy(at, stream.firstRunSeconds, INSTANT);
  if (type.kind === 'timestamp' && type.zone) return start;
  const micros = parseCursor(start, INSTANT);
  return wallClock(micros + zoneOffset(micros, stream.cursorZone ?? 'UTC'), type);
}

export async function anyRow(engine: Asking, from: string, signal: AbortSignal): Promise<boolean> {
  return (await engine.rows(`SELECT 1 AS one FROM ${from} LIMIT 1`, signal)).length > 0;
}

/** Where one micro-batch ends and the next begins; rows with the same value stay together. */
export async function boundaries(
  engine: Asking,
  { relation, from, rows }: { relation: Relation; from: string; rows: number },
  range: SliceRange,
  signal: AbortSignal,
): Promise<string[]> {
  const { expressions, type } = relation.cursor!;
  if (expressions.length > 1) return [];
  const where = whereClause(relation, range) || ' WHERE true';
  const ordered = `SELECT ${expressions[0]} AS v, row_number() OVER (ORDER BY ${expressions[0]}) AS n FROM ${from}${where} AND NOT (${nullCondition(relation)})`;
  const found = await engine.rows(
    `SELECT CAST(v AS VARCHAR) AS v FROM (SELECT DISTINCT v FROM (${ordered}) WHERE n % ${Math.trunc(rows)} = 0) WHERE v IS NOT NULL ORDER BY v LIMIT ${MOST_BOUNDARIES}`,
    signal,
  );
  // Years before Christ and the infinities are no bounds that anybody needs.
  return found
    .map(({ v }) => String(v))
    .filter((text) => !/BC|infinity/.test(text))
    .map((text) => (type.kind === 'timestamp' && type.zone && !text.endsWith('+00') ? `${text}+00` : text));
}
