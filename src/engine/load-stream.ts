/**
 * Loads one planned stream. In: the plan, made while the stream's lease is held. Out: totals. Every commit makes one or all
 * slices visible together with the checkpoint; whatever stops us between commits leaves nothing behind that a reader sees.
 */
import type { Load, Supersede, TableWriter } from '../core/destination.ts';
import { throwIfAborted } from '../core/errors.ts';
import type { Checkpoint, Slice } from '../core/stream.ts';
import { addDays } from '../core/units.ts';
import { Quarantine } from '../gate/quarantine.ts';
import { STRATEGIES } from '../strategies/index.ts';
import type { Strategy } from '../strategies/strategy.ts';
import { checkpointAlone } from './checkpoint-alone.ts';
import { BY_DATES } from './date-slices.ts';
import { makeRoom, withDeletes } from './deletes.ts';
import { distinctRows } from './distinct-rows.ts';
import { essence } from './essence.ts';
import type { LoadJob, LoadOutcome } from './load-job.ts';
import { inParallel } from './parallel.ts';
import { partitionBy } from './partition-by.ts';
import { PutAside } from './put-aside.ts';
import { keptBeside } from './side-quarantine.ts';
import { leaveOutRefused } from './refused-rows.ts';
import { retrySlice } from './slice-retry.ts';
import { type StagedTimes, Staging, timingOf } from './staging.ts';

export async function loadStream(job: LoadJob): Promise<LoadOutcome> {
  const { planned, source, destination, signal } = job;
  const { stream } = planned.plan;
  const first = planned.table === undefined;
  const scope = { run: job.run, table: stream.table, stream: stream.name };
  const quarantine = new Quarantine(job.quarantine, scope);
  const writer = await destination.openTable(
    {
      table: stream.table,
      stream: stream.name,
      schema: planned.schema,
      partitionBy: partitionBy(stream),
      run: job.run,
      fence: job.fence,
      expectedVersion: planned.table?.version ?? 0,
      loadedAt: source.at,
      operation: planned.checkpoint ? 'upsert' : 'snapshot',
      history: STRATEGIES[stream.load].history,
      givenKey: isGiven(planned),
      structure: job.structure,
      loadMethod: stream.loadMethod,
      loadColumns: stream.loadColumns ?? planned.survey.fetched,
      export: stream.export,
      indexesOff: planned.plan.indexesOff !== undefined,
    },
    signal,
  );
  try {
    await quarantine.sweep(planned.table?.checkpoint?.quarantine ?? [], () =>
      keptBeside({
        beside: job.destination.beside,
        home: job.quarantine,
        table: stream.table,
        signal,
      }),
    );
    if (job.takenOver && !first) await writer.commit([], { kind: 'nothing' }, undefined);
    const loaded = await new StreamLoad(job, writer, quarantine).run().catch(async (error: unknown) => {
      throw await makeRoom(job, writer, error);
    });
    return await withDeletes(job, writer, loaded);
  } finally {
    await writer.close();
  }
}

/** No database has looked at texts. */
function isGiven({ plan: { stream }, survey }: LoadJob['planned']): boolean {
  const { key, load } = stream;
  const texts = survey.repeatable === true && survey.schema.key.length > 0;
  return load === 'merge' ? texts || key !== undefined : load === 'replace' && texts;
}

const NOTHING: Supersede = { kind: 'nothing' };

class StreamLoad {
  readonly #job: LoadJob;
  readonly #writer: TableWriter;
  #checkpoint: Checkpoint | undefined;
  #restart: boolean;
  /** Commits follow one another. */
  #committing: Promise<unknown> = Promise.resolve();
  #left: number;
  readonly #done = new Set<string>();
  /** Seconds that staging took. */
  readonly #staged = new WeakMap<Load, StagedTimes>();
  readonly #aside: PutAside;
  readonly #quarantine: Quarantine;
  /** The table holds nothing but rows of this load's own snapshot. */
  #fresh: boolean;
  #version: number | undefined;
  #read = 0;
  readonly #strategy: Strategy;
  /** No load takes the place of what is there as a whole. */
  readonly #keeps: boolean;

  constructor(job: LoadJob, writer: TableWriter, quarantine: Quarantine) {
    this.#job = job;
    this.#quarantine = quarantine;
    this.#aside = new PutAside({ ...job, quarantine });
    this.#writer = writer;
    this.#checkpoint = job.planned.checkpoint;
    this.#strategy = STRATEGIES[job.planned.plan.stream.load];
    this.#keeps = this.#strategy.history === 'versions';
    this.#restart = job.planned.slices.restart && !this.#keeps;
    this.#fresh = job.apart || (job.planned.table?.rows ?? 0) === 0;
    this.#left = job.planned.slices.slices.length;
    job.counts.begin();
  }

  async run(): Promise<LoadOutcome> {
    const { planned, slots } = this.#job;
    const { slices, parallel, restart } = planned.slices;
    // A full refresh takes the place of everything at once, whatever the strategy does day by day. Where that stays, all of the
    // source has to be there at once to see what is gone.
    const refresh = planned.fullRefresh || (restart && this.#keeps);
    const replay = slices.some(({ range }) => range.kind === 'quarantine');
    if (refresh || (!replay && this.#atOnce(slices))) await this.#together(slices, parallel ? slots.size : 1);
    else {
      this.#rememberParts(slices, parallel);
      await inParallel(slices, parallel ? slots.size : 1, (slice, index) => this.#oneByOne(slice, index));
      const alone = slices.length === 0 ? checkpointAlone(this.#job, this.#checkpoint) : undefined;
      if (alone) await this.#commit([], { kind: 'nothing' }, alone);
    }
    return {
      checkpoint: this.#checkpoint,
      version: this.#version,
      read: this.#read,
      aside: this.#aside.count,
      alone: this.#fresh,
    };
  }

  #atOnce(slices: readonly Slice[]): boolean {
    const { plan, survey } = this.#job.planned;
    if (this.#strategy.commits(plan.stream) === 'together') return true;
    // Parts of a whole may share keys, and none of them takes the place of another one.
    if (survey.repeatable && !survey.arrived) return slices.length > 1;
    // One commit is all at once; and what brings nothing new needs none.
    if (survey.arrived?.again === true && slices.length < 2 && plan.stream.load === 'append') return false;
    // Rows with a key take the place of those that were loaded when they come again.
    return survey.arrived?.whole === true && plan.stream.load === 'append';
  }

  async #together(slices: Slice[], workers: number): Promise<void> {
    for (const loads: Load[] = []; ; loads.length = 0) {
      try {
        return await this.#allAtOnce(slices, workers, loads);
      } catch (error) {
        await this.#writer.abort(loads);
        if (!(await this.#leavesOut(slices, this.#replacing(), error))) throw error;
        this.#forget(loads);
      }
    }
  }

  async #allAtOnce(slices: Slice[], workers: number, loads: Load[]): Promise<void> {
    await inParallel(slices, workers, async (slice, index) => {
      loads.push(await this.#stage(slice, index, this.#replacing()));
    });
    throwIfAborted(this.#job.signal);
    const { planned, source, ownWindow } = this.#job;
    const advanced = source.advance({
      stream: planned.plan.stream,
      survey: planned.survey,
      before: undefined,
      loads,
      last: true,
    });
    const windowed = ownWindow && planned.plan.stream.cursor.length > 0;
    const checkpoint = windowed ? this.#unmoved(advanced, loads) : this.#withDay(advanced, loads);
    const how = this.#replacing();
    if (how.kind === 'nothing' && (await this.#nothingChanged(loads, checkpoint))) await this.#giveUp(loads);
    else await this.#commit(loads, how, checkpoint);
  }

  /** What loads that are committed together take the place of. */
  #replacing(): Supersede {
    const { fullRefresh, slices } = this.#job.planned;
    if (this.#keeps ? this.#fresh : fullRefresh) return { kind: 'everything' };
    return this.#superseded(slices.slices, slices.whole === true);
  }

  #superseded(slices: Slice[], whole: boolean): Supersede {
    const { plan, schema, survey } = this.#job.planned;
    return this.#strategy.supersedes({ stream: plan.stream, schema, survey, slices, whole });
  }

  async #oneByOne(slice: Slice, index: number): Promise<void> {
    for (;;) {
      const load = await this.#stage(slice, index);
      const commit = this.#committing.then(async () => {
        this.#left--;
        try {
          throwIfAborted(this.#job.signal);
          await this.#commitOne(load);
        } catch (error) {
          // The last one is whoever has none left after it.
          this.#left++;
          await this.#writer.abort([load]);
          throw error;
        }
      });
      this.#committing = commit.catch(() => undefined);
      try {
        return await commit;
      } catch (error) {
        if (!(await this.#leavesOut([slice], this.#supersede(slice), error))) throw error;
        this.#forget([load]);
      }
    }
  }

  /** They are staged again. */
  #forget(loads: readonly Load[]): void {
    for (const load of loads) {
      this.#aside.forget(load);
      this.#read -= load.facts.rows;
      this.#job.counts.forget(load);
    }
  }

  /** What they have brought is there. */
  #giveUp(loads: Load[], quarantined = 0): Promise<void> {
    this.#job.counts.settled(new Map(loads.map((load) => [load, { loaded: 0, written: 0, quarantined }])));
    return this.#writer.abort(loads);
  }

  #leavesOut(slices: readonly Slice[], how: Supersede, error: unknown): Promise<boolean> {
    const [writer, aside, quarantine] = [this.#writer, this.#aside, this.#quarantine];
    return leaveOutRefused({ ...this.#job, writer, aside, quarantine }, slices, how, error);
  }

  async #commitOne(load: Load): Promise<void> {
    const { planned, source, ownWindow } = this.#job;
    const { stream } = planned.plan;
    // Records that are read again are behind the watermark, of which nothing else is known here; files are known by name.
    if (load.slice.range.kind === 'quarantine' && !stream.files) {
      if (load.rows > 0) return this.#commit([load], this.#supersede(load.slice), this.#checkpoint!);
      return this.#giveUp([load], load.facts.quarantined);
    }
    const last = this.#left === 0;
    const advanced = source.advance({
      stream,
      survey: planned.survey,
      before: this.#checkpoint,
      loads: [load],
      last,
    });
    const unfinished = last ? undefined : this.#partsAfter(load.slice);
    const { unfinished: _, ...moved } = ownWindow
      ? this.#unmoved(advanced, [load])
      : this.#withDay(advanced, [load]);
    const checkpoint = { ...moved, ...(unfinished && { unfinished }) };
    if (await this.#nothingChanged([load], checkpoint)) return this.#giveUp([load]);
    await this.#commit([load], this.#supersede(load.slice), checkpoint);
    this.#fresh ||= this.#restart;
    this.#restart = false;
  }

  #supersede(slice: Slice): Supersede {
    if (this.#restart) return { kind: 'everything' };
    const how = this.#superseded([slice], false);
    // Parts of one snapshot have no key and no window in common, so a first load need not look for them. What arrives may.
    const { arrived } = this.#job.planned.survey;
    if (arrived && arrived.distinct !== true) return how;
    return how.kind !== 'everything' && this.#fresh ? { kind: 'nothing' } : how;
  }

  /**
   * A window of the user's says nothing about what lies outside of it, so without a checkpoint the next run reads
   * everything. What it has loaded beyond `high` has to be compared from now on.
   */
  #unmoved(advanced: Checkpoint, loads: Load[]): Checkpoint {
    const { date, cursor } = this.#job.planned.plan.stream;
    const before = this.#checkpoint;
    if (before && this.#job.planned.checkpoint)
      return {
        ...before,
        ...(before.high !== undefined && { high: advanced.high }),
        // Versions that begin at a moment cannot be followed by those of an earlier one.
        ...(this.#keeps && { readAt: advanced.readAt }),
      };
    return date ? this.#withDay(advanced, loads) : { cursor, readAt: advanced.readAt };
  }

  /** A slice that brought nothing is worth a commit only when what was read need not be read again after it. */
  async #nothingChanged(loads: readonly Load[], checkpoint: Checkpoint): Promise<boolean> {
    const { planned } = this.#job;
    const before = this.#checkpoint;
    if (
      loads.some(({ rows }) => rows > 0) ||
      !before ||
      planned.table === undefined ||
      // What has no rows any more shows in no row.
      planned.survey.group !== undefined ||
      planned.plan.changes.length > 0 ||
      planned.plan.stream.date
    )
      return false;
    const read = loads.some(({ facts }) => facts.rows > 0);
    if (essence(before, read) !== essence(checkpoint, read)) return false;
    return !(await this.#aside.hasFresh(loads, before.quarantine));
  }

  async #commit(loads: Load[], supersede: Supersede, checkpoint: Checkpoint): Promise<void> {
    const { emit, planned, counts } = this.#job;
    const name = planned.plan.stream.name;
    const label = loads.length === 1 ? loads[0]!.slice.id : 'all';
    emit({ kind: 'step', stream: name, slice: label, step: 'publish' });
    const started = performance.now();
    // What takes the place of everything has read all that was put aside before.
    const before = supersede.kind === 'everything' ? undefined : this.#checkpoint?.quarantine;
    const { changed, version } = await this.#aside.keep(loads, before, async (quarantine) => {
      const { quarantine: _, ...moved } = checkpoint;
      const whole = { ...moved, accepted: planned.accepted, ...(quarantine[0] && { quarantine }) };
      const committed = await this.#writer.commit(loads, supersede, whole);
      this.#checkpoint = whole;
      return committed;
    });
    this.#version = version;
    const commit = (performance.now() - started) / 1000;
    for (const load of loads) this.#done.add(load.slice.id);
    this.#job.progressed();
    emit({ kind: 'step', stream: name, slice: label, step: 'published' });
    // What has changed is known of all of them together.
    const loadedOf = (load: Load): number =>
      changed === undefined ? load.rows : load === loads[0] ? changed : 0;
    counts.settled(
      new Map(
        loads.map((load) => [
          load,
          { loaded: loadedOf(load), written: load.bytes, quarantined: load.facts.quarantined ?? 0 },
        ]),
      ),
    );
    for (const load of loads) {
      emit({
        kind: 'slice-committed',
        stream: name,
        slice: load.slice.id,
        rows: load.facts.rows,
        loaded: loadedOf(load),
        bytes: load.facts.bytes,
        ...(load.by && { by: load.by }),
        ...(load.facts.quarantined !== undefined && { quarantined: load.facts.quarantined }),
        ...timingOf(load, this.#staged.get(load)!, commit),
      });
    }
  }

  /** `together` is set for loads that are committed with others. */
  #stage(slice: Slice, index: number, together?: Supersede): Promise<Load> {
    const { planned, signal, emit, counts } = this.#job;
    const stream = planned.plan.stream.name;
    const slices = planned.slices.slices.length;
    return retrySlice({ ...this.#job, stream, totals: counts.totals }, slice, (attempt) => {
      throwIfAborted(signal);
      emit({ kind: 'slice-started', stream, slice: slice.id, index, slices, attempt });
      return this.#stageFitting(slice, together);
    });
  }

  async #stageFitting(slice: Slice, together: Supersede | undefined): Promise<Load> {
    for (;;) {
      try {
        return await this.#stageNow(slice, together);
      } catch (error) {
        if (together || !(await this.#leavesOut([slice], this.#supersede(slice), error))) throw error;
      }
    }
  }

  async #stageNow(slice: Slice, together: Supersede | undefined): Promise<Load> {
    const { planned, source, signal, emit } = this.#job;
    const { stream } = planned.plan;
    const staging = new Staging();
    const scratch = this.#quarantine.scratch();
    const wanted = await this.#aside.wanted(slice, scratch);
    const reader = staging.watch(await source.read(stream, planned.survey, wanted, signal));
    // What is to be replaced as a whole is not there to compare with.
    const compares = (together ?? NOTHING).kind === 'nothing' && this.#meetsLoaded(slice);
    const distinct = compares ? distinctRows(planned, slice) : undefined;
    try {
      const load = await this.#writer.stage(
        slice,
        reader,
        {
          distinct,
          supersede: together ?? this.#supersede(slice),
          together: together !== undefined,
          order: planned.slices.slices.indexOf(slice),
          onRows: (rows, bytes) =>
            emit({ kind: 'progress', stream: stream.name, slice: slice.id, rows, bytes }),
        },
        signal,
      );
      this.#staged.set(load, staging.end());
      await this.#aside.staged(load, scratch).catch(async (error: unknown) => {
        await this.#writer.abort([load]);
        throw error;
      });
      emit({ kind: 'step', stream: stream.name, slice: slice.id, step: 'staged', rows: load.rows });
      this.#read += load.facts.rows;
      this.#job.counts.staged(load, distinct !== undefined);
      return load;
    } finally {
      await reader.close();
    }
  }

  #meetsLoaded(slice: Slice): boolean {
    const { table } = this.#job.planned;
    return table !== undefined && !this.#restart && (slice.overlap || (this.#keeps && !this.#fresh));
  }

  /** The parts of a first load are remembered, so that another run can go on. */
  #rememberParts(slices: Slice[], parallel: boolean): void {
    const { survey, plan } = this.#job.planned;
    const { cursor } = survey;
    if (!parallel || slices.length < 2 || plan.action === 'resume' || !(cursor ?? survey.days)) return;
    const layout = cursor ? survey.layout : BY_DATES;
    this.#checkpoint = {
      ...(this.#checkpoint ?? { cursor: plan.stream.cursor }),
      unfinished: { layout, slices, done: [], horizon: cursor?.horizon },
    };
  }

  #settled({ id, range }: Slice): boolean {
    const { slices, survey } = this.#job.planned;
    if (range.kind === 'missing') return false;
    return (survey.days ?? []).every(({ settled }, i) => settled || slices.sliceOf![i] !== id);
  }

  #partsAfter(done: Slice): Checkpoint['unfinished'] {
    const unfinished = this.#checkpoint?.unfinished;
    // What somebody may still write to is loaded again.
    if (!unfinished || !this.#settled(done)) return unfinished;
    return { ...unfinished, done: [...unfinished.done, done.id] };
  }

  /**
   * Dated streams note the day up to which all are loaded for good; days may be committed out of order, and those that
   * somebody may still write to are loaded again.
   */
  #withDay(checkpoint: Checkpoint, loads: Load[]): Checkpoint {
    const { slices, survey } = this.#job.planned;
    const days = survey.days ?? [];
    const before = this.#checkpoint?.day;
    if (days.length === 0) return before === undefined ? checkpoint : { ...checkpoint, day: before };
    const earlier = this.#checkpoint?.unfinished?.layout === BY_DATES ? this.#checkpoint.unfinished.done : [];
    const done = new Set([...this.#done, ...earlier, ...loads.map((load) => load.slice.id)]);
    const open = days.findIndex(({ settled }, i) => !settled || !done.has(slices.sliceOf![i]!));
    const last = open < 0 ? days.at(-1)!.day : addDays(days[open]!.day, -1);
    return { ...checkpoint, day: before !== undefined && before > last ? before : last };
  }
}
