/** Walks through the pages of an endpoint, in their order, and keeps their records. */
import { DataError, throwIfAborted } from '../../core/errors.ts';
import type { SurveyNote } from '../../core/source.ts';
import type { HttpRequest } from '../shared/http/http-client.ts';
import type { Spool, SpoolWriter } from '../shared/records/spool.ts';
import type { PageRequest, Paging } from './paging.ts';
import { type PageJob, readPage, type ReadPage } from './read-page.ts';

export interface WalkJob extends PageJob {
  name: string;
  paging: Paging;
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
}

/** Pages that are smaller share a document. */
const SMALL_BYTES = 1 << 19;
const DOCUMENT_BYTES = 8 << 20;

export async function walk(job: WalkJob): Promise<Walked> {
  const { paging, signal } = job;
  const stop = new AbortController();
  const output = new Output(job.spool);
  const asked: Asked[] = [];
  const ask = (page: PageRequest): void => {
    const request = job.request(page);
    const reading = readPage(request, {
      ...job,
      mayMiss: job.mayMiss && asked.length + done > 0,
      signal: AbortSignal.any([signal, stop.signal]),
    });
    // Whether it fails shows when it is its turn.
    reading.catch(() => undefined);
    asked.push({ page, request, reading });
  };
  let done = 0;
  const walked: Walked = { pages: 0, records: 0, date: undefined, notes: [], cut: false };
  const repeats = new Repeats(job.name);
  try {
    ask(paging.first());
    for (let next = asked.shift(); next; next = asked.shift()) {
      const read = await next.reading;
      done++;
      walked.date ??= read.headers.get('date') ?? undefined;
      const again = read.missing ? undefined : repeats.page(read);
      if (again) walked.notes.push(again);
      if (read.missing || again) {
        await read.writer.discard();
        break;
      }
      walked.pages++;
      walked.records += read.records;
      await output.add(read, nameOf(next));
      const after = paging.next(next.page, { ...read, seen: walked.records });
      if (!after) break;
      if (job.preview) {
        walked.cut = true;
        break;
      }
      const loop = repeats.request(job.request(after));
      if (loop) {
        walked.notes.push(loop);
        break;
      }
      if (walked.pages >= job.maxPages) throw endless(job.name, walked.pages);
      if (paging.ahead) for (let n = asked.length; n < job.ahead; n++) ask(paging.ahead(next.page, n + 1));
      else ask(after);
      throwIfAborted(signal);
    }
    await output.end();
    return walked;
  } finally {
    stop.abort();
    for (const { reading } of asked)
      await reading.then(({ writer }) => writer.discard()).catch(() => undefined);
    await output.discard();
  }
}

interface Asked {
  page: PageRequest;
  request: HttpRequest;
  reading: Promise<ReadPage>;
}

/** For people, and for records that do not fit: without credentials, which are added later. */
function nameOf({ request, page }: Asked): string {
  const params = new URLSearchParams(page.params).toString();
  return `${request.method} ${request.url.pathname}${params === '' ? '' : `?${params}`}`;
}

/** Servers that do not know the parameter of the page answer with the same one for ever. */
class Repeats {
  readonly #name: string;
  #last = '';
  readonly #requests = new Set<string>();

  constructor(name: string) {
    this.#name = name;
  }

  page({ digest, records }: ReadPage): SurveyNote | undefined {
    const same = records > 0 && digest === this.#last;
    this.#last = digest;
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

  async add({ writer, records }: ReadPage, name: string): Promise<void> {
    const { held } = writer;
    if (held === undefined || held.length > SMALL_BYTES) {
      await this.end();
      await this.#spool.add(writer, { name, records });
      return;
    }
    if (held.length > 0) (this.#writer ??= this.#spool.begin()).write(held);
    await writer.discard();
    if (!this.#writer || records === 0) return;
    if (this.#pages++ === 0) this.#first = name;
    this.#last = name;
    this.#records += records;
    if (this.#writer.full) await this.#writer.flush();
    if (this.#writer.bytes >= DOCUMENT_BYTES) await this.end();
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
