import type { ComparedTables } from '../core/compare.ts';
import type { Destination } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { Schema } from '../core/schema.ts';

/** `adopts`: see {@link Destination.compare}. */
export async function compareTables(
  destination: Destination,
  signal: AbortSignal,
  adopts?: Schema,
): Promise<ComparedTables> {
  if (destination.compare) return destination.compare(signal, adopts);
  throw new ConfigError('comparing: the destination cannot make checksums of rows', {
    code: 'verify.unsupported',
    remedy: 'docs/concepts/verify.md lists the systems that can',
  });
}
