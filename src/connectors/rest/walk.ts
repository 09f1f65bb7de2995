/** Walks through the pages of an endpoint, in their order, and keeps their records. */
import { DataError, SluiceError, throwIfAborted } from '../../core/errors.ts';
import type { SurveyNote } from '../../core/source.ts';
import type { HttpRequest } from '../shared/http/http-client.ts';
import type { Spool, SpoolWriter } from '../shared/records/spool.ts';
import type { Course, Step } from './course.ts';
import type { PageRequest } from './paging.ts';
import { type PageJob, readPage, type ReadPage } from './read-page.ts';

export interface WalkJob extends PageJob {
  name: string;
  course: Course;
  request: (page: PageRequest) => HttpRequest;
  /** Pages that are asked for at once, where that can be. */
  ahead: number;
  maxPages: number;
  /** The first page is enough. */
  preview: boolean;
}

export interface Walked {
  pages: number;
  records: number;
  /** Of the first answer. */
  date: string | undefined;
  notes: SurveyNote[];
  /** The first page was not all. */
  cut: boolean;
  /** Why not all records may be among them. */
  problem: SluiceError | undefined;
}

/** Pages that are smaller share a document. */
const SMALL_BYTES = 1 << 19;
const DOCUMENT_BYTES = 8 << 20;

export async function walk(job: WalkJob): Promise<Walked> {
  const { course, signal } = job;
  const forgotten: Promise<void>[] = [];
  const forget = (): void => {
    for (const { reading, stop } of asked.splice(0)) {
      stop.abort();
      forgotten.push(reading.then(({ writer }) => writer.discard()).catch(() => undefined));
    }
  };
  const output = new Output(job.spool);
  const asked: Asked[] = [];
  const ask = (page: PageRequest): void => {
    const request = job.request(page);
    const stop = new AbortController();
    const reading = readPage(request, {
      ...job,
      mayMiss: job.mayMiss && asked.length + done > 0,
      signal: AbortSignal.any([signal, stop.signal]),
    });
    // Whether it fails shows when it is its turn.
    reading.catch(() => undefined);
    asked.push({ page, request, reading, stop });
  };
  let done = 0;
  const walked: Walked = { pages: 0, records: 0, date: undefined, notes: [], cut: false, problem: undefined };
  const repeats = new Repeats(job.name);
  try {
    ask(course.first());
    for (let now = asked.shift(); now; now = asked.shift()) {
      const read = await answerTo(now, course);
      done++;
      if ('instead' in read) {
        forget();
        ask(read.instead);
        continue;
      }
      walked.date ??= read.headers.get('date') ?? undefined;
      const again = read.missing || now.page.overlaps ? undefined : repeats.page(read, now.page);
      if (again) walked.notes.push(again);
      const step = again ? END : await course.take(now.page, read);
      if (step.keep && !read.missing) {
        walked.pages++;
        repeats.last = read.digest;
        const fresh = await output.add(read, { name: nameOf(now), from: step.keep });
        walked.records += fresh;
        job.tally?.add({ pages: 1, records: fresh, of: job.course.estimate(now.page, read) });
      } else await read.writer.discard();
      walked.problem = step.problem;
      const { next } = step;
      if (!next || step.problem) break;
      if (job.preview) {
        walked.cut = true;
        break;
      }
      const loop = next.window ? undefined : repeats.request(job.request(next));
      if (loop) {
        walked.notes.push(loop);
        break;
      }
      if (walked.pages >= job.maxPages) throw endless(job.name, walked.pages);
      if (asked.length === 0 || !isSame(asked[0]!.page, next)) {
        forget();
        ask(next);
      }
      while (asked.length < job.ahead) {
        const ahead = course.ahead(asked.at(-1)!.page);
        if (!ahead) break;
        ask(ahead);
      }
      throwIfAborted(signal);
    }
    await output.end();
    return walked;
  } finally {
    forget();
    await Promise.all(forgotten);
    await output.discard();
  }
}

interface Asked {
  page: PageRequest;
  request: HttpRequest;
  reading: Promise<ReadPage>;
  stop: AbortController;
}

const END: Step = { keep: undefined, next: undefined };

async function answerTo(asked: Asked, course: Course): Promise<ReadPage | { instead: PageRequest }> {
  try {
    return await asked.reading;
  } catch (error) {
    const refused = error instanceof SluiceError && error.code === 'http.rejected';
    const instead = refused ? course.refused(asked.page) : undefined;
    if (!instead) throw error;
    return { instead };
  }
}

function isSame(one: PageRequest, other: PageRequest): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** For people, and for records that do not fit: without credentials, which are added later. */
function nameOf({ request, page }: Asked): string {
  const params = new URLSearchParams(page.params).toString();
  return `${request.method} ${request.url.pathname}${params === '' ? '' : `?${params}`}`;
}

/** Servers that do not know the parameter of the page answer with the same one for ever. */
class Repeats {
  readonly #name: string;
  /** Digest of the last page that counts. */
  last = '';
  readonly #requests = new Set<string>();

  constructor(name: string) {
    this.#name = name;
  }

  page({ digest, records }: ReadPage, { window }: PageRequest): SurveyNote | undefined {
    // Who goes back to the beginning gets what was there.
    const same = records > 0 && digest === this.last && window?.from !== 0;
    return same ? this.#note('a page has the same records as the one before it') : undefined;
  }

  request({ url, body = '' }: HttpRequest): SurveyNote | undefined {
    const asked = `${url.href} ${body}`;
    if (this.#requests.has(asked)) return this.#note('the next page is one that was there already');
    this.#requests.add(asked);
    return undefined;
  }

  #note(found: string): SurveyNote {
    return {
      code: 'rest.repeats',
      message: `${this.#name}: ${found}, and counts as the end`,
      remedy: 'check `paging` of the endpoint: its kind, and the names of its parameters',
    };
  }
}

function endless(name: string, pages: number): DataError {
  return new DataError(`fetching ${name}: it has more than ${pages.toLocaleString('en')} pages`, {
    code: 'rest.endless',
    remedy: 'ask for larger pages with `size`, or raise `max_pages` of the connection if it has that many',
  });
}

/** Small pages become documents together. */
class Output {
  readonly #spool: Spool;
  #writer: SpoolWriter | undefined;
  #first = '';
  #last = '';
  #pages = 0;
  #records = 0;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  /** `from`: what stands before it is there already. Returns how many records it was good for. */
  async add(
    { writer: page, records: all }: ReadPage,
    { name, from }: { name: string; from: { bytes: number; records: number } },
  ): Promise<number> {
    const records = all - from.records;
    const { held } = page;
    if (held === undefined || held.length > SMALL_BYTES) {
      await this.end();
      await this.#spool.add(await this.#rest(page, from.bytes), { name, records });
      return records;
    }
    if (held.length > from.bytes) (this.#writer ??= this.#spool.begin()).write(held.subarray(from.bytes));
    await page.discard();
    if (!this.#writer || records === 0) return records;
    if (this.#pages++ === 0) this.#first = name;
    this.#last = name;
    this.#records += records;
    if (this.#writer.full) await this.#writer.flush();
    if (this.#writer.bytes >= DOCUMENT_BYTES) await this.end();
    return records;
  }

  async #rest(page: SpoolWriter, from: number): Promise<SpoolWriter> {
    if (from === 0) return page;
    const rest = this.#spool.begin();
    for (let at = from; at < page.bytes; at += SMALL_BYTES) {
      rest.write(await page.read(at, Math.min(at + SMALL_BYTES, page.bytes)));
      if (rest.full) await rest.flush();
    }
    await page.discard();
    return rest;
  }

  async end(): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    const name = this.#pages > 1 ? `${this.#first} … ${this.#last}` : this.#first;
    await this.#spool.add(writer, { name, records: this.#records });
    this.#writer = undefined;
    this.#pages = this.#records = 0;
  }

  async discard(): Promise<void> {
    await this.#writer?.discard();
  }
}
