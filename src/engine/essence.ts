import type { Checkpoint } from '../core/stream.ts';

/** What of a checkpoint is worth a commit that brings no rows; when some were read, also that they need not be read again. */
export function essence(
  { cursor, relation, position, round, high, unfinished, watermark, pending, ledger }: Checkpoint,
  read: boolean,
): string {
  const shared = [cursor, relation, position, round, high, unfinished, ledger];
  return JSON.stringify(read ? [...shared, watermark, pending] : shared);
}
