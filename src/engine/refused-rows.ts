/**
 * Finds the rows that the target refuses, when it has refused a load for some. In: slices whose loads are given up, and the
 * error. Out: whether they can be staged again without rows that were found.
 */
import type { Supersede, TableWriter } from '../core/destination.ts';
import type { Snapshot } from '../core/source.ts';
import type { Slice } from '../core/stream.ts';
import type { Quarantine } from '../gate/quarantine.ts';
import type { Planned } from './plan-stream.ts';
import type { PutAside } from './put-aside.ts';

interface RefusedJob {
  planned: Planned;
  source: Snapshot;
  writer: TableWriter;
  aside: PutAside;
  quarantine: Quarantine;
  signal: AbortSignal;
}

export async function leaveOutRefused(
  { planned, source, writer, aside, quarantine, signal }: RefusedJob,
  slices: readonly Slice[],
  how: Supersede,
  error: unknown,
): Promise<boolean> {
  const { stream } = planned.plan;
  if (!planned.survey.arrived) return false;
  const trial = await writer.tryRows?.(how, error, signal);
  if (!trial) return false;
  let found = 0;
  try {
    for (const slice of slices) {
      const scratch = quarantine.scratch();
      const wanted = await aside.wanted(slice, scratch);
      const reader = await source.read(stream, planned.survey, wanted, signal);
      try {
        // Only records of text can be left out, for they are what quarantine keeps.
        if (reader.format !== 'bytes') return false;
        const rows = await trial.refused(reader);
        aside.leaveOut(slice, rows);
        found += rows.length;
      } finally {
        await reader.close();
        await quarantine.discardScratch(scratch);
      }
    }
  } finally {
    await trial.close();
  }
  return found > 0;
}
