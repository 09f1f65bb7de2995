import { ConfigError, InternalError, SluiceError, TransientError } from '../core/errors.ts';

interface Known {
  pattern: RegExp;
  code: string;
  /** In the place of DuckDB's words, which may quote a value; the file is added where it is known. */
  found?: string;
  /** It happens in the folder for spilled data. */
  spills?: boolean;
  remedy: string;
  transient?: boolean;
}

/** What DuckDB's message begins with or holds → what can be done. The only place that reads its messages. */
const KNOWN: readonly Known[] = [
  {
    pattern:
      /too small to be a Parquet file|No magic bytes found|Footer length|TProtocolException|Out of buffer|Payload value bigger|Decode bit width|Unimplemented \w+ encoding|don't know what type|Could not read enough bytes|Decompression failure|likely corrupted|Invalid string encoding found in Parquet file|Failed to read file/i,
    code: 'disk.damaged',
    found: 'a data file is damaged',
    remedy:
      '`sluice catalog check` names all damaged files: restore them from a backup, or load the stream again with --full-refresh',
  },
  {
    // DuckDB's own limit for what it spills: most of what was free on the disk.
    pattern: /max_temp_directory_size/,
    code: 'disk.full',
    found: 'no space left for what does not fit into memory',
    spills: true,
    remedy: 'free space or choose another folder, then run again: nothing half-written is visible',
  },
  {
    pattern: /No space left on device|ENOSPC|Disk quota exceeded/i,
    code: 'disk.full',
    remedy: 'free space or choose another folder, then run again: nothing half-written is visible',
  },
  {
    pattern: /File too large/i,
    code: 'disk.file_limit',
    remedy: 'raise the limit (ulimit -f) or set a smaller `file_size` for the lake',
  },
  {
    pattern: /Too many open files/i,
    code: 'disk.too_many_files',
    remedy: 'raise the limit (ulimit -n) or run with fewer workers',
    transient: true,
  },
  { pattern: /Read-only file system/i, code: 'disk.read_only', remedy: 'the folder must be writable' },
  {
    pattern: /Permission denied/i,
    code: 'disk.permission',
    remedy: 'give this user the right to write the folder',
  },
  {
    pattern: /^Out of Memory Error|failed to allocate|could not allocate|failed to pin block/i,
    code: 'memory.exhausted',
    remedy: 'raise the memory budget (--memory) or load fewer streams at once (--workers 1)',
  },
  {
    // A sweep may have removed it after the table was looked at, so another attempt may go well.
    pattern: /No files found that match|No such file or directory/i,
    code: 'disk.missing',
    remedy: 'does something else delete files there? `sluice catalog check` names what is missing',
    transient: true,
  },
  { pattern: /^IO Error/i, code: 'disk.io', remedy: 'look at the folder named above', transient: true },
];

/** Translates whatever DuckDB threw; SluiceErrors pass through. `spillFolder` is where its data goes that does not fit into memory. */
export function duckError(error: unknown, doing: string, spillFolder?: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const found = error instanceof Error ? error.message : String(error);
  const line = found.split('\n')[0]!;
  for (const known of KNOWN) {
    if (!known.pattern.test(found)) continue;
    const what =
      known.found === undefined ? line : known.found + named(known.spills ? spillFolder : fileIn(line));
    const detail = { code: known.code, remedy: known.remedy, cause: error };
    return known.transient
      ? new TransientError(`${doing}: ${what}`, detail)
      : new ConfigError(`${doing}: ${what}`, detail);
  }
  return new InternalError(`${doing}: ${line}`, {
    code: 'duckdb.failed',
    remedy: 'please report it, unless `sluice catalog check` finds a damaged file',
    cause: error,
  });
}

function fileIn(message: string): string | undefined {
  return /["']([^"']+\.parquet)["']/.exec(message)?.[1];
}

function named(file: string | undefined): string {
  return file === undefined ? '' : `: "${file}"`;
}
