/**
 * Finds the rows that the target refuses, when it has refused a load for some. In: slices whose loads are given up, and the
 * error. Out: whether they can be staged again without rows that were found.
 */
import type { Supersede, TableWriter } from '../core/destination.ts';
import type { RefusedRow } from '../core/quarantine.ts';
import type { Snapshot } from '../core/source.ts';
import type { Slice } from '../core/stream.ts';
import type { Quarantine } from '../gate/quarantine.ts';
import { laterReplace } from './plan-slices.ts';
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
  if (!planned.survey.repeatable) return false;
  const trial = await writer.tryRows?.(how, error, { several: slices.length > 1, signal });
  if (!trial) return false;
  // Of what arrives, the later; parts of a whole do not follow each other.
  const replaces = planned.survey.arrived !== undefined && laterReplace(stream.load);
  const found = new Map<Slice, RefusedRow[]>();
  try {
    for (const slice of replaces ? slices.toReversed() : slices) {
      const scratch = quarantine.scratch();
      const wanted = await aside.wanted(slice, scratch);
      const reader = await source.read(stream, planned.survey, wanted, signal);
      try {
        const rows = await trial.refused(reader);
        found.set(slice, replaces ? rows : rows.map(asDouble));
      } finally {
        await reader.close();
        await quarantine.discardScratch(scratch);
      }
    }
  } finally {
    await trial.close();
  }
  return leaveOut(found, aside);
}

/** Who is to take the place of another one may be refused after all: as long as some are, nobody's place is taken. */
function leaveOut(found: ReadonlyMap<Slice, RefusedRow[]>, aside: PutAside): boolean {
  const isBad = ({ code }: RefusedRow): boolean => code !== 'row.superseded';
  const bad = [...found.values()].some((rows) => rows.some(isBad));
  let out = 0;
  for (const [slice, all] of found) {
    const rows = bad ? all.filter(isBad) : all;
    aside.leaveOut(slice, rows);
    out += rows.length;
  }
  return out > 0;
}

/** Rows of one load are a set where they do not follow each other. */
function asDouble(row: RefusedRow): RefusedRow {
  return row.code === 'row.superseded' ? { ...row, code: 'row.duplicate' } : row;
}
