/** Hashes of rows in memory, of whole numbers and texts: what docs/concepts/verify.md says, in the plainest way. */
import { createHash } from 'node:crypto';
import type { Comparable, ComparedColumn, CompareRequest } from '../core/compare.ts';
import { InternalError } from '../core/errors.ts';
import type { Cell } from './batch-rows.ts';

type Cells = ReadonlyMap<string, Cell>;

export function hashOf(cells: Cells, columns: readonly ComparedColumn[]): string {
  const text = columns.map(({ name, type: { kind } }) => canonical(cells.get(name) ?? null, kind)).join(',');
  return createHash('md5').update(text).digest('hex');
}

function canonical(cell: Cell, kind: string): string {
  if (cell === null) return '';
  if (kind.startsWith('int')) return cell;
  if (kind === 'utf8') return `${Buffer.byteLength(cell)}:${cell}`;
  throw new InternalError(`memory makes no hashes of ${kind}`, { code: 'memory.hash' });
}

export function compareMemory(all: readonly Cells[]): Comparable {
  const hashed = ({ columns, key }: CompareRequest): { key: string; row: string; cells: Cells }[] => {
    const keys = key.length > 0 ? columns.filter(({ name }) => key.includes(name)) : columns;
    return all.map((cells) => ({ key: hashOf(cells, keys), row: hashOf(cells, columns), cells }));
  };
  const bucketOf = (hash: string, { digits }: CompareRequest): number => parseInt(hash.slice(0, digits), 16);
  return {
    async buckets(request) {
      const found = Map.groupBy(hashed(request), ({ key }) => bucketOf(key, request));
      return [...found].map(([bucket, rows]) => ({
        bucket,
        rows: rows.length,
        checksum: rows.reduce((sum, { row }) => sum + BigInt(`0x${row.slice(0, 15)}`), 0n).toString(),
      }));
    },
    async *rows(request, buckets) {
      const wanted = hashed(request)
        .filter(({ key }) => buckets?.includes(bucketOf(key, request)) ?? true)
        .toSorted((a, b) => (a.key < b.key ? -1 : 1));
      yield {
        keys: wanted.map(({ key }) => key),
        rows: wanted.map(({ row }) => row),
        names: request.key.map((name) => wanted.map(({ cells }) => cells.get(name) ?? null)),
        waiting: undefined,
      };
    },
    values: async () => [],
    least: async () => undefined,
    count: async () => all.length,
  };
}
