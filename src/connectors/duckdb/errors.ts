/** What DuckDB says of a database file, as errors of ours; the only place that reads those messages. */
import {
  ConfigError,
  ConflictError,
  DataError,
  type ErrorDetail,
  SluiceError,
  TransientError,
} from '../../core/errors.ts';
import { duckError } from '../../duckdb/errors.ts';

/** Begins the error that SQL of ours raises where rows share a key. */
export const SHARED_KEY = 'sluice: rows share a key';

interface Known {
  pattern: RegExp;
  code: string;
  kind: new (message: string, detail: ErrorDetail) => SluiceError;
  /** In the place of DuckDB's words, which may quote a value; `$1` is the group of the pattern. */
  found: string;
  remedy: string;
}

const KNOWN: readonly Known[] = [
  {
    pattern: /Could not set lock on file .*?(?:Conflicting lock is held in (.*? \(PID \d+\)))/s,
    code: 'duckdb.locked',
    kind: TransientError,
    found: 'another process has the file open: $1',
    remedy: 'one process at a time can write a DuckDB file, and nobody reads it then: end the other one',
  },
  {
    pattern: /Could not set lock on file|being used by another process|Unique file handle conflict/,
    code: 'duckdb.locked',
    kind: TransientError,
    found: 'another program has the file open',
    remedy: 'one process at a time can write a DuckDB file, and nobody reads it then: end the other one',
  },
  {
    pattern: /Cannot open file .*No such file or directory|cannot find the path/is,
    code: 'duckdb.missing',
    kind: ConfigError,
    found: 'there is no such file or folder',
    remedy: 'correct `path`, or make the folder that it names; is its drive mounted?',
  },
  {
    pattern: /not a valid DuckDB database file|Is a directory/,
    code: 'duckdb.no_database',
    kind: ConfigError,
    found: 'it is not a DuckDB file',
    remedy: 'correct `path`, or move what is there away',
  },
  {
    pattern:
      /Trying to read a database file with version number (\d+)|newer version of DuckDB|storage version/,
    code: 'duckdb.newer_file',
    kind: ConfigError,
    found: 'the file was written in a format that the DuckDB of Sluice does not read',
    remedy:
      "copy it with the DuckDB that wrote it: ATTACH a new file with (STORAGE_VERSION 'v1.0.0'), COPY FROM DATABASE",
  },
  {
    pattern: /Corrupt database file|checksum .* does not match|Failed to deserialize|WAL file .*corrupt/i,
    code: 'duckdb.damaged',
    kind: ConfigError,
    found: 'the file is damaged',
    remedy: 'restore it from a backup, or move it away and load again',
  },
  {
    pattern: /has been invalidated because of a previous fatal error/,
    code: 'duckdb.stopped',
    kind: TransientError,
    found: 'DuckDB has given up the file after an error',
    remedy: 'run again: the file is as it was after its last commit',
  },
  {
    pattern: new RegExp(
      `Duplicate key|violates (?:unique|primary key) constraint|UNIQUE constraint violation|${SHARED_KEY}`,
    ),
    code: 'duckdb.duplicate',
    kind: DataError,
    found: 'rows share a key',
    remedy: 'name columns with `key` that tell all rows apart',
  },
  {
    pattern: /NOT NULL constraint failed: (\S+)/,
    code: 'duckdb.not_null',
    kind: DataError,
    found: 'there is a NULL for $1, which takes none',
    remedy: 'let the column of the table hold NULL, or leave those rows out with `where`',
  },
  {
    pattern: /^Constraint Error/,
    code: 'duckdb.constraint',
    kind: DataError,
    found: 'a row breaks a constraint of the table',
    remedy: 'look at the constraints of the table, or load into another one',
  },
  {
    pattern: /^(?:Conversion|Out of Range) Error/,
    code: 'duckdb.conversion',
    kind: DataError,
    found: 'a value does not fit the type of its column',
    remedy: 'make the column of the table wider, or read it as text: `types: { column: text }`',
  },
  {
    pattern: /write-write conflict|Transaction conflict|Conflict on/i,
    code: 'duckdb.conflict',
    kind: ConflictError,
    found: 'another load of this process has changed the same table',
    remedy: 'run again',
  },
];

/** Whatever else is said of it: a commit that fails for it ends the transaction, or the engine. */
const FULL = /No space left on device|ENOSPC|Disk quota exceeded|not enough space/i;

export function duckdbError(error: unknown, doing: string, spillFolder?: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (FULL.test(text)) return duckError(error, doing, spillFolder);
  for (const { pattern, code, kind, found, remedy } of KNOWN) {
    const match = pattern.exec(text);
    if (!match) continue;
    const what = found.replace('$1', () => match[1] ?? '');
    return new kind(`${doing}: ${what}`, { code, remedy, cause: error });
  }
  return duckError(error, doing, spillFolder);
}
