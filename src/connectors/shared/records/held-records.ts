/**
 * Records of one stream between their fetching and their commit. They are loaded in rounds, as soon as there are enough of them,
 * while more are fetched; where all of them have to be committed at once, there is one round.
 */
import { asSluiceError, CancelledError, TransientError } from '../../../core/errors.ts';
import type { Loaded } from '../../../core/source.ts';
import type { RunWindow, StreamConfig } from '../../../core/stream.ts';
import { type DocumentKeys, KeySet } from '../look/key-hashes.ts';
import type { SniffThreads } from '../look/sniffer.ts';
import { otherwise } from '../text/guess.ts';
import type { DocumentFacts } from '../text/text-decoder.ts';
import { type ChildDocuments, childDocuments } from './child-documents.ts';
import { type ChildStream, childColumns, childShape } from './child-stream.ts';
import type { Fetched, Shape } from './feed.ts';
import { type Fetching, type Looked, lookThrough, tellingApart } from './records-survey.ts';
import type { Feeding } from './shared-fetch.ts';
import { Spool, type SpooledDocument } from './spool.ts';

/** Bytes of text that one slice has, and one round. */
export const SLICE_BYTES = 32_000_000;
export const ROUND_BYTES = 96_000_000;
/** Keys that are remembered to tell whether what comes later was there: 11 to 21 bytes each. */
const MOST_KEYS = 2_000_000;

export interface HeldPlace {
  /** What it is fetched by. */
  feeding: Feeding;
  /** Folder of spools. */
  scratch: string;
  stream: StreamConfig;
  /** Of streams of elements. */
  child: ChildStream | undefined;
  window: RunWindow;
  /** Bytes of one round. */
  roundBytes: number;
  /** What looks through records; otherwise threads are started each time. */
  threads?: SniffThreads;
  signal: AbortSignal;
}

interface HowToLook {
  /** Through all of them, or a sample. */
  whole: boolean;
  signal: AbortSignal;
}

export class HeldRecords {
  readonly #place: HeldPlace;
  /** As they were fetched. */
  readonly #fed: Spool;
  /** What is loaded: the same, or what was made of it. */
  readonly #spool: Spool;
  readonly #fetching: Promise<void>;
  #fetched: Fetched | undefined;
  #shape: Shape | undefined;
  #failure: Error | undefined;
  #looked: Looked | undefined;
  /** The round after it, which is looked at while it is loaded. */
  #ahead: Promise<Looked> | undefined;
  /** Its slices were read: whoever asks again has failed with them. */
  #read = false;
  #rounds = 0;
  /** All of the last round was read, and is committed unless that has failed. */
  #ended = false;
  /** Of what was loaded without a look at all of it. Two keys that are taken for one cost time, and no row. */
  #keys: KeySet | undefined = new KeySet(2);

  constructor(place: HeldPlace) {
    this.#place = place;
    const { feeding, child, scratch, signal } = place;
    this.#fed = feeding.spool;
    this.#spool = child ? new Spool(scratch) : feeding.spool;
    feeding.onEarly((shape) => this.#early(shape));
    this.#fetching = feeding.fetched.then(
      (fetched) => void (this.#fetched = fetched),
      (error: Error) => void (this.#failure = signal.aborted ? error : givenUp(error, place.stream)),
    );
  }

  /** Rows that come again take the place of themselves only where there is a key. */
  #early(shape: Shape): void {
    const { stream, window, feeding } = this.#place;
    if (stream.load !== 'merge' || window.preview === true || window.atOnce === true) return;
    if (!tellingApart(stream, this.#shapeOf(shape, false))) return;
    this.#shape = shape;
    // Who waits for its turn takes nothing out.
    if (!feeding.shared) this.#fed.limit(3 * this.#place.roundBytes);
  }

  #shapeOf(shape: Shape, come: boolean): Shape {
    const { child, stream } = this.#place;
    if (!child) return shape;
    const { types, ...own } = childShape(child, stream, shape);
    return come ? { ...own, types } : own;
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
    const next = this.#ahead ?? this.#next({ whole: false, signal });
    this.#ahead = undefined;
    this.#looked = await next;
    this.#read = false;
    return this.#looked;
  }

  /** All of the next round is looked at, as soon as it is here. */
  lookAhead(): void {
    if (!this.#looked || this.#looked.fetched) return;
    this.#ahead ??= this.#next({ whole: true, signal: this.#place.signal });
    // Whoever asks for it hears what has failed.
    this.#ahead.catch(() => {});
  }

  async #next(how: HowToLook): Promise<Looked> {
    const { documents, ended } = await this.#fed.take(() =>
      this.#shape ? this.#place.roundBytes : Number.POSITIVE_INFINITY,
    );
    if (ended) await this.#fetching;
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await this.#lookAtNext(documents, ended ? this.#fetched : undefined, how);
    } catch (error) {
      // They are in nobody's hands now: whoever tries again has them fetched again.
      this.#failure = asSluiceError(error, `looking at ${this.#place.stream.name}`);
      throw error;
    }
  }

  async #lookAtNext(taken: SpooledDocument[], fetched: Fetched | undefined, how: HowToLook): Promise<Looked> {
    const made = await this.#made(taken, fetched ?? this.#shape!);
    const documents = made?.documents ?? taken;
    const round = `${this.#spool.id}-${++this.#rounds}`;
    // Where records have come there is a table, also while none of them has elements.
    const shape = this.#shapeOf(fetched ?? this.#shape!, documents.length > 0);
    const what = {
      documents,
      round,
      shape,
      fetched: fetched && { ...fetched, ...shape },
      superseded: made?.superseded,
      before: this.#looked,
    };
    const looked = await this.#look(what, how);
    // Others tell their keys when they are looked at as a whole, or read.
    if (made && isGrouped(documents)) for (const each of made.keys) if (each) this.#remember(each);
    return looked;
  }

  /** Documents of elements. */
  async #made(taken: readonly SpooledDocument[], shape: Shape): Promise<ChildDocuments | undefined> {
    const { child, stream, window, signal } = this.#place;
    if (!child) return undefined;
    // Refuses what cannot be, before it is tried.
    const { config } = childShape(child, stream, shape);
    const columns = childColumns(child, stream, shape.key);
    const elements = { ...columns, path: child.path, flatten: config?.flatten ?? 0 };
    const all = window.preview === true || stream.load === 'append';
    const groups = !all && columns.group.length > 0;
    const made = await childDocuments(this.#fed, taken, { spool: this.#spool, elements, groups, signal });
    await this.#fed.drop(taken);
    return made;
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

  /** Instead of holding what is read of this round against a sample. */
  async lookFurther(signal: AbortSignal): Promise<Looked> {
    return (this.#looked = await this.#look(this.#looked!, { whole: true, signal }));
  }

  async lookAtAll(signal: AbortSignal): Promise<Looked> {
    this.#keys = undefined;
    this.#read = false;
    this.#looked = await this.#look(this.#looked!, { whole: true, signal });
    return this.#looked;
  }

  #look(what: Omit<Fetching, 'spool'>, { whole, signal }: HowToLook): Promise<Looked> {
    // Elements go with their records, which were told apart.
    const grouped = isGrouped(what.documents);
    const key = grouped ? undefined : tellingApart(this.#place.stream, what.shape);
    const superseded = grouped ? what.superseded : undefined;
    const { threads, stream } = this.#place;
    const [cursor] = stream.cursor;
    const areNew = (keys: DocumentKeys): boolean => this.#remember(keys);
    const options = { key, areNew, partBytes: SLICE_BYTES, whole, cursor, threads, signal };
    return lookThrough({ ...what, superseded, spool: this.#spool }, options);
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
    // It waits for the end of the run, and others of the same fetch are still to come.
    if (this.#ended) this.#keys = undefined;
  }

  /** Never throws. */
  async close(): Promise<void> {
    await this.#place.feeding.close();
    await this.#fetching;
    await this.#ahead?.catch(() => undefined);
    await this.#spool.close();
  }
}

function isGrouped(documents: readonly SpooledDocument[]): boolean {
  return documents.some(({ groups }) => groups);
}

/** Whoever has begun it has stopped: we begin it anew. */
function givenUp(error: Error, { name }: StreamConfig): Error {
  if (!(error instanceof CancelledError)) return error;
  return new TransientError(`fetching ${name}: the stream that it was fetched with has ended`, {
    code: 'records.shared',
    remedy: 'it is fetched by itself',
    next: 'at-once',
    cause: error,
  });
}
