import type { Supersede } from '../core/destination.ts';
import type { Slice, StreamConfig } from '../core/stream.ts';

/** The rows that a file has brought before, for a slice that brings it again; undefined for all others. */
export function replacedFile({ files }: StreamConfig, slices: readonly Slice[]): Supersede | undefined {
  const range = slices[0]?.range;
  if (range?.kind !== 'files' || range.again !== true || !files || files.fileColumn === false)
    return undefined;
  return { kind: 'value', column: files.fileColumn, value: range.files[0]!.path };
}
