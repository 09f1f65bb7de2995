import { ConfigError } from '../core/errors.ts';
import type { QuarantineFile } from '../core/quarantine.ts';
import { FORMER, READERS, SHADOW } from '../core/side-tables.ts';
import type { LoadJob } from './load-job.ts';

/** Files that the checkpoints of the other tables of a stream name: each may be the one that readers see, before or after. */
export async function keptBeside({ destination, planned, signal }: LoadJob): Promise<QuarantineFile[]> {
  const { beside } = destination;
  if (!beside) return [];
  const files: QuarantineFile[] = [];
  for (const place of [READERS, SHADOW, FORMER]) {
    const tables = await beside.at(place);
    try {
      const state = await tables.describe(planned.plan.stream.table, signal).catch((error: unknown) => {
        // Rows of somebody else have no quarantine.
        if (error instanceof ConfigError && error.code === 'sql.not_ours') return undefined;
        throw error;
      });
      files.push(...(state?.checkpoint?.quarantine ?? []));
    } finally {
      await tables.close();
    }
  }
  return files;
}
