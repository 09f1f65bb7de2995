import { expect, it } from 'vitest';
import { ConfigError, DataError, InternalError, TransientError } from '../core/errors.ts';
import { duckError } from './errors.ts';

it.each([
  ['IO Error: Could not write file "/lake/x": No space left on device', ConfigError, 'disk.full'],
  ['IO Error: Cannot open file "/lake/x": Disk quota exceeded', ConfigError, 'disk.full'],
  ['IO Error: Cannot open file "/lake/x": Read-only file system', ConfigError, 'disk.read_only'],
  ['IO Error: Cannot open file "/lake/x": Permission denied', ConfigError, 'disk.permission'],
  ['IO Error: Could not read from file "/lake/x": Input/output error', TransientError, 'disk.io'],
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
