import { expect, it } from 'vitest';
import { ConfigError, DataError, InternalError, TransientError } from '../core/errors.ts';
import { duckError } from './errors.ts';

it.each([
  ['IO Error: Could not write file "/lake/x": No space left on device', ConfigError, 'disk.full'],
  ['IO Error: Cannot open file "/lake/x": Disk quota exceeded', ConfigError, 'disk.full'],
  ['IO Error: Cannot open file "/lake/x": Read-only file system', ConfigError, 'disk.read_only'],
  ['IO Error: Cannot open file "/lake/x": Permission denied', ConfigError, 'disk.permission'],
  ['IO Error: Could not read from file "/lake/x": Input/output error', TransientError, 'disk.io'],
  ['IO Error: Could not write file "/lake/x": File too large', ConfigError, 'disk.file_limit'],
  ['IO Error: Cannot open file "/lake/x": Too many open files', TransientError, 'disk.too_many_files'],
  ['IO Error: No files found that match the pattern "/lake/x"', TransientError, 'disk.missing'],
  [
    'Out of Memory Error: could not allocate block of size 256.0 KiB (96.0 MiB/96.0 MiB used)',
    ConfigError,
    'memory.exhausted',
  ],
  ['Binder Error: Referenced column "x" not found', InternalError, 'duckdb.failed'],
] as const)('"%s" is known', (message, kind, code) => {
  const error = duckError(new Error(message), 'writing x');
  expect(error).toBeInstanceOf(kind);
  expect(error).toMatchObject({ code, message: `writing x: ${message}` });
});

it('keeps errors of ours and the first line of a long message', () => {
  const ours = new DataError('no', { code: 'test.ours' });
  expect(duckError(ours, 'writing')).toBe(ours);
  expect(duckError(new Error('Parser Error: here\nLINE 1: SELECT'), 'writing').message).toBe(
    'writing: Parser Error: here',
  );
  expect(duckError('thrown text', 'writing').message).toBe('writing: thrown text');
});

it.each([
  [
    'Invalid Input Error: Failed to read file "/lake/a.parquet": ZSTD Decompression failure',
    ': "/lake/a.parquet"',
  ],
  [
    `Invalid Input Error: Invalid string encoding found in Parquet file "/lake/a.parquet": value "secret" is not UTF8`,
    ': "/lake/a.parquet"',
  ],
  ["Invalid Input Error: No magic bytes found at end of file '/lake/a.parquet'", ': "/lake/a.parquet"'],
  ['Invalid Error: TProtocolException: Invalid data', ''],
])('says that a file is damaged without quoting what is in it: %s', (message, file) => {
  expect(duckError(new Error(message), 'reading x', '/lake/spill')).toMatchObject({
    code: 'disk.damaged',
    message: `reading x: a data file is damaged${file}`,
  });
});

it('names the folder that is too full to spill into', () => {
  const message =
    "Out of Memory Error: failed to offload data block (1/2 used).\nThis limit was set by the 'max_temp_directory_size' setting.";
  expect(duckError(new Error(message), 'sorting', '/lake/spill')).toMatchObject({
    code: 'disk.full',
    message: 'sorting: no space left for what does not fit into memory: "/lake/spill"',
  });
});
