import { type PartitionBy, renamed, type StreamConfig } from '../core/stream.ts';

/** How the table is partitioned, by its own names: those in the configuration are of the source. */
export function partitionBy(stream: StreamConfig): PartitionBy | undefined {
  const by = stream.partitionBy;
  return by && { column: renamed(stream, by.column), by: by.by };
}
