import { ConfigError, InternalError, SluiceError, TransientError } from '../core/errors.ts';

/** What DuckDB's message begins with or holds → what can be done. The only place that reads its messages. */
const KNOWN: readonly { pattern: RegExp; code: string; remedy: string; transient?: boolean }[] = [
  {
    pattern: /No space left on device|ENOSPC|Disk quota exceeded/i,
    code: 'disk.full',
    remedy: 'free space or choose another folder, then run again: nothing half-written is visible',
  },
  { pattern: /Read-only file system/i, code: 'disk.read_only', remedy: 'the folder must be writable' },
  {
    pattern: /Permission denied/i,
    code: 'disk.permission',
    remedy: 'give this user the right to write the folder',
  },
  {
    pattern: /^Out of Memory Error|failed to allocate|could not allocate/i,
    code: 'memory.exhausted',
    remedy: 'raise the memory budget (--memory) or load fewer streams at once (--workers 1)',
  },
  { pattern: /^IO Error/i, code: 'disk.io', remedy: 'look at the folder named above', transient: true },
];

/** Translates whatever DuckDB threw; SluiceErrors pass through. */
export function duckError(error: unknown, doing: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const found = error instanceof Error ? error.message : String(error);
  const line = found.split('\n')[0]!;
  for (const known of KNOWN) {
    if (!known.pattern.test(found)) continue;
    const detail = { code: known.code, remedy: known.remedy, cause: error };
    return known.transient
      ? new TransientError(`${doing}: ${line}`, detail)
      : new ConfigError(`${doing}: ${line}`, detail);
  }
  return new InternalError(`${doing}: ${line}`, { code: 'duckdb.failed', cause: error });
}
