import { ConfigError } from '../core/errors.ts';
import type { QuarantineFile } from '../core/quarantine.ts';
import { FORMER, READERS, SHADOW, type SideTables } from '../core/side-tables.ts';
import { type KeptHome, placesNoted } from '../gate/kept-storage.ts';

export interface TableBeside {
  /** Undefined: there are no tables beside those of readers. */
  beside: SideTables | undefined;
  home: KeptHome;
  table: string;
  signal: AbortSignal;
}

/** Files that the checkpoints of the other tables of a stream name: each may be the one that readers see, before or after. */
export async function keptBeside({ beside, home, table, signal }: TableBeside): Promise<QuarantineFile[]> {
  if (!beside) return [];
  const files: QuarantineFile[] = [];
  for (const place of [READERS, SHADOW, FORMER, ...(await placesNoted(home, table))]) {
    const tables = await beside.at(place);
    try {
      const state = await tables.describe(table, signal).catch((error: unknown) => {
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
