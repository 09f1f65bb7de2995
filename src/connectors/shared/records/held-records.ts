/**
 * Records of one stream between their fetching and their commit. They are loaded in rounds, as soon as there are enough of them,
 * while more are fetched; where all of them have to be committed at once, there is one round.
 */
import { asSluiceError } from '../../../core/errors.ts';
import type { Loaded } from '../../../core/source.ts';
import type { Checkpoint, RunWindow, StreamConfig } from '../../../core/stream.ts';
import { type DocumentKeys, KeySet } from '../look/key-hashes.ts';
import { otherwise } from '../text/guess.ts';
import type { DocumentFacts } from '../text/text-decoder.ts';
import type { Fetched, RecordFeed, Shape } from './feed.ts';
import { type Fetching, type Looked, lookThrough, tellingApart } from './records-survey.ts';
import { Spool } from './spool.ts';
import { Tally } from './tally.ts';

/** Bytes of text that one slice has, and one round. */
export const SLICE_BYTES = 32_000_000;
export const ROUND_BYTES = 96_000_000;
/** Keys that are remembered to tell whether what comes later was there: 32 bytes each. */
const MOST_KEYS = 2_000_000;

export interface FetchPlace {
  feed: RecordFeed;
  /** Folder of spools. */
  scratch: string;
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
  /** Bytes of one round. */
  roundBytes: number;
  signal: AbortSignal;
}

export class HeldRecords {
  readonly #place: FetchPlace;
  readonly #spool: Spool;
  readonly #stop = new AbortController();
  readonly #fetching: Promise<void>;
  #fetched: Fetched | undefined;
  #shape: Shape | undefined;
  #failure: Error | undefined;
  #looked: Looked | undefined;
  /** Its slices were read: whoever asks again has failed with them. */
  #read = false;
  #rounds = 0;
  /** All of the last round was read, and is committed unless that has failed. */
  #ended = false;
  /** Of what was loaded without a look at all of it. */
  #keys: KeySet | undefined = new KeySet();

  constructor(place: FetchPlace) {
    this.#place = place;
    this.#spool = new Spool(place.scratch);
    const { feed, stream, checkpoint, window } = place;
    const preview = window.preview === true;
    const signal = AbortSignal.any([place.signal, this.#stop.signal]);
    const early = (shape: Shape): void => this.#early(shape);
    const tally = new Tally(window.onFetching);
    const request = { stream, checkpoint, window, spool: this.#spool, preview, early, tally, signal };
    this.#fetching = feed.fetch(request).then(
      (fetched) => {
        tally.end();
        this.#fetched = fetched;
        this.#spool.end();
      },
      (error: unknown) => {
        tally.end();
        this.#failure = asSluiceError(error, `fetching ${stream.name}`);
        this.#spool.end();
      },
    );
  }

  /** Rows that come again take the place of themselves only where there is a key. */
  #early(shape: Shape): void {
    const { stream, window } = this.#place;
    if (stream.load !== 'merge' || window.preview === true || window.atOnce === true) return;
    if (!tellingApart(stream, shape)) return;
    this.#shape = shape;
    this.#spool.limit(3 * this.#place.roundBytes);
  }

  /** Whether this is a round of these records. */
  knows(round: string | undefined): boolean {
    return round?.startsWith(`${this.#spool.id}-`) === true;
  }

  /** Nothing is left to be loaded. */
  get finished(): boolean {
    return this.#ended;
  }

  /** It could not be fetched: it has to be tried anew. */
  get broken(): boolean {
    return this.#failure !== undefined;
  }

  /** No record of this round has the key of one that was loaded before in this run. */
  get apart(): boolean {
    return this.#keys !== undefined;
  }

  /** What is to be loaded now: the same again, until a checkpoint says that it is loaded. */
  async round(committed: string | undefined, signal: AbortSignal): Promise<Looked> {
    if (this.#looked && this.#looked.round !== committed) return this.#looked;
    if (this.#looked) await this.#spool.drop(this.#looked.documents);
    const { documents, ended } = await this.#spool.take(() =>
      this.#shape ? this.#place.roundBytes : Number.POSITIVE_INFINITY,
    );
    if (this.#failure !== undefined) throw this.#failure;
    const fetched = ended ? this.#fetched : undefined;
    const shape = fetched ?? this.#shape!;
    const round = `${this.#spool.id}-${++this.#rounds}`;
    const looked = await this.#look({ documents, round, shape, fetched }, { whole: false, signal });
    this.#read = false;
    this.#looked = looked;
    // Others tell their keys when they are read.
    if (looked.unseen.size === 0) for (const keys of looked.keys) if (keys) this.#remember(keys);
    looked.keys = [];
    return looked;
  }

  /** Whether none of them was there. */
  #remember(keys: DocumentKeys): boolean {
    const apart = this.#keys?.addAll(keys) ?? false;
    if (!apart || this.#keys!.size > MOST_KEYS) this.#keys = undefined;
    return apart;
  }

  /** Whether a sample was not enough for what was read. */
  failed(committed: string | undefined): boolean {
    if (this.#looked?.round === committed) return false;
    return this.#read && (this.#looked?.unseen.size ?? 0) > 0;
  }

  async lookAtAll(signal: AbortSignal): Promise<Looked> {
    this.#keys = undefined;
    this.#read = false;
    this.#looked = await this.#look(this.#looked!, { whole: true, signal });
    return this.#looked;
  }

  #look(
    what: Omit<Fetching, 'spool'>,
    { whole, signal }: { whole: boolean; signal: AbortSignal },
  ): Promise<Looked> {
    const key = tellingApart(this.#place.stream, what.shape);
    return lookThrough({ ...what, spool: this.#spool }, { key, partBytes: SLICE_BYTES, whole, signal });
  }

  reading(): void {
    this.#read = true;
  }

  /** Slices have found no doubles in themselves; throws when there are some between them. */
  loaded(loads: Loaded['loads'], last: boolean): void {
    for (const { facts } of loads) {
      const { keys } = facts.own as DocumentFacts;
      const known = this.#keys !== undefined;
      if (keys && known && !this.#remember(keys)) throw otherwise();
    }
    this.#ended ||= last && this.#looked?.fetched !== undefined;
  }

  /** Never throws. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#spool.end();
    await this.#fetching;
    await this.#spool.close();
  }
}
