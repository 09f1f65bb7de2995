/**
 * Checks what a stream has just loaded. In: the load, committed under a lease that is still held, and the snapshot that it
 * has read. Out: counts, or a whole comparison. Writes nothing, and changes nothing of what is committed.
 */
import type { ComparedTable } from '../core/compare.ts';
import type { Destination } from '../core/destination.ts';
import { DataError } from '../core/errors.ts';
import type { LoadVerification } from '../core/events.ts';
import type { Snapshot } from '../core/source.ts';
import { hasRules, type LoadCheck, type SliceRange } from '../core/stream.ts';
import { STRATEGIES } from '../strategies/index.ts';
import type { Planned } from './plan-stream.ts';
import { laterReplace } from './plan-slices.ts';
import { compareTables } from './compare-tables.ts';
import { verifyStream } from './verify-stream.ts';
import type { StreamComparison } from './verify-types.ts';

/** A load that was carried out. */
export interface LoadedStream {
  planned: Planned;
  source: Snapshot;
  /** Rows that its slices have read. */
  read: number;
  /** Rows that were put aside beside them. */
  aside: number;
  /** Of its last commit. */
  version: number;
  /** The user chose the window. */
  ownWindow: boolean;
}

export interface LoadVerificationJob {
  how: Exclude<LoadCheck, 'off'>;
  loaded: LoadedStream;
  destination: Destination;
  signal: AbortSignal;
}

/** Undefined where there is nothing to compare: what was read is not all that the table holds, or an end cannot tell. */
export async function verifyLoad(job: LoadVerificationJob): Promise<LoadVerification | undefined> {
  const { how, loaded, destination, signal } = job;
  const { stream } = loaded.planned.plan;
  const range = how === 'counts' ? wholeOf(loaded) : undefined;
  if (how === 'counts' && (!range || !destination.compare)) return undefined;
  const started = performance.now();
  const tables = await compareTables(destination, signal);
  let table: ComparedTable | undefined;
  try {
    table = await tables.table(stream.table, signal);
    // Whoever has taken our lease over knows better.
    if (table && table.state.version !== loaded.version) return undefined;
    const verification = range ? await counted(job, range, table) : await compared(job, table);
    return verification && { ...verification, seconds: (performance.now() - started) / 1000 };
  } finally {
    await table?.close();
    await tables.close();
  }
}

type Untimed = Omit<LoadVerification, 'seconds'>;

/**
 * What a single statement has read is what its server has sent. Of several it is counted anew: they may overlap, or leave
 * something out between them.
 */
async function counted(
  { loaded, signal }: LoadVerificationJob,
  range: SliceRange,
  table: ComparedTable | undefined,
): Promise<Untimed | undefined> {
  const { planned, source, read, aside } = loaded;
  const several = planned.slices.slices.length > 1;
  const rows = several ? source.compare?.(planned.plan.stream, planned.survey) : undefined;
  const [there, here] = await Promise.all([
    // What the source cannot tell from the others is not to be in the table.
    rows ? rows.count(range, signal).then((count) => count - aside) : read,
    table?.rows.count({ kind: 'all' }, signal) ?? 0,
  ]);
  return {
    by: 'counts',
    status: there === here && there === read ? 'equal' : 'differs',
    rows: { source: there, read, target: here },
  };
}

async function compared(
  { loaded, signal }: LoadVerificationJob,
  table: ComparedTable | undefined,
): Promise<Untimed> {
  const { planned, source, read, aside } = loaded;
  const { stream } = planned.plan;
  if (hasRules(stream) && aside > 0)
    return skipped(`${aside} rows are in quarantine, which the source has`, read);
  // A load that never deletes has not promised it.
  const ignoreExtra =
    stream.load === 'merge' ||
    stream.load === 'append' ||
    (stream.load === 'scd2' && stream.cursor.length > 0);
  const found = await verifyStream({ stream, snapshot: source, table, options: { ignoreExtra }, signal });
  const { status, rows, missing, extra, changed, notes, differences } = found;
  return {
    by: 'checksums',
    status: status === 'differs' ? 'differs' : status === 'equal' ? 'equal' : 'skipped',
    rows: { ...rows, read },
    details: { missing, extra, changed, notes, differences },
  };
}

function skipped(note: string, read: number): Untimed {
  const details = { missing: 0, extra: 0, changed: 0, notes: [note], differences: [] };
  return { by: 'checksums', status: 'skipped', rows: { source: 0, target: 0, read }, details };
}

/** All that the table holds after the load, as a range of the source; undefined when it may hold rows of other loads. */
function wholeOf({ planned, ownWindow }: LoadedStream): SliceRange | undefined {
  const { plan, slices: all, survey, table, fullRefresh } = planned;
  const { stream, action } = plan;
  const strategy = STRATEGIES[stream.load];
  const { history } = strategy;
  const anew = history !== 'versions' && (fullRefresh || all.restart);
  const replaces = history === undefined && strategy.commits(stream) === 'together';
  const alone = anew || replaces || (table?.rows ?? 0) === 0;
  // Rows of later files take the place of those of earlier ones.
  const ranges = all.slices.map(({ range }) => range);
  const several = stream.load === 'merge' || ranges.length > 1;
  if (survey.arrived && laterReplace(stream.load) && several) return undefined;
  if (!alone || action === 'resume' || action === 'load' || ranges.length === 0) return undefined;
  if (stream.date) {
    const [first, last] = [ranges[0], ranges.at(-1)];
    if (first?.kind !== 'column' || last?.kind !== 'column') return undefined;
    return { ...first, to: last.to };
  }
  if (ownWindow && stream.cursor.length > 0) return undefined;
  const from = survey.cursor?.from;
  if (from === undefined) return { kind: 'all' };
  return { kind: 'cursor', from, nulls: stream.nullCursor === 'load', since: survey.cursor?.since };
}

/** What a stream ends with whose load is committed and does not agree with its source. */
export function loadDiffers(stream: string, { by, rows, details }: LoadVerification): DataError {
  const found =
    by === 'counts'
      ? `the source has ${rows.source} rows, ${rows.read} were read, the table has ${rows.target}`
      : differText(details!);
  return new DataError(`verifying ${stream}: ${found}; the load is committed`, {
    code: 'verify.differs',
    remedy: '`sluice verify` names the rows; `--full-refresh` loads all of them again',
  });
}

function differText({
  missing,
  extra,
  changed,
}: Pick<StreamComparison, 'missing' | 'extra' | 'changed'>): string {
  const parts = Object.entries({ missing, extra, changed }).filter(([, count]) => count > 0);
  return `rows differ: ${parts.map(([kind, count]) => `${count} ${kind}`).join(', ')}`;
}
