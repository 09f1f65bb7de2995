import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { withFrugalAllocator } from '../duckdb/allocator.ts';
import type { Session } from '../duckdb/session.ts';

const MEMORY_BYTES = 64 << 20;

/** Records come in the order in which they were read, and of long ones fewer share a row group. */
export const KEPT_FORM = 'FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES 4000000';

/** An engine that may spill below `folder`. DuckDB is loaded only when something is wrong. */
export async function openDuck(folder: string, moreBytes: number): Promise<Session> {
  await mkdir(folder, { recursive: true });
  const { Session } = await withFrugalAllocator(() => import('../duckdb/session.ts'));
  return Session.open({
    memoryBytes: MEMORY_BYTES + moreBytes,
    tempDirectory: path.join(folder, 'spill'),
    threads: 1,
  });
}

export async function withDuck<T>(
  folder: string,
  moreBytes: number,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openDuck(folder, moreBytes);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}
