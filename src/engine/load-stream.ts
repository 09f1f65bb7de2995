/**
 * Loads one planned stream. In: the plan, made while the stream's lease is held. Out: totals. Every commit makes one or all
 * slices visible together with the checkpoint; whatever stops us between commits leaves nothing behind that a reader sees.
 */
import type { Destination, Load, Supersede, TableWriter } from '../core/destination.ts';
import { throwIfAborted } from '../core/errors.ts';
import type { Listener, StreamTotals } from '../core/events.ts';
import type { Snapshot } from '../core/source.ts';
import type { Checkpoint, Slice } from '../core/stream.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { inParallel } from './parallel.ts';
import type { Planned } from './plan-stream.ts';

export interface LoadJob {
  planned: Planned;
  source: Snapshot;
  destination: Destination;
  run: string;
  fence: number;
  /** The lease was taken from somebody who may still be alive: shut them out first. */
  takenOver: boolean;
  /** The user chose the window: the watermark stays where it is. */
  ownWindow: boolean;
  workers: number;
  signal: AbortSignal;
  emit: Listener;
  /** Something was committed: failures before it no longer count. */
  progressed(): void;
  totals: StreamTotals;
}

/** Returns the checkpoint after the last commit. */
export async function loadStream(job: LoadJob): Promise<Checkpoint | undefined> {
  const { planned, source, destination, signal } = job;
  const { stream } = planned.plan;
  const first = planned.table === undefined;
  const writer = await destination.openTable(
    {
      table: stream.table,
      stream: stream.name,
      schema: planned.schema,
      partitionBy: partitionBy(job),
      run: job.run,
      fence: job.fence,
      expectedVersion: planned.table?.version ?? 0,
      loadedAt: source.at,
      operation: planned.checkpoint ? 'upsert' : 'snapshot',
    },
    signal,
  );
  try {
    if (job.takenOver && !first) await writer.commit([], { kind: 'nothing' }, undefined);
    return await new StreamLoad(job, writer).run();
  } finally {
    await writer.close();
  }
}

/** Names in the configuration are those of the source. */
function partitionBy(job: LoadJob): Planned['plan']['stream']['partitionBy'] {
  const { partitionBy: by, rename } = job.planned.plan.stream;
  return by && { column: rename[by.column] ?? by.column, by: by.by };
}

class StreamLoad {
  readonly #job: LoadJob;
  readonly #writer: TableWriter;
  #checkpoint: Checkpoint | undefined;
  #restart: boolean;
  /** Commits follow one another. */
  #committing: Promise<unknown> = Promise.resolve();
  #left: number;
  readonly #done = new Set<string>();

  constructor(job: LoadJob, writer: TableWriter) {
    this.#job = job;
    this.#writer = writer;
    this.#checkpoint = job.planned.checkpoint;
    this.#restart = job.planned.slices.restart;
    this.#left = job.planned.slices.slices.length;
  }

  async run(): Promise<Checkpoint | undefined> {
    const { planned, workers } = this.#job;
    const { slices, parallel } = planned.slices;
    const strategy = STRATEGIES[planned.plan.stream.load];
    // A full refresh takes the place of everything at once, whatever the strategy does day by day.
    if (strategy.commits === 'together' || planned.fullRefresh) await this.#together(slices, parallel ? workers : 1);
    else {
      this.#rememberParts(slices, parallel);
      await inParallel(slices, parallel ? workers : 1, (slice, index) => this.#oneByOne(slice, index));
      if (slices.length === 0) await this.#commitSchema();
    }
    return this.#checkpoint;
  }

  async #together(slices: Slice[], workers: number): Promise<void> {
    const loads: Load[] = [];
    try {
      await inParallel(slices, workers, async (slice, index) => {
        loads.push(await this.#stage(slice, index));
      });
      throwIfAborted(this.#job.signal);
      const { planned, source } = this.#job;
      const checkpoint = source.advance({ stream: planned.plan.stream, survey: planned.survey, before: undefined, loads, last: true });
      await this.#commit(loads, { kind: 'everything' }, this.#withDay(checkpoint, loads));
    } catch (error) {
      await this.#writer.abort(loads);
      throw error;
    }
  }

  async #oneByOne(slice: Slice, index: number): Promise<void> {
    const load = await this.#stage(slice, index);
    const commit = this.#committing.then(async () => {
      try {
        throwIfAborted(this.#job.signal);
        this.#left--;
        await this.#commitOne(load);
      } catch (error) {
        await this.#writer.abort([load]);
        throw error;
      }
    });
    this.#committing = commit.catch(() => undefined);
    await commit;
  }

  async #commitOne(load: Load): Promise<void> {
    const { planned, source, ownWindow } = this.#job;
    const { stream } = planned.plan;
    const last = this.#left === 0;
    const advanced = source.advance({ stream, survey: planned.survey, before: this.#checkpoint, loads: [load], last });
    const unfinished = last ? undefined : this.#partsAfter(load.slice);
    const checkpoint = ownWindow ? this.#unmoved(advanced, load) : this.#withDay({ ...advanced, ...(unfinished && { unfinished }) }, [load]);
    if (this.#nothingChanged(load, checkpoint)) {
      await this.#writer.abort([load]);
      return;
    }
    const supersede: Supersede = this.#restart
      ? { kind: 'everything' }
      : STRATEGIES[stream.load].supersedes({ stream, schema: planned.schema, survey: planned.survey, slices: [load.slice] });
    await this.#commit([load], supersede, checkpoint);
    this.#restart = false;
  }

  /** A window of the user's says nothing about what lies outside of it, so without a checkpoint the next run reads everything. */
  #unmoved(advanced: Checkpoint, load: Load): Checkpoint {
    if (this.#checkpoint) return this.#checkpoint;
    const { date, cursor } = this.#job.planned.plan.stream;
    return date ? this.#withDay(advanced, [load]) : { cursor, readAt: advanced.readAt };
  }

  /** An overlap that brought nothing is worth a commit only when the watermark moves, so that it need not be read again. */
  #nothingChanged(load: Load, checkpoint: Checkpoint): boolean {
    const { planned } = this.#job;
    if (load.rows > 0 || planned.table === undefined || planned.plan.changes.length > 0 || planned.plan.stream.date) return false;
    const before = this.#checkpoint;
    const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
    return before !== undefined && same({ ...before, readAt: '' }, { ...checkpoint, readAt: '' });
  }

  async #commitSchema(): Promise<void> {
    if (this.#job.planned.plan.changes.length > 0 && this.#checkpoint) await this.#commit([], { kind: 'nothing' }, this.#checkpoint);
  }

  async #commit(loads: Load[], supersede: Supersede, checkpoint: Checkpoint): Promise<void> {
    const { emit, planned, totals } = this.#job;
    const name = planned.plan.stream.name;
    const label = loads.length === 1 ? loads[0]!.slice.id : 'all';
    emit({ kind: 'step', stream: name, slice: label, step: 'publish' });
    await this.#writer.commit(loads, supersede, checkpoint);
    this.#checkpoint = checkpoint;
    for (const load of loads) this.#done.add(load.slice.id);
    this.#job.progressed();
    emit({ kind: 'step', stream: name, slice: label, step: 'published' });
    for (const load of loads) {
      totals.loaded += load.rows;
      totals.written += load.bytes;
      emit({ kind: 'slice-committed', stream: name, slice: load.slice.id, rows: load.facts.rows, loaded: load.rows, bytes: load.facts.bytes, seconds: 0 });
    }
  }

  async #stage(slice: Slice, index: number): Promise<Load> {
    const { planned, source, signal, emit, totals } = this.#job;
    const { stream } = planned.plan;
    throwIfAborted(signal);
    emit({ kind: 'slice-started', stream: stream.name, slice: slice.id, index, slices: planned.slices.slices.length, attempt: 1 });
    const reader = await source.read(stream, planned.survey, slice, signal);
    try {
      const load = await this.#writer.stage(
        slice,
        reader,
        {
          distinct: slice.overlap && planned.table ? this.#distinct(slice) : undefined,
          onRows: (rows, bytes) => emit({ kind: 'progress', stream: stream.name, slice: slice.id, rows, bytes }),
        },
        signal,
      );
      emit({ kind: 'step', stream: stream.name, slice: slice.id, step: 'staged', rows: load.rows });
      totals.rows += load.facts.rows;
      totals.bytes += load.facts.bytes;
      for (const [column, count] of Object.entries(load.facts.coerced)) totals.coerced[column] = (totals.coerced[column] ?? 0) + count;
      return load;
    } finally {
      await reader.close();
    }
  }

  /** Rows outside of the cursor's order (no value, lookback) may lie anywhere in the table. */
  #distinct(slice: Slice): { key: string[]; cursor: string[]; from: string | undefined } {
    const { planned } = this.#job;
    const { stream } = planned.plan;
    const range = slice.range.kind === 'cursor' ? slice.range : undefined;
    const ordered = range && !range.since && !(range.nulls && planned.survey.cursor?.nullRows !== false);
    const cursor = stream.cursor.length === 1 && stream.cursor[0] === 'xmin' ? ['_sluice_xmin'] : stream.cursor.map((name) => stream.rename[name] ?? name);
    return { key: [...planned.schema.key], cursor, from: ordered ? range.from : undefined };
  }

  /** The parts of a first load are remembered, so that another run can go on. */
  #rememberParts(slices: Slice[], parallel: boolean): void {
    const { planned } = this.#job;
    if (!parallel || slices.length < 2 || !planned.survey.cursor || this.#checkpoint?.unfinished) return;
    const base = this.#checkpoint ?? { cursor: planned.plan.stream.cursor };
    this.#checkpoint = { ...base, unfinished: { layout: planned.survey.layout, slices, done: [], horizon: planned.survey.cursor.horizon } };
  }

  #partsAfter(done: Slice): Checkpoint['unfinished'] {
    const unfinished = this.#checkpoint?.unfinished;
    return unfinished && { ...unfinished, done: [...unfinished.done, done.id] };
  }

  /** Dated streams note the newest day up to which all are loaded; days may be committed out of order. */
  #withDay(checkpoint: Checkpoint, loads: Load[]): Checkpoint {
    const done = new Set([...this.#done, ...loads.map((load) => load.slice.id)]);
    const { slices } = this.#job.planned.slices;
    const missing = slices.findIndex((slice) => !done.has(slice.id));
    const whole = missing < 0 ? slices : slices.slice(0, missing);
    const days = whole.map((slice) => /^day-(.+)$/.exec(slice.id)?.[1]).filter((day) => day !== undefined);
    const day = [...days, this.#checkpoint?.day].filter((each) => each !== undefined).sort().at(-1);
    return day === undefined ? checkpoint : { ...checkpoint, day };
  }
}

