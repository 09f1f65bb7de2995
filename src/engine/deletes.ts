/**
 * Makes the keys of a table those of its source. In: a load that is committed, the snapshot that it has read, and the writer of
 * its table. Out: rows that are gone from the source are removed or flagged, rows that the cursor did not see are loaded, each
 * in one commit; or nothing. Only what was compared to its end counts: an error leaves the table as it is.
 */
import type { GoneRows, Load, Supersede, TableWriter } from '../core/destination.ts';
import { DataError, throwIfAborted, TransientError } from '../core/errors.ts';
import type { SliceReader } from '../core/source.ts';
import type { Checkpoint, DeletesConfig, Slice, SliceRange } from '../core/stream.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { findGone, type GoneKeys } from './find-gone.ts';
import type { LoadJob, LoadOutcome } from './load-job.ts';

/** More than this are taken for a mistake, of a hundred rows that are there. */
const MOST_PERCENT = 50;

export async function withDeletes(
  job: LoadJob,
  writer: TableWriter,
  loaded: LoadOutcome,
): Promise<LoadOutcome> {
  const { plan } = job.planned;
  const { name: stream, deletes: config } = plan.stream;
  if (!config || !plan.deletes || !loaded.checkpoint || loaded.checkpoint.unfinished) return loaded;
  const keys = new KeyCommits({ job, writer, how: plan.deletes, checkpoint: loaded.checkpoint });
  const started = performance.now();
  const { deleted, missing, missed } = await keys.takeOut(config);
  const seconds = (performance.now() - started) / 1000;
  job.emit({ kind: 'keys-compared', stream, how: plan.deletes, deleted, missing, seconds });
  if (missed) await keys.load(missed);
  if (missing !== undefined && missing > 0) warnMissing(job, missing, missed !== undefined);
  return { ...loaded, checkpoint: keys.checkpoint, version: keys.version ?? loaded.version };
}

/**
 * A row whose key has changed may not fit beside the one that it was: a unique index of the table refuses it. What is gone makes
 * room then. Gives the error that the load ends with: another one when it is to be tried again.
 */
export async function makeRoom(job: LoadJob, writer: TableWriter, refused: unknown): Promise<unknown> {
  const { plan, checkpoint } = job.planned;
  const { deletes: config, name: stream } = plan.stream;
  const doubled = refused instanceof DataError && refused.code.endsWith('.duplicate');
  if (!doubled || !config || plan.deletes !== 'remove' || !checkpoint || checkpoint.unfinished)
    return refused;
  const keys = new KeyCommits({ job, writer, how: plan.deletes, checkpoint });
  const { deleted } = await keys.takeOut(config);
  if (deleted === 0) return refused;
  return new TransientError(`loading ${stream}: rows whose keys are gone from the source were in the way`, {
    code: 'deletes.made_room',
    remedy: 'they were removed, and the load is tried again',
    next: 'at-once',
    cause: refused,
  });
}

function warnMissing({ planned, emit }: LoadJob, missing: number, loaded: boolean): void {
  const rows = missing === 1 ? '1 row' : `${missing.toLocaleString('en')} rows`;
  const found = `${rows} of the source ${missing === 1 ? 'was' : 'were'} not in the table, and not seen by the cursor`;
  emit({
    kind: 'warning',
    stream: planned.plan.stream.name,
    code: 'deletes.missing_keys',
    message: loaded ? `${found}: loaded by key` : found,
    ...(!loaded && { remedy: '`sluice verify` names them, `--full-refresh` loads them' }),
  });
}

interface KeyJob {
  job: LoadJob;
  writer: TableWriter;
  how: GoneRows['how'];
  checkpoint: Checkpoint;
}

class KeyCommits {
  checkpoint: Checkpoint;
  /** Of the last commit. */
  version: number | undefined;
  readonly #job: LoadJob;
  readonly #writer: TableWriter;
  readonly #how: GoneRows['how'];

  constructor({ job, writer, how, checkpoint }: KeyJob) {
    this.#job = job;
    this.#writer = writer;
    this.#how = how;
    this.checkpoint = checkpoint;
  }

  /** Removes or flags what is gone. */
  async takeOut(
    limit: DeletesConfig,
  ): Promise<{ deleted: number; missing: number | undefined; missed: SliceRange | undefined }> {
    const { counts, slots } = this.#job;
    let deleted = 0;
    let found: GoneKeys;
    do {
      found = await slots.use(() => findGone(this.#job));
      // Of the first look: after a commit there are fewer rows, and the others are gone all the same.
      if (deleted === 0) refuseMany(this.#job.planned.plan.stream.name, limit, found);
      if (found.gone > 0) deleted += await this.#commitGone(found);
    } while (found.gone > found.hashes.size);
    const { totals } = counts;
    totals.deleted = (totals.deleted ?? 0) + deleted;
    return { deleted, missing: found.missing, missed: found.missed };
  }

  async #commitGone({ hashes, columns, version }: GoneKeys): Promise<number> {
    const slice: Slice = { id: `deletes-${version}`, range: { kind: 'all' }, overlap: false };
    const how = { kind: 'gone', how: this.#how, columns } as const;
    const { changed } = await this.#commit(slice, how, async () => hashes.reader());
    return changed ?? hashes.size;
  }

  /** Rows that are not in the table. */
  async load(range: SliceRange): Promise<void> {
    const { planned, source, signal, counts } = this.#job;
    const { plan, survey, schema } = planned;
    const slice: Slice = { id: `missing-${this.version ?? planned.table!.version}`, range, overlap: false };
    const strategy = STRATEGIES[plan.stream.load];
    const how = strategy.supersedes({ stream: plan.stream, schema, survey, slices: [slice], whole: false });
    const { load } = await this.#commit(slice, how, () => source.read(plan.stream, survey, slice, signal));
    const { totals } = counts;
    totals.rows += load.facts.rows;
    totals.bytes += load.facts.bytes;
    totals.loaded += load.rows;
    totals.written += load.bytes;
  }

  async #commit(
    slice: Slice,
    how: Supersede,
    read: () => Promise<SliceReader>,
  ): Promise<{ load: Load; changed: number | undefined }> {
    const { source, signal, emit, slots, planned } = this.#job;
    const step = { kind: 'step', stream: planned.plan.stream.name, slice: slice.id } as const;
    const load = await slots.use(() => this.#stage(slice, how, read));
    emit({ ...step, step: 'staged', rows: load.rows });
    try {
      throwIfAborted(signal);
    } catch (error) {
      await this.#writer.abort([load]);
      throw error;
    }
    emit({ ...step, step: 'publish' });
    // From now on the table is as the source was at this moment: one from before would bring rows back. And not all that an
    // earlier snapshot had in view is in the table any more.
    const checkpoint = { ...this.checkpoint, seen: undefined, readAt: source.at };
    const { version, changed } = await this.#writer.commit([load], how, checkpoint);
    this.checkpoint = checkpoint;
    this.version = version;
    this.#job.progressed();
    emit({ ...step, step: 'published' });
    return { load, changed };
  }

  async #stage(slice: Slice, how: Supersede, read: () => Promise<SliceReader>): Promise<Load> {
    const reader = await read();
    const options = { distinct: undefined, supersede: how, together: false, onRows: () => undefined };
    try {
      return await this.#writer.stage(slice, reader, options, this.#job.signal);
    } finally {
      await reader.close();
    }
  }
}

function refuseMany(stream: string, { how, atMost = {} }: DeletesConfig, { gone, rows }: GoneKeys): void {
  const { rows: most = (rows * (atMost.percent ?? MOST_PERCENT)) / 100 } = atMost;
  if (gone <= most) return;
  const all = gone === rows ? 'all' : gone.toLocaleString('en');
  const doing = how === 'flag' ? 'flagging' : 'removing';
  throw new DataError(
    `${doing} deleted rows of ${stream}: ${all} of the ${rows.toLocaleString('en')} rows of the table are gone from the source, which is more than \`deletes\` allows; none of them was touched`,
    {
      code: 'deletes.too_many',
      remedy:
        'if they were deleted, allow more with `deletes: { how, at_most }`, or load all of it with --full-refresh; if not, look at the source, its rights and `where`',
      details: { stream, gone, rows },
    },
  );
}
