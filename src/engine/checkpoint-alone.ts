import type { Snapshot } from '../core/source.ts';
import type { Checkpoint } from '../core/stream.ts';
import type { Planned } from './plan-stream.ts';

/**
 * What is worth a commit though nothing was read: another schema, a watermark that has risen past rows looked at in vain, a position
 * that has moved, or a table without rows.
 */
export function checkpointAlone(
  { planned, source }: { planned: Planned; source: Snapshot },
  before: Checkpoint | undefined,
): Checkpoint | undefined {
  const { stream, changes } = planned.plan;
  const { rises = false } = planned.slices;
  const after = rises
    ? source.advance({ stream, survey: planned.survey, before, loads: [], last: true })
    : before;
  if (!before || !after) return after;
  const risen =
    after.watermark !== before.watermark ||
    after.pending?.high !== before.pending?.high ||
    after.position !== before.position;
  return risen || changes.length > 0 ? after : undefined;
}
