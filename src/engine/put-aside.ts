/** What becomes of records of a stream that did not fit, between their reading and the commit of the others. */
import type { ColumnLimits } from '../core/diagnose.ts';
import type { Destination, Load } from '../core/destination.ts';
import { DataError, TransientError } from '../core/errors.ts';
import type { QuarantineFile, RefusedRow } from '../core/quarantine.ts';
import type { SliceToRead } from '../core/source.ts';
import type { Slice } from '../core/stream.ts';
import type { Earlier, Quarantine } from '../gate/quarantine.ts';
import { exceeded } from '../gate/threshold.ts';
import type { LoadCounts } from './count-load.ts';
import { limitsRequest } from './limits-request.ts';
import type { Planned } from './plan-stream.ts';

interface PutAsideJob {
  planned: Planned;
  destination: Pick<Destination, 'limits'>;
  signal: AbortSignal;
  quarantine: Quarantine;
  counts: LoadCounts;
}

/** Kinds of mistakes that a message names. */
const REASONS_SHOWN = 3;

export class PutAside {
  readonly #job: PutAsideJob;
  #limits: Promise<readonly ColumnLimits[]> | undefined;
  /** By slice. */
  readonly #refused = new Map<string, RefusedRow[]>();
  readonly #scratch = new WeakMap<Load, string>();
  /** Of loads that were read; those of before are counted. */
  #bad = 0;

  constructor(job: PutAsideJob) {
    this.#job = job;
  }

  /** Rows that were read and did not fit. */
  get count(): number {
    return this.#bad;
  }

  /** A slice as its reader gets it. */
  async wanted(slice: Slice, scratch: string): Promise<SliceToRead> {
    const { range } = slice;
    const limits = await (this.#limits ??= this.#askLimits());
    const aside = { file: scratch, limits, refused: this.#refused.get(slice.id) ?? [] };
    if (range.kind !== 'quarantine') return { ...slice, aside };
    return { ...slice, aside, kept: await this.#job.quarantine.open(range.files) };
  }

  /** From now on the slice is read without the rows that were refused. */
  leaveOut(slice: Slice, rows: readonly RefusedRow[]): void {
    const before = this.#refused.get(slice.id) ?? [];
    let out = 0;
    // Their numbers are among the rows that were not left out before; here they are among all.
    const found = rows.map(({ row, ...why }) => {
      while (out < before.length && before[out]!.row <= row + out) out++;
      return { ...why, row: row + out };
    });
    this.#refused.set(
      slice.id,
      [...before, ...found].toSorted((a, b) => a.row - b.row),
    );
  }

  /** A load that was staged is to be staged again. */
  forget({ facts }: Load): void {
    this.#bad -= facts.quarantined ?? 0;
  }

  /** Where every value is of the type of its column, it is only the target that can say what does not fit. */
  async #askLimits(): Promise<readonly ColumnLimits[]> {
    const { planned, destination, signal } = this.#job;
    if (!planned.survey.repeatable || !destination.limits) return [];
    return (await destination.limits(limitsRequest(planned), signal)).columns;
  }

  /** Throws when more records do not fit than the user allows. Those that have not fitted before are no reason to stop. */
  async staged(load: Load, scratch: string): Promise<void> {
    const { counts, planned } = this.#job;
    const { rows, quarantined = 0 } = load.facts;
    const again = replayed([load]);
    if (again.length > 0) checkWhole(planned.plan.stream.name, again, rows + quarantined);
    if (quarantined === 0) return;
    const { maxBad } = planned.plan.stream;
    const bad = this.#bad + quarantined;
    const found =
      again.length > 0 ? undefined : exceeded(maxBad, { rows: counts.totals.rows + rows + quarantined, bad });
    if (found !== undefined) throw await this.#tooMany(found, scratch);
    this.#bad = bad;
    this.#scratch.set(load, scratch);
  }

  /**
   * Keeps the records of the loads around their commit, which names them; `before` are those of earlier ones, and the commit
   * no longer names those that were read again.
   */
  async keep<T>(
    loads: readonly Load[],
    before: readonly QuarantineFile[] | undefined,
    commit: (all: readonly QuarantineFile[]) => Promise<T>,
  ): Promise<T> {
    const { quarantine } = this.#job;
    const kept: QuarantineFile[] = [];
    const used: string[] = [];
    /** Records of loads that were not there before. */
    const fresh = new Map<Load, number>();
    const again = replayed(loads);
    const gone = new Set(again.map(({ file }) => file));
    try {
      for (const load of loads) {
        const scratch = this.#scratch.get(load);
        if (scratch === undefined) continue;
        const [origin] = replayed([load]);
        const earlier = origin === undefined ? this.#earlier(load.slice, before) : undefined;
        const file = await quarantine.keep(scratch, load.slice, { origin, earlier });
        if (file) kept.push(file);
        fresh.set(load, file?.rows ?? 0);
        used.push(scratch);
      }
      const others = (before ?? []).filter(({ file }) => !gone.has(file));
      const { left, made } = await this.#withoutReplaced(others, loads);
      const added = [...kept];
      kept.push(...made);
      const done = await commit([...left, ...added]);
      for (const [load, quarantined] of fresh) load.facts = { ...load.facts, quarantined };
      for (const scratch of used) await quarantine.discardScratch(scratch);
      // What cannot be removed now is swept by the next run.
      await quarantine.discard(again).catch(() => undefined);
      return done;
    } catch (error) {
      // Whether it was committed may be unknown: the sweep of the next run will know.
      if (!(error instanceof TransientError)) await quarantine.discard(kept);
      throw error;
    }
  }

  /** Whether the loads have put records aside that are not among those of \`before\`. */
  async hasFresh(loads: readonly Load[], before: readonly QuarantineFile[] | undefined): Promise<boolean> {
    for (const load of loads) {
      const scratch = this.#scratch.get(load);
      if (scratch === undefined) continue;
      const earlier = this.#earlier(load.slice, before);
      if (!earlier || (await this.#job.quarantine.count(scratch, earlier)) > 0) return true;
    }
    return false;
  }

  /**
   * Where rows of the slice may be since an earlier run. With a key no two rows are the same; of others only what is compared
   * with the table, or takes the place of a day, has been read before. Files are known by name, and read once.
   */
  #earlier({ range, overlap }: Slice, files: readonly QuarantineFile[] = []): Earlier | undefined {
    const { plan, schema, survey } = this.#job.planned;
    if (plan.stream.files) return undefined;
    const fetched = range.kind === 'files';
    const compared = fetched ? survey.arrived?.again === true : overlap || range.kind === 'column';
    return schema.key.length > 0 || compared ? { files, anywhere: fetched } : undefined;
  }

  /** What a file has put aside before it changed goes with its rows, when it is loaded again. */
  async #withoutReplaced(
    files: readonly QuarantineFile[],
    loads: readonly Load[],
  ): Promise<{ left: readonly QuarantineFile[]; made: readonly QuarantineFile[] }> {
    const marks = this.#job.planned.checkpoint?.ledger?.files ?? {};
    const paths = loads.flatMap(({ slice: { range } }) =>
      range.kind === 'files' && range.again === true ? range.files.map((part) => part.path) : [],
    );
    const replaced = paths.filter((name) => Object.hasOwn(marks, name) && marks[name]!.bad > 0);
    if (replaced.length === 0 || files.length === 0) return { left: files, made: [] };
    const others = Object.keys(marks).filter((name) => replaced.some((file) => name.startsWith(`${file}/`)));
    return this.#job.quarantine.without(files, { files: replaced, others });
  }

  async #tooMany(found: string, scratch: string): Promise<DataError> {
    const { name } = this.#job.planned.plan.stream;
    const reasons = await this.#job.quarantine.reasons(scratch, REASONS_SHOWN);
    const texts = reasons.map(
      ({ reason, rows, document, line }) => `${reason} (${rows}, the first on line ${line} of ${document})`,
    );
    return new DataError(`loading ${name}: ${found}, do not fit: ${texts.join('; ')}`, {
      code: 'quarantine.threshold',
      remedy:
        'correct the source, pin the right types with `types`, or allow more with `max_bad`; what was committed before stays',
      details: { stream: name },
    });
  }
}

/** Files of quarantine that the commit of these loads takes the place of. */
function replayed(loads: readonly Load[]): QuarantineFile[] {
  return loads.flatMap(({ slice: { range } }) => (range.kind === 'quarantine' ? range.files : []));
}

/** Each record has become a row, or is in quarantine again, before anybody forgets it. */
function checkWhole(stream: string, files: readonly QuarantineFile[], read: number): void {
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  if (rows === read) return;
  throw new DataError(`reading records of ${stream} again: there are ${rows}, and ${read} were found`, {
    code: 'quarantine.not_whole',
    remedy:
      'are `null` and `quote` what they were? The records stay; `sluice quarantine export` writes them to a file',
    details: { stream },
  });
}
