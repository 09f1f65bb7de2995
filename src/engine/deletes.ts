/**
 * Takes rows out of a table, or flags them, whose keys are gone from the source. In: a load that is committed, the snapshot that
 * it has read, and the writer of its table. Out: commits with what is gone, or none. Only what was compared to its end counts: an
 * error leaves the table as it is.
 */
import type { TableWriter } from '../core/destination.ts';
import { DataError, throwIfAborted } from '../core/errors.ts';
import type { DeletesConfig } from '../core/stream.ts';
import { findGone, type GoneKeys } from './find-gone.ts';
import type { LoadJob, LoadOutcome } from './load-stream.ts';

/** More than this are taken for a mistake, of a hundred rows that are there. */
const MOST_PERCENT = 50;

export async function withDeletes(
  job: LoadJob,
  writer: TableWriter,
  loaded: LoadOutcome,
): Promise<LoadOutcome> {
  const { plan } = job.planned;
  const { name: stream, deletes } = plan.stream;
  if (!deletes || !plan.deletes || !loaded.checkpoint || loaded.checkpoint.unfinished) return loaded;
  const started = performance.now();
  const outcome = { ...loaded };
  let deleted = 0;
  let found: GoneKeys;
  do {
    found = await job.slots.use(() => findGone(job));
    // Of the first look: after a commit there are fewer rows, and the others are gone all the same.
    if (deleted === 0) refuseMany(stream, deletes, found);
    if (found.gone > 0) deleted += await commitGone({ job, writer, outcome, deletes }, found);
  } while (found.gone > found.hashes.size);
  const { missing } = found;
  job.totals.deleted = (job.totals.deleted ?? 0) + deleted;
  const seconds = (performance.now() - started) / 1000;
  job.emit({ kind: 'keys-compared', stream, how: deletes.how, deleted, missing, seconds });
  if (missing !== undefined && missing > 0) warnMissing(job, missing);
  return outcome;
}

function refuseMany(stream: string, { how, atMost = {} }: DeletesConfig, { gone, rows }: GoneKeys): void {
  const { rows: most = (rows * (atMost.percent ?? MOST_PERCENT)) / 100 } = atMost;
  if (gone <= most) return;
  const all = gone === rows ? 'all' : gone.toLocaleString('en');
  const doing = how === 'flag' ? 'flagging' : 'removing';
  throw new DataError(
    `${doing} deleted rows of ${stream}: ${all} of the ${rows.toLocaleString('en')} rows of the table are gone from the source, which is more than \`deletes\` allows; what was loaded is committed, and no row was touched`,
    {
      code: 'deletes.too_many',
      remedy:
        'if they were deleted, allow more with `deletes: { how, at_most }`, or load all of it with --full-refresh; if not, look at the source, its rights and `where`',
      details: { stream, gone, rows },
    },
  );
}

interface GoneCommit {
  job: LoadJob;
  writer: TableWriter;
  outcome: LoadOutcome;
  deletes: DeletesConfig;
}

async function commitGone(
  { job, writer, outcome, deletes }: GoneCommit,
  { hashes, columns, version }: GoneKeys,
): Promise<number> {
  const { source, signal, emit, slots } = job;
  const { name: stream } = job.planned.plan.stream;
  const how = { kind: 'gone', how: deletes.how, columns } as const;
  const slice = { id: `deletes-${version}`, range: { kind: 'all' }, overlap: false } as const;
  const options = { distinct: undefined, supersede: how, together: false, onRows: () => undefined };
  const step = { kind: 'step', stream, slice: slice.id } as const;
  const load = await slots.use(() => writer.stage(slice, hashes.reader(), options, signal));
  emit({ ...step, step: 'staged', rows: load.rows });
  try {
    throwIfAborted(signal);
  } catch (error) {
    await writer.abort([load]);
    throw error;
  }
  emit({ ...step, step: 'publish' });
  // From now on the table is as the source was at this moment: one from before would bring rows back.
  const checkpoint = { ...outcome.checkpoint!, readAt: source.at };
  const committed = await writer.commit([load], how, checkpoint);
  Object.assign(outcome, { checkpoint, version: committed.version });
  job.progressed();
  emit({ ...step, step: 'published' });
  return committed.changed ?? hashes.size;
}

function warnMissing({ planned, emit }: LoadJob, missing: number): void {
  const rows = missing === 1 ? '1 row' : `${missing.toLocaleString('en')} rows`;
  emit({
    kind: 'warning',
    stream: planned.plan.stream.name,
    code: 'deletes.missing_keys',
    message: `${rows} of the source are not in the table, and the cursor does not see them`,
    remedy: '`sluice verify` names them, `--full-refresh` loads them',
  });
}
