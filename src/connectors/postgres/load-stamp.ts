/** The columns of a load's mark, as fields of each row of a binary COPY. */
import { parseCursor } from '../shared/cursor-value.ts';
import { LOAD_ID, LOADED_AT, type LoadTarget, VALID_FROM } from '../shared/sql/system.ts';
import { toPostgres } from './encode-columns.ts';

/**
 * What each row ends with. The columns have defaults with the same values, which the server would compute for each row: that is a
 * quarter of its work.
 */
export interface LoadStamp {
  columns: readonly string[];
  /** Fields of a row with their lengths, in the order of `columns`. */
  bytes: Uint8Array;
}

export function stampOf({ stamped }: LoadTarget): LoadStamp | undefined {
  if (!stamped) return undefined;
  const { stamp, loadId, loadedAt } = stamped;
  const moment = int64(toPostgres(parseCursor(loadedAt, { kind: 'timestamp', zone: true })));
  if (stamp === 'versions') return { columns: [VALID_FROM], bytes: moment };
  return { columns: [LOAD_ID, LOADED_AT], bytes: Buffer.concat([int64(BigInt(loadId)), moment]) };
}

function int64(value: bigint): Buffer {
  const field = Buffer.alloc(12);
  field.writeInt32BE(8);
  field.writeBigInt64BE(value, 4);
  return field;
}
