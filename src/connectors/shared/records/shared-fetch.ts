/**
 * What a feed brings once for all streams of a run that are made of the same records: a stream, and those of arrays within it. The
 * first of them that is looked at has it fetched; the others take their copies when they would ask for the same.
 */
import { asSluiceError, throwIfAborted } from '../../../core/errors.ts';
import type { Checkpoint, RunWindow, StreamConfig } from '../../../core/stream.ts';
import type { Fetched, RecordFeed, Shape } from './feed.ts';
import { Spool } from './spool.ts';
import { Tally } from './tally.ts';

/** What one stream has of a fetch. */
export interface Feeding {
  readonly spool: Spool;
  /** Settles when all is in the spool. */
  readonly fetched: Promise<Fetched>;
  /** Others wait for the same records: who is slow holds nobody up. */
  readonly shared: boolean;
  /** Calls back when, and as often as, the shape is known before the end. */
  onEarly(known: (shape: Shape) => void): void;
  /** Never throws. */
  close(): Promise<void>;
}

export interface FetchJob {
  feed: RecordFeed;
  /** Folder of spools. */
  scratch: string;
  /** As the feed knows it. */
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
  signal: AbortSignal;
}

/** Two fetches that have the same of these bring the same. */
export function askedBy({ feed, stream, checkpoint, window }: Omit<FetchJob, 'scratch' | 'signal'>): string {
  const { key, cursor, overlapSeconds, firstRunSeconds } = stream;
  const of = [checkpoint?.watermark, checkpoint?.position, window];
  return JSON.stringify([key, cursor, overlapSeconds, firstRunSeconds, of, feed.asksBy?.(stream)]);
}

export class SharedFetch {
  readonly asked: string;
  readonly #spools = new Map<string, Spool>();
  readonly #stop = new AbortController();
  readonly #fetched: Promise<Fetched>;
  readonly #early: ((shape: Shape) => void)[] = [];
  #shape: Shape | undefined;
  #failed = false;
  /** Streams that are at it. */
  #taken = 0;

  /** `streams`: names of those that may take part. */
  constructor(job: FetchJob, streams: readonly string[]) {
    const { feed, stream, checkpoint, window, scratch } = job;
    this.asked = askedBy(job);
    for (const name of streams) this.#spools.set(name, new Spool(scratch));
    const [spool, ...others] = this.#spools.values();
    for (const other of others) spool!.followedBy(other);
    const early = (shape: Shape): void => {
      this.#shape = shape;
      for (const known of this.#early) known(shape);
    };
    const signal = AbortSignal.any([job.signal, this.#stop.signal]);
    const preview = window.preview === true;
    // The others have it at once.
    const tally = new Tally(window.onFetching);
    const request = { stream, checkpoint, window, spool: spool!, preview, early, tally, signal };
    const all = [...this.#spools.values()];
    this.#fetched = feed
      .fetch(request)
      .catch((error: unknown) => {
        this.#failed = true;
        throwIfAborted(signal);
        throw asSluiceError(error, `fetching ${stream.name}`);
      })
      .finally(() => {
        tally.end();
        for (const each of all) each.end();
      });
    // Whoever waits for it is told.
    this.#fetched.catch(() => undefined);
  }

  /** For a stream that has not had it yet. */
  take(stream: string): Feeding | undefined {
    const spool = this.#spools.get(stream);
    if (!spool || this.#failed || this.#stop.signal.aborted) return undefined;
    const shared = this.#taken > 0 || this.#spools.size > 1;
    this.#spools.delete(stream);
    this.#taken++;
    return {
      spool,
      fetched: this.#fetched,
      shared,
      onEarly: (known) => {
        this.#early.push(known);
        if (this.#shape) known(this.#shape);
      },
      close: () => this.#leave(spool),
    };
  }

  async #leave(spool: Spool): Promise<void> {
    spool.end();
    // What one has begun goes on for the others.
    if (--this.#taken > 0) await Promise.resolve();
    else this.#stop.abort();
    await this.#fetched.catch(() => undefined);
    await spool.close();
  }

  /** Whoever has it keeps it. Never throws. */
  async close(): Promise<void> {
    if (this.#taken === 0) this.#stop.abort();
    const spools = [...this.#spools.values()];
    this.#spools.clear();
    if (this.#taken === 0) await this.#fetched.catch(() => undefined);
    await Promise.all(spools.map((spool) => spool.close()));
  }
}
