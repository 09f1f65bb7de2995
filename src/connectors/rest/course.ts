/** In which order the pages of an endpoint are asked for, and what of each is new. */
import { DataError } from '../../core/errors.ts';
import type { SluiceError } from '../../core/errors.ts';
import { LastOf, lastLineOf, linesOf } from './page-lines.ts';
import type { PageRequest, Paging } from './paging.ts';
import type { ReadPage } from './read-page.ts';

/** What a page was good for. */
export interface Step {
  /** Undefined: nothing of it counts. Else what stands before this byte, so many records, is there already. */
  keep: { bytes: number; records: number } | undefined;
  /** Undefined: that was the end. */
  next: PageRequest | undefined;
  /** Why not all records may have been seen. */
  problem?: SluiceError | undefined;
}

export interface Course {
  first(): PageRequest;
  take(page: PageRequest, read: ReadPage): Promise<Step>;
  /** Likely the one that is asked for after `page`, where that can be said before it has come. */
  ahead(page: PageRequest): PageRequest | undefined;
  /** How many records there are in all, as this page says. */
  estimate(page: PageRequest, read: ReadPage): number | undefined;
  /** The API does not answer this: what is asked for instead, if anything. */
  refused(page: PageRequest): PageRequest | undefined;
}

interface Known {
  keep: NonNullable<Step['keep']>;
  /** Records behind it. */
  fresh: number;
}

const ALL = { bytes: 0, records: 0 };

/** Each page goes on where the one before has ended, whatever has happened to records since. */
export function straightCourse(paging: Paging): Course {
  return {
    first: () => paging.first(),
    take: async (page, read) =>
      read.missing ? { keep: undefined, next: undefined } : { keep: ALL, next: paging.next(page, read) },
    ahead: (page) => paging.ahead?.(page),
    estimate: (page, read) => paging.estimate?.(page, read),
    refused: () => undefined,
  };
}

export type PlacedPaging = Paging & Required<Pick<Paging, 'window'>>;

/** Whether pages can be asked for at any place. */
export function canOverlap(paging: Paging): paging is PlacedPaging {
  return 'window' in paging;
}

/** Requests that bring nothing new, besides two for each that does. */
const MOST_EXTRA = 60;
/** So often an honest server may be unlucky. */
const MOST_SHORTS = 3;
/** Ends of pages that are recognised when they come again. */
const MOST_ENDS = 4096;

/**
 * Each page begins within the one before, at a record that is known: the two were neighbours in one answer, so that nothing lies between
 * them. An end of a page is a record before which nothing is missing. Where none shows, records have moved: further back there is one, or
 * the beginning of the list. This finds every record that is there from the first request to the last, in whatever order answers come, as
 * long as records that stay as they are keep their order.
 */
export class OverlappingCourse implements Course {
  readonly #paging: PlacedPaging;
  readonly #name: string;
  readonly #identity: (line: Uint8Array) => string;
  /** First and last records of pages that count. */
  readonly #ends: LastOf<string> = new LastOf(MOST_ENDS);
  /** Records of a full page. */
  #full = 0;
  /** Up to where the last page that counts has reached, and its last record. */
  #at = 0;
  #last = '';
  #overlap = 1;
  #back = 0;
  /** Pages that overlapped and brought something. */
  #proven = 0;
  /** Where straight paging would go on, and what it has after the first page. */
  #further: PageRequest | undefined;
  #second: PageRequest | undefined;
  /** The last one that counts. */
  #counted: PageRequest | undefined;
  #straight = false;
  /** Pages that are not full, and are not the last ones. */
  #uneven = false;
  /** A page has ended with a record that is known, and yet there was another page. */
  #ended = false;
  #start: string | undefined;
  /** Numbered pages that were short though there was more, since one was full. */
  #shorts = 0;
  #useful = 0;
  #extra = 0;

  constructor(
    paging: PlacedPaging,
    { name, identity }: { name: string; identity: (line: Uint8Array) => string },
  ) {
    this.#paging = paging;
    this.#name = name;
    this.#identity = identity;
  }

  first(): PageRequest {
    return this.#paging.first();
  }

  ahead(page: PageRequest): PageRequest | undefined {
    if (this.#straight) return this.#paging.ahead?.(page);
    if (!this.#paging.ahead || page.window === undefined || page.trial) return undefined;
    const { from, size = this.#full } = page.window;
    return this.#overlapping(from + Math.min(size, this.#full));
  }

  estimate(page: PageRequest, read: ReadPage): number | undefined {
    return this.#paging.estimate?.(page, read);
  }

  refused(page: PageRequest): PageRequest | undefined {
    return page.overlaps && this.#proven === 0 ? this.#goStraight() : undefined;
  }

  async take(page: PageRequest, read: ReadPage): Promise<Step> {
    const { window, overlaps, trial } = page;
    this.#full = Math.max(this.#full, read.records);
    if (this.#straight || window === undefined) return this.#onward(page, read);
    if (overlaps && window.from > 0) return this.#connect(page, read);
    if (trial !== undefined && read.records > 0) return this.#afterTrial(page, read);
    if (window.from > 0) return this.#onward(page, read);
    return this.#begin(page, read);
  }

  /** The beginning of the list. */
  async #begin(page: PageRequest, read: ReadPage): Promise<Step> {
    const first = this.#start === undefined;
    const unmoved = this.#start === read.digest && this.#proven === 0;
    this.#start = read.digest;
    const step = await this.#count(page, read, { keep: ALL, fresh: read.records });
    if (first) this.#second = step.next && this.#further;
    // Going back to it is what was not to be.
    else this.#extra += 2;
    // Nothing has moved, and yet pages do not overlap: the server does not go to any place it is asked for.
    if (unmoved && step.next) return { ...step, keep: undefined, next: this.#goStraight() };
    return step;
  }

  async #connect(page: PageRequest, read: ReadPage): Promise<Step> {
    const size = page.window?.size;
    // The server gives pages of a size of its own.
    if (size !== undefined && read.records > size && this.#proven === 0)
      return { keep: undefined, next: this.#goStraight() };
    // It gives the same from wherever it is asked for; or exactly that has moved.
    if (this.#proven === 0 && read.digest === this.#start) return this.#goBack();
    const known = await this.#known(read);
    return known ? this.#count(page, read, known) : this.#goBack();
  }

  /** What of a page stands up to the last record that is known, and how many are new behind it. */
  async #known(read: ReadPage): Promise<Known | undefined> {
    let keep: Known['keep'] | undefined;
    let records = 0;
    for await (const { line, end } of linesOf(read)) {
      records++;
      const identity = this.#identity(line);
      if (this.#ends.has(identity)) keep = { bytes: end, records };
      if (identity === this.#last) break;
    }
    if (!keep) return undefined;
    const fresh = read.records - keep.records;
    if (fresh > 0) this.#proven++;
    this.#back = 0;
    return { keep, fresh };
  }

  /** No record of a page is known: they have moved towards the beginning by more than pages overlap. */
  #goBack(): Step {
    this.#extra++;
    this.#overlap = Math.max(1, Math.min(this.#overlap * 4, this.#full >> 1));
    this.#back = Math.max(this.#full, this.#back * 2);
    const at = Math.max(0, this.#at - 1 - this.#back);
    const next = this.#window(at);
    const begins = (next?.window?.from ?? 0) === 0;
    return { keep: undefined, next: begins ? this.#paging.first() : next, problem: this.#tooFast() };
  }

  /** There should have been nothing: a page is not as long as it may be, or records have come in the meantime. */
  async #afterTrial(page: PageRequest, read: ReadPage): Promise<Step> {
    const known = await this.#known(read);
    if (known && known.fresh > 0) return this.#count(page, read, known);
    // All have moved on by some places, and the last one is still the last.
    if (known && read.records < (page.window?.size ?? this.#full))
      return { keep: undefined, next: undefined };
    const again = this.#overlapping(this.#at);
    const { window } = this.#counted!;
    if (this.#paging.ahead && (window?.size ?? 0) <= this.#full) {
      // With more behind it, it has to be full now; otherwise pages do not begin where we think.
      if (++this.#shorts > MOST_SHORTS) return { keep: undefined, next: this.#goStraight(this.#second) };
      if (window?.from !== 0) return { keep: undefined, next: this.#counted };
    } else this.#uneven = true;
    if (page.trial === 'short' || !this.#ended) {
      this.#ended = page.trial === 'ended';
      if (again) return { keep: undefined, next: again };
    }
    // Pages that overlap say once more that there is nothing: they are too small to show it.
    this.#ended = false;
    if (this.#proven === 0) this.#straight = true;
    return this.#onward(page, read);
  }

  async #onward(page: PageRequest, read: ReadPage): Promise<Step> {
    if (read.missing || read.records === 0) return { keep: read.missing ? undefined : ALL, next: undefined };
    if (this.#straight || page.window === undefined)
      return { keep: ALL, next: this.#paging.next(page, read) };
    return this.#count(page, read, { keep: ALL, fresh: read.records });
  }

  /** A page counts: where it goes on. */
  async #count(page: PageRequest, read: ReadPage, { keep, fresh }: Known): Promise<Step> {
    this.#further = this.#paging.next(page, read);
    this.#counted = page;
    if (read.records === 0) return { keep, next: undefined };
    for await (const { line } of linesOf(read)) {
      this.#ends.add(this.#identity(line));
      break;
    }
    this.#last = this.#identity(await lastLineOf(read));
    if (this.#ends.has(this.#last)) this.#extra++;
    else this.#useful++;
    this.#ends.add(this.#last);
    const { from, size } = page.window!;
    this.#at = from + read.records;
    if (!this.#further) return { keep, next: undefined };
    if (fresh > 0) this.#ended = false;
    return { keep, next: this.#nextOf({ records: read.records, fresh, size }), problem: this.#tooFast() };
  }

  #nextOf({
    records,
    fresh,
    size,
  }: {
    records: number;
    fresh: number;
    size: number | undefined;
  }): PageRequest {
    // A page that is not full is most likely the last one.
    const full = records >= (size ?? this.#full);
    if (full) this.#shorts = 0;
    if (!full && fresh === 0) return { ...this.#further!, trial: 'ended' };
    if (!full && !this.#uneven) return { ...this.#further!, trial: 'short' };
    return this.#overlapping(this.#at) ?? this.#further!;
  }

  /** One that begins before `at`, and reaches behind it. */
  #overlapping(at: number): PageRequest | undefined {
    const found = this.#full < 2 ? undefined : this.#window(Math.max(0, at - this.#overlap), at);
    return found ?? (this.#overlap > 1 && this.#full >= 2 ? this.#window(at - 1, at) : undefined);
  }

  #window(at: number, beyond: number = at): PageRequest | undefined {
    const found = this.#paging.window(at, { beyond, most: this.#full });
    return found && { ...found, overlaps: true };
  }

  #goStraight(next: PageRequest | undefined = this.#further): PageRequest {
    this.#straight = true;
    return next!;
  }

  #tooFast(): SluiceError | undefined {
    if (this.#extra <= MOST_EXTRA + 2 * this.#useful) return undefined;
    // Each attempt would load something, and so be worth another one.
    return new DataError(
      `fetching ${this.#name}: its records move faster from page to page than pages can be fetched`,
      {
        code: 'rest.moving',
        remedy:
          'page by cursor if the API can, ask for larger pages, or for records in the order in which they were made',
      },
    );
  }
}

/**
 * What tells records of pages apart: their key, and their cursor, which changes when they do. Columns that only come about later, from
 * objects within records, are none of a record as it was sent: all of it is taken then.
 */
export function identityOf(names: readonly string[]): (line: Uint8Array) => string {
  return (line) => {
    const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(text, asWritten as Parameters<typeof JSON.parse>[1]) as typeof record;
    } catch {
      return text;
    }
    if (typeof record !== 'object' || record === null) return text;
    const values = names.map((name) => (Object.hasOwn(record, name) ? record[name] : undefined));
    return values.includes(undefined) ? text : JSON.stringify(values);
  };
}

/** Numbers with all of their digits. */
function asWritten(_: string, value: unknown, { source }: { source?: string }): unknown {
  return typeof value === 'number' ? `#${source}` : value;
}
