import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { ConfigError } from '../../core/errors.ts';
import { type Dataset, type EntityData, fieldNames, type Selection } from '../dataset.ts';
import { assertFaults } from '../faults.ts';
import { type ModelOptions, openModel } from '../open-model.ts';
import type { ApiOptions, ApiRequest, ApiServer } from './api-options.ts';
import { Gatekeeper } from './auth.ts';
import { type Hostility, parseHostility, Tries } from './hostility.ts';
import { drip, fail, type Prepared } from './misbehave.ts';
import { envelope } from './page-body.ts';
import { PageCache } from './page-cache.ts';
import { BadRequest, cutPage, readPageRequest } from './page-request.ts';
import { RecordPages } from './record-pages.ts';

/** Packs in a thread of Node's pool, beside whoever makes the next page. */
const packed = promisify(gzip);

const HOST = '127.0.0.1';
const KEPT_REQUESTS = 100_000;
const CACHE_BYTES = 64 << 20;
/** A level above it costs more time than making the records. */
const GZIP_LEVEL = 1;
const JSON_HEADERS = { 'content-type': 'application/json; charset=utf-8' };

/**
 * Serves the records of a model as a REST API on the loopback address, until it is closed.
 *
 * - `POST /next-day` has a day pass.
 * - `GET /` says what there is; `GET /<records>`, `/<records>/<id>` and `/<records>/<id>/<children>` give records.
 * - Of the query: `paging`, `page` and `per_page`, `offset` and `limit`, `cursor`, `updated_since` (a day or a moment),
 *   `day`, `records` (where they are in the body), `format=jsonl`, `hostile` (what is to go wrong with this answer).
 */
export async function serveApi(model: ModelOptions = {}, options: ApiOptions = {}): Promise<ApiServer> {
  const api = new Api(openModel(model), options);
  const server = createServer((request, response) => {
    void api.answer(request, response);
  });
  server.keepAliveTimeout = 60_000;
  const port = await listen(server, options.port ?? 0);
  api.origin = `http://${HOST}:${port}`;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return {
    url: api.origin,
    port,
    requests: api.requests,
    get day() {
      return api.day;
    },
    set day(day: number) {
      api.day = day;
    },
    get hostile() {
      return api.hostile;
    },
    set hostile(hostile) {
      api.hostile = hostile;
    },
    close,
  };
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new ConfigError(`listening on ${HOST}:${port}: ${error.code ?? error.message}`, {
          code: 'generate.port',
          remedy: 'name another port, or none to get a free one',
          cause: error,
        }),
      );
    });
    server.listen(port, HOST, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** What a request is for. */
interface Target {
  readonly entity: EntityData;
  readonly day: number;
  readonly selection: Selection;
  /** Of which a record alone is wanted. */
  readonly only: boolean;
  /** The name of the list, for keeping its pages. */
  readonly name: string;
}

class Api {
  readonly requests: ApiRequest[] = [];
  origin = '';
  day: number;
  hostile: NonNullable<ApiOptions['hostile']>;
  readonly #data: Dataset;
  readonly #options: ApiOptions;
  readonly #pages: RecordPages;
  readonly #cache: PageCache;
  readonly #gate: Gatekeeper;
  readonly #tries = new Tries();

  constructor(data: Dataset, options: ApiOptions) {
    this.#data = data;
    this.#options = options;
    assertOptions(data, options);
    this.day = options.day ?? 0;
    this.hostile = options.hostile ?? {};
    this.#pages = new RecordPages(data, options.faults);
    this.#cache = new PageCache(options.cacheBytes ?? CACHE_BYTES);
    this.#gate = new Gatekeeper(options.auth);
  }

  /** Never throws: what it cannot do is an answer, too. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request;
    const entry: ApiRequest = {
      at: Date.now(),
      method,
      url,
      headers,
      status: 0,
      hostile: undefined,
      records: 0,
    };
    this.requests.push(entry);
    if (this.requests.length > KEPT_REQUESTS) this.requests.shift();
    response.on('error', () => undefined);
    try {
      await this.#answer(request, response, entry);
    } catch (error) {
      const bad = error instanceof BadRequest || error instanceof ConfigError;
      const message = error instanceof Error ? error.message : String(error);
      if (!response.headersSent) this.#send(response, entry, json(bad ? 400 : 500, { error: message }));
      else response.destroy();
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, entry: ApiRequest): Promise<void> {
    // A client that was sent elsewhere sees the name that it came by.
    const url = new URL(entry.url, `http://${request.headers.host ?? this.origin.slice(7)}`);
    if (url.pathname === '/oauth/token') {
      const given = this.#gate.token(request.headers, await bodyOf(request));
      return this.#send(response, entry, json(given.status, given.json));
    }
    request.resume();
    const refused = this.#gate.refuse({ headers: request.headers, query: url.searchParams });
    if (refused)
      return this.#send(
        response,
        entry,
        json(refused.status, { error: refused.error }, { 'www-authenticate': refused.challenge }),
      );
    if (entry.method === 'POST' && url.pathname === '/next-day')
      return this.#send(response, entry, json(200, { day: ++this.day }));
    if (entry.method !== 'GET')
      return this.#send(response, entry, json(405, { error: 'this API is read only' }));
    if (url.pathname === '/') return this.#send(response, entry, json(200, this.#overview()));
    const target = this.#target(url);
    if (!target) return this.#send(response, entry, json(404, { error: 'there is no such record' }));
    await this.#sendRecords(target, {
      url,
      response,
      entry,
      zipped: acceptsGzip(request) && this.#options.gzip !== false,
    });
  }

  async #sendRecords(
    target: Target,
    {
      url,
      response,
      entry,
      zipped,
    }: { url: URL; response: ServerResponse; entry: ApiRequest; zipped: boolean },
  ): Promise<void> {
    const { entity, day, selection, only } = target;
    const query = url.searchParams;
    const hostile = this.#hostileTo(entity.name, query);
    const asked = readPageRequest(query, this.#options, selection);
    const page = only
      ? { from: 0, to: 1, next: undefined, again: false, total: 1 }
      : cutPage(asked, selection, hostile);
    const { lines } = asked;
    const records = (): Uint8Array =>
      this.#pages.render(entity, day, { selection, from: page.from, to: page.to, lines });
    const { before, after, headers } = only
      ? { before: Buffer.alloc(0), after: Buffer.alloc(0), headers: { ...JSON_HEADERS } }
      : envelope(asked, page, { url, selection });
    const whole = (): Buffer => Buffer.concat([before, records(), after]);
    const key = `${zipped} ${lines} ${target.name} ${page.from} ${page.to} ${before.toString()} ${after.toString()}`;
    const body = await this.#cache.of(key, () => (zipped ? packed(whole(), { level: GZIP_LEVEL }) : whole()));
    if (zipped) headers['content-encoding'] = 'gzip';
    const right: Prepared = { status: 200, headers, body };
    const number = Math.floor(asked.start / asked.size);
    const failure = this.#tries.failure(hostile, number, entry.url);
    if (failure) {
      entry.hostile = failure.kind;
      entry.status = await fail(response, failure, { right, here: url });
      return;
    }
    entry.records = page.to - page.from;
    const slow = hostile.find(({ kind }) => kind === 'drip');
    if (slow) {
      entry.status = 200;
      return drip(response, right, Number(slow.argument ?? 50));
    }
    this.#send(response, entry, right);
  }

  #send(response: ServerResponse, entry: ApiRequest, { status, headers, body }: Prepared): void {
    entry.status = status;
    response.writeHead(status, { ...headers, 'content-length': String(body.length) });
    response.end(body);
  }

  #hostileTo(entity: string, query: URLSearchParams): Hostility[] {
    const asked =
      this.#options.hostileByQuery === false ? [] : (query.get('hostile') ?? '').split(',').filter(Boolean);
    const all = [...(this.hostile['*'] ?? []), ...(this.hostile[entity] ?? []), ...asked];
    return all.map((of) => (typeof of === 'string' ? parseHostility(of) : of));
  }

  /** What a path is about; undefined when there is no such thing. */
  #target(url: URL): Target | undefined {
    const [name = '', key, child, more] = url.pathname.slice(1).split('/');
    const entity = this.#data.entities.find((of) => of.name === name);
    if (!entity || more !== undefined) return undefined;
    const day = readDay(url.searchParams.get('day')) ?? this.day;
    const since = readMoment(url.searchParams.get('updated_since'));
    const all = this.#pages.selection(entity, day, key === undefined ? since : undefined);
    if (key === undefined || key === '')
      return { entity, day, selection: all, only: false, name: `${name} ${day} ${since ?? ''}` };
    const index = /^\d{1,10}$/.test(key) ? Number(key) - 1 : -1;
    if (!has(all, index)) return undefined;
    if (child === undefined)
      return {
        entity,
        day,
        selection: { count: 1, index: () => index },
        only: true,
        name: `${name} ${day} #${index}`,
      };
    const children = this.#data.entities.find((of) => of.name === child && of.parent === entity);
    if (!children) return undefined;
    const selection = this.#pages.children(children, day, index);
    return { entity: children, day, selection, only: false, name: `${child} ${day} of ${index}` };
  }

  #overview(): Record<string, unknown> {
    const { model, options, entities } = this.#data;
    return {
      model,
      day: this.day,
      from: options.from,
      records: entities.map(({ name, entity, parent }) => ({
        url: `${this.origin}/${name}`,
        summary: entity.summary,
        count: this.#pages.selection(this.#data.entity(name), this.day, undefined).count,
        ...(parent && { of: `${this.origin}/${parent.name}/{id}/${name}` }),
      })),
    };
  }
}

/** Throws ConfigError for what would show with the first request, or never. */
function assertOptions(data: Dataset, { faults, hostile = {}, day = 0 }: ApiOptions): void {
  if (faults) assertFaults(faults, 'json', fieldNames(data.entities, day));
  for (const [name, of] of Object.entries(hostile)) {
    if (name !== '*') data.entity(name);
    for (const each of of) if (typeof each === 'string') parseHostility(each);
  }
}

function json(status: number, value: unknown, headers: Record<string, string> = {}): Prepared {
  return { status, headers: { ...JSON_HEADERS, ...headers }, body: Buffer.from(JSON.stringify(value)) };
}

function has(selection: Selection, index: number): boolean {
  let low = 0;
  let high = selection.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (selection.index(middle) < index) low = middle + 1;
    else high = middle;
  }
  return low < selection.count && selection.index(low) === index;
}

function readDay(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^\d{1,4}$/.test(text)) throw new BadRequest('day is a number, and 0 the first');
  return Number(text);
}

/** Microseconds since 1970 of `2026-01-31` or `2026-01-31T12:00:00.123456Z`. */
function readMoment(text: string | null): number | undefined {
  if (text === null) return undefined;
  // A blank is what a plus sign becomes that was not encoded.
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+ -]\d\d:?\d\d)?)?$/.exec(
    text,
  );
  const [, date, clock = '00:00', fractionDigits = '', zone = 'Z'] = found ?? [];
  const milliseconds = Date.parse(`${date}T${clock}${zone.replace(' ', '+')}`);
  if (!found || Number.isNaN(milliseconds))
    throw new BadRequest('updated_since is a day or a moment such as 2026-01-31T12:00:00Z');
  return milliseconds * 1000 + Number(fractionDigits.slice(0, 6).padEnd(6, '0'));
}

function acceptsGzip({ headers }: IncomingMessage): boolean {
  return /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
