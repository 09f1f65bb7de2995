/** How DuckDB is asked to compare rows: of files, or of its own tables. */
import { duckText } from '../../../duckdb/types.ts';
import type { CompareDialect } from '../compare-relation.ts';
import { DUCK_DIALECT } from './canonical.ts';

const bucket = (digits: number): string => `CAST('0x' || left(k, ${digits}) AS INTEGER)`;

export const DUCK_COMPARE: CompareDialect = {
  rows: DUCK_DIALECT,
  text: (expression, type) =>
    type?.kind === 'binary' ? `lower(hex(${expression}))` : `CAST(${expression} AS VARCHAR)`,
  bucket,
  checksum: `sum(CAST('0x' || left(h, 15) AS BIGINT))`,
  fence: '',
  only: (buckets, digits) => ` WHERE ${bucket(digits)} IN (${buckets.join(', ')})`,
  list: (hashes) => hashes.map(duckText).join(', '),
  order: 'k',
};
