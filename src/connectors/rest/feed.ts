/** Fetches records of an API, endpoint by endpoint and page by page. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import path from 'node:path';
import type { ConnectorContext } from '../../core/connector.ts';
import { ConfigError, DataError } from '../../core/errors.ts';
import type { SourceFacts, SurveyNote } from '../../core/source.ts';
import { HttpClient, type HttpLimits } from '../shared/http/http-client.ts';
import type { Fetched, FeedStream, FetchRequest, RecordFeed, Shape } from '../shared/records/feed.ts';
import { parseExact, textOf } from '../shared/records/exact-json.ts';
import { Spool } from '../shared/records/spool.ts';
import type { Tally } from '../shared/records/tally.ts';
import { Credentials } from './auth.ts';
import { askedFor, type Asked, parentColumn, referencesOf, requestOf } from './endpoint.ts';
import { type EndpointOptions, parseRate, type RestOptions } from './options.ts';
import { type Paging, pagingOf, valueAt } from './paging.ts';
import { type Course, canOverlap, identityOf, OverlappingCourse, straightCourse } from './course.ts';
import { type Walked, walk } from './walk.ts';

/** Values of the parents of a record, by name of the column that they become. */
type Parents = Record<string, unknown>;

interface Walking {
  spool: Spool;
  /** What tells records apart, and whether they have changed; none: nobody knows. */
  apart: readonly string[];
  asked: Asked;
  preview: boolean;
  /** Undefined: of pages that are not loaded themselves. */
  tally: Tally | undefined;
  signal: AbortSignal;
}

const NOTHING_ASKED: Asked = { params: {}, in: 'query', text: undefined };

export class RestFeed implements RecordFeed {
  readonly #options: RestOptions;
  readonly #context: ConnectorContext;
  readonly #client: HttpClient;
  readonly #credentials: Credentials;

  constructor(options: RestOptions, context: ConnectorContext) {
    this.#options = options;
    this.#context = context;
    const limits: HttpLimits = {
      attempts: options.attempts,
      timeout: options.timeout,
      responseTimeout: options.response_timeout,
      responseBytes: options.max_response,
      longestWait: options.max_wait,
      concurrency: options.concurrency,
      rate: options.rate === undefined ? undefined : parseRate(options.rate),
    };
    const tokens = new HttpClient({ ...limits, rate: undefined }, undefined);
    this.#credentials = new Credentials(options.auth, tokens, Object.values(options.headers ?? {}));
    this.#client = new HttpClient(limits, {
      origin: new URL(options.url).origin,
      credentials: this.#credentials,
    });
  }

  /** Asks for the beginning of one page: whether we are let in shows nowhere else. */
  async check(signal: AbortSignal): Promise<SourceFacts> {
    const title = `REST API, ${new URL(this.#options.url).host}`;
    const [name, endpoint] =
      Object.entries(this.#options.endpoints).find(([, each]) => referencesOf(each).length === 0) ?? [];
    if (name === undefined || !endpoint) return { title, warnings: [] };
    const page = this.#paging(endpoint).first();
    const request = requestOf(this.#options, endpoint, { page, asked: NOTHING_ASKED, values: {} });
    await this.#client.send(request, async () => undefined, { signal });
    return { title, warnings: [] };
  }

  async streams(): Promise<FeedStream[]> {
    return Object.entries(this.#options.endpoints).map(([name, endpoint]) => {
      const key = keyOf(endpoint);
      return {
        name,
        key,
        proposal: { load: key.length > 0 ? 'merge' : 'replace' },
        notes: referencesOf(endpoint).map(
          (reference) => `for each record of ${reference.endpoint}, in the column ${parentColumn(reference)}`,
        ),
      };
    });
  }

  async fetch({
    stream,
    checkpoint,
    window,
    spool,
    preview,
    early,
    tally,
    signal,
  }: FetchRequest): Promise<Fetched> {
    const endpoint = this.#endpoint(stream.name);
    const now = `${new Date().toISOString().slice(0, -1)}000+00`;
    const asked = askedFor(endpoint, { stream, checkpoint, window, now });
    const shape: Shape = {
      key: keyOf(endpoint),
      config: { format: endpoint.format ?? 'json', flatten: endpoint.flatten },
      window: asked.text ?? 'all',
      asked: `${endpoint.method ?? 'GET'} ${endpoint.path}`,
    };
    early(shape);
    const started = performance.now();
    const key = stream.key ?? shape.key;
    const apart = key.length > 0 ? [...key, ...stream.cursor] : [];
    const walking = { spool, asked, apart, preview, tally, signal };
    const walked = await this.#endpointPages(stream.name, endpoint, walking);
    const notes = walked.flatMap(({ notes: each }) => each);
    if (stream.cursor.length > 0 && endpoint.since === undefined) notes.push(asksForAll(stream.name));
    if (this.#credentials.rotates) notes.push(endsWithRun(this.#context.name));
    const cut = walked.some((each) => each.cut);
    return {
      ...shape,
      began: isoOf(walked[0]?.date),
      seconds: (performance.now() - started) / 1000,
      notes,
      problem: walked.find(({ problem }) => problem)?.problem,
      window: [shape.window, cut && 'of which the first page was looked at'].filter(Boolean).join(', '),
    };
  }

  async close(): Promise<void> {
    this.#client.close();
    this.#credentials.close();
  }

  #endpoint(name: string): EndpointOptions {
    const endpoint = Object.hasOwn(this.#options.endpoints, name) ? this.#options.endpoints[name] : undefined;
    if (endpoint) return endpoint;
    throw new ConfigError(`fetching ${name}: connection "${this.#context.name}" has no such endpoint`, {
      code: 'stream.invalid',
      remedy: `it has ${Object.keys(this.#options.endpoints).join(', ')}`,
    });
  }

  #paging(endpoint: EndpointOptions): Paging {
    return pagingOf(endpoint.paging ?? this.#options.paging);
  }

  /** All pages; of an endpoint below another one, those of each record of that, several at a time. */
  async #endpointPages(name: string, endpoint: EndpointOptions, walking: Walking): Promise<Walked[]> {
    if (referencesOf(endpoint).length === 0)
      return [await this.#pages(name, endpoint, { ...walking, parents: {} })];
    const parents = await this.#parentsOf(name, endpoint, walking);
    if (walking.preview) parents.splice(1);
    const walked: Walked[] = [];
    const take = async (): Promise<void> => {
      for (let next = parents.shift(); next; next = parents.shift())
        walked.push(await this.#pages(name, endpoint, { ...walking, parents: next }));
    };
    const failed = new AbortController();
    const signal = AbortSignal.any([walking.signal, failed.signal]);
    walking = { ...walking, signal };
    const workers = Array.from({ length: this.#options.concurrency }, () =>
      take().catch((error: unknown) => {
        parents.length = 0;
        failed.abort();
        throw error;
      }),
    );
    const results = await Promise.allSettled(workers);
    const first = results.find((result) => result.status === 'rejected');
    if (first) throw first.reason;
    return walked;
  }

  #pages(
    name: string,
    endpoint: EndpointOptions,
    { parents, asked, apart, preview, tally, spool, signal }: Walking & { parents: Parents },
  ): Promise<Walked> {
    const paging = this.#paging(endpoint);
    const members = Object.entries(parents).map(
      ([column, value]) => `${JSON.stringify(column)}:${JSON.stringify(value)}`,
    );
    return walk({
      name,
      course: courseOf(paging, endpoint, { name, apart }),
      request: (page) => requestOf(this.#options, endpoint, { page, asked, values: parents }),
      ahead: this.#options.concurrency,
      maxPages: this.#options.max_pages,
      preview,
      client: this.#client,
      spool,
      tally,
      endpoint,
      prefix: members.length === 0 ? undefined : members.join(','),
      mayMiss: paging.endsMissing === true,
      signal,
    });
  }

  /** What the records of the nearest parent say of it, and of its own parents. */
  async #parentsOf(name: string, endpoint: EndpointOptions, walking: Walking): Promise<Parents[]> {
    const references = referencesOf(endpoint);
    const nearest = references.at(-1)!.endpoint;
    const parent = this.#endpoint(nearest);
    const spool = new Spool(path.join(this.#context.directory, '.sluice', 'spool'));
    try {
      const walked = await this.#endpointPages(nearest, parent, {
        ...walking,
        spool,
        asked: NOTHING_ASKED,
        tally: undefined,
        apart: keyOf(parent),
      });
      for (const { problem } of walked) if (problem) throw problem;
      const found = new Map<string, Parents>();
      spool.end();
      for (const { key } of spool.takeAll()) {
        const lines = createInterface({
          input: Readable.from(spool.storage.read(key, undefined, walking.signal)),
        });
        for await (const line of lines) {
          const values = valuesOf(parseExact(line), { name, nearest, references });
          found.set(JSON.stringify(values), values);
        }
      }
      return [...found.values()];
    } finally {
      await spool.close();
    }
  }
}

/** Pages overlap where that can be asked for, and where it can be seen. */
function courseOf(
  paging: Paging,
  { format }: EndpointOptions,
  { name, apart }: { name: string; apart: readonly string[] },
): Course {
  if (!canOverlap(paging) || apart.length === 0 || format === 'csv') return straightCourse(paging);
  return new OverlappingCourse(paging, { name, identity: identityOf(apart) });
}

function keyOf({ key = [] }: EndpointOptions): string[] {
  return typeof key === 'string' ? [key] : key;
}

function valuesOf(
  record: unknown,
  {
    name,
    nearest,
    references,
  }: { name: string; nearest: string; references: ReturnType<typeof referencesOf> },
): Parents {
  const values: Parents = {};
  for (const reference of references) {
    const column = parentColumn(reference);
    const value = valueAt(record, reference.endpoint === nearest ? reference.field : column);
    if (textOf(value) === undefined)
      throw new DataError(
        `fetching ${name}: a record of ${nearest} has no "${reference.field}" that can be put into a path`,
        { code: 'rest.parent', remedy: 'correct the path of the endpoint, or the records of its parent' },
      );
    values[column] = value;
  }
  return values;
}

function asksForAll(name: string): SurveyNote {
  return {
    code: 'rest.all_again',
    message: `${name}: all records are fetched each time, for its endpoint has no \`since\``,
    remedy: 'if the API can be asked for what has changed, name the parameter: since: updated_since',
  };
}

function endsWithRun(connection: string): SurveyNote {
  return {
    code: 'rest.refresh_token',
    message: `connection ${connection}: the API has handed out another refresh token than the one of the project, and may not take that again`,
    remedy:
      'if the next run is refused, keep tokens yourself: `auth` may be a function in a project in TypeScript',
  };
}

function isoOf(date: string | undefined): string | undefined {
  const at = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
