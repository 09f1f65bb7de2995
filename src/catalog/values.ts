/** DuckDB's values as plain ones that JSON can hold without losing anything. */
import type { DuckDBType, DuckDBValue, DuckDBValueConverter, Json } from '@duckdb/node-api';

export type Plain = Json;

/**
 * Integers that a double holds exactly are numbers; greater ones, decimals, dates, times and all that JSON has no
 * form for are the text that DuckDB prints (instants in UTC: `2026-01-01 00:00:00.000001+00`), bytes are hexadecimal.
 */
export async function plainConverter(): Promise<DuckDBValueConverter<Plain>> {
  const { DuckDBBlobValue, DuckDBTypeId, JsonDuckDBValueConverter } = await import('@duckdb/node-api');
  const wide = new Set([
    DuckDBTypeId.BIGINT,
    DuckDBTypeId.UBIGINT,
    DuckDBTypeId.HUGEINT,
    DuckDBTypeId.UHUGEINT,
  ]);
  const convert = (value: DuckDBValue, type: DuckDBType, converter: DuckDBValueConverter<Plain>): Plain => {
    if (value === null) return null;
    if (typeof value === 'string' || typeof value === 'boolean') return value;
    if (wide.has(type.typeId)) return safeInteger(value as bigint);
    if (type.typeId === DuckDBTypeId.FLOAT) return shortFloat(value as number);
    if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex');
    if (type.typeId === DuckDBTypeId.INTERVAL) return String(value);
    return JsonDuckDBValueConverter(value, type, converter);
  };
  return convert;
}

function safeInteger(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** A 32-bit float in as few digits as tell it from its neighbours, or as text when it is no number. */
function shortFloat(value: number): number | string {
  if (!Number.isFinite(value)) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

/** The value as text for people and CSV; null stays null. */
export function plainText(value: Plain): string | null {
  if (value === null || typeof value === 'string') return value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
