/** Columns of Parquet files: what they are, how they are read as a type, and which values would not survive that. Pure. */
import { type LogicalType, renderType, sameType, widen } from '../../core/types.ts';
import { duckName, duckType } from '../../duckdb/types.ts';
import { mapColumn } from '../shared/duckdb/column-types.ts';

export interface ParquetColumn {
  name: string;
  /** As DuckDB calls its type. */
  native: string;
  /** Undefined: it has no values, and no type that says which it could have. */
  type: LogicalType | undefined;
  /** SQL that has this type. */
  sql: string;
  /** Digits beyond microseconds, of values that DuckDB has cut when it gives them out. */
  cut: boolean;
  /** Digits of decimals that have more than DuckDB reads: it makes other numbers of them. */
  tooManyDigits: number | undefined;
}

/** What the footer says beside DuckDB's type of a column, or of what is within it. */
export interface FooterElement {
  /** Physical. */
  type: string | undefined;
  logical: string | undefined;
  /** Digits of a decimal. */
  digits: number | undefined;
}

const NANOSECONDS = /NANOS=NanoSeconds/;
/** DuckDB has a type for these. */
const WITHOUT_ZONE = /^TimestampType\(isAdjustedToUTC=0/;
const MOST_DIGITS = 38;

/** `footer`: the column itself, and what is within it. */
export function parquetColumn(name: string, native: string, footer: readonly FooterElement[]): ParquetColumn {
  const cut = footer.some(
    ({ type, logical = '' }) =>
      type === 'INT96' || (NANOSECONDS.test(logical) && !WITHOUT_ZONE.test(logical)),
  );
  const tooManyDigits = footer.map(({ digits }) => digits).find((digits = 0) => digits > MOST_DIGITS);
  const column = { name, native, cut, tooManyDigits };
  if (footer[0]?.logical === 'NullType()') return { ...column, type: undefined, sql: 'NULL' };
  if (native === 'TIMESTAMP_NS')
    return {
      ...column,
      type: { kind: 'timestamp', zone: false },
      sql: `CAST(${duckName(name)} AS TIMESTAMP)`,
    };
  const { type: logicalType, sql } = mapColumn({ name, native, nullable: true });
  return { ...column, type: logicalType, sql };
}

/** The type of a column after one more file, or why that file cannot be read. */
export function followed(
  { name, type, native }: ParquetColumn,
  was: LogicalType | undefined,
): { type: LogicalType | undefined } | { misfit: string } {
  if (!type || !was) return { type: type ?? was };
  const wider = widen(was, type);
  if (wider) return { type: wider };
  return { misfit: `"${name}" is ${renderType(type)} (${native}) and was ${renderType(was)}` };
}

/** SQL that reads a column as a type; undefined: nothing turns one into the other. */
export function readAs({ name, native, type, sql }: ParquetColumn, wanted: LogicalType): string | undefined {
  if (!type) return `CAST(NULL AS ${duckType(wanted)})`;
  if (sameType(type, wanted)) return sql;
  const quoted = duckName(name);
  if (wanted.kind === 'utf8') {
    if (type.kind === 'json') return sql;
    return type.kind === 'binary' ? `decode(${quoted})` : `CAST(${quoted} AS VARCHAR)`;
  }
  if (type.kind === 'json' || type.kind === 'binary' || wanted.kind === 'json' || wanted.kind === 'binary')
    return undefined;
  return native === 'TIMESTAMP_NS'
    ? `CAST(${quoted} AS ${duckType(wanted)})`
    : `CAST(${sql} AS ${duckType(wanted)})`;
}

/** A condition for values that are others when they are read as this type; undefined: there can be none. */
export function lossOf(column: ParquetColumn, wanted: LogicalType): string | undefined {
  const { name, native, type } = column;
  const quoted = duckName(name);
  if (!type) return undefined;
  if (type.kind === 'binary' && wanted.kind === 'utf8')
    return `try(decode(${quoted})) IS NULL AND ${quoted} IS NOT NULL`;
  if (wanted.kind === 'utf8') return undefined;
  const wider = widen(type, wanted);
  if (wider && sameType(wider, wanted) && native !== 'TIMESTAMP_NS') return undefined;
  // What comes back as it was has lost nothing.
  return `TRY_CAST(TRY_CAST(${quoted} AS ${duckType(wanted)}) AS ${native}) IS DISTINCT FROM ${quoted}`;
}
