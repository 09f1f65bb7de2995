/**
 * Requests to one API: as many at once and as often as it allows, again after what may pass, and never to anybody else with its
 * credentials. Bodies are streams, and nothing of them is kept here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AuthError,
  CancelledError,
  ConfigError,
  DataError,
  SluiceError,
  throwIfAborted,
  TransientError,
} from '../../../core/errors.ts';
import { type Answer, type AnswerHeaders, Exchange, type HttpRequest } from './exchange.ts';
import { Pace, untilReset } from './pace.ts';

export type { AnswerHeaders, HttpRequest } from './exchange.ts';

export interface HttpLimits {
  /** Tries of one request. */
  attempts: number;
  /** Seconds without a byte. */
  timeout: number;
  /** Seconds for one answer with all of its body. */
  responseTimeout: number;
  /** Bytes of one body, unpacked. */
  responseBytes: number;
  /** Seconds to wait at most before one more try, whatever the server asks for. */
  longestWait: number;
  /** Requests at once. */
  concurrency: number;
  /** Requests in so many seconds; undefined: no limit of ours. */
  rate?: { requests: number; seconds: number } | undefined;
}

export interface HttpResponse {
  status: number;
  headers: AnswerHeaders;
  /** Of the answer, after redirects. */
  url: URL;
  body: AsyncIterable<Uint8Array>;
}

/** An answer that is no redirect, and what it answers. */
type Arrived = Answer & { sent: HttpRequest };

/** Who we are to the host that it is for, and to nobody else. */
export interface Access {
  origin: string;
  credentials: {
    authorize(request: HttpRequest, signal: AbortSignal): Promise<HttpRequest>;
    /** The server did not take those of `refused`: whether there are others now. */
    renew(refused: HttpRequest): boolean;
    /** Whether a text has any of them in it. */
    shows(text: string): boolean;
  };
}

/** One request, tried as often as it takes. */
interface Trial {
  readonly signal: AbortSignal;
  readonly accepts: readonly number[];
  /** As it was sent when the server did not take its credentials. */
  refused: HttpRequest | undefined;
}

const RETRIED: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const MOST_REDIRECTS = 5;
const FIRST_WAIT_MS = 500;
/** What a server says of itself when it refuses. */
const MOST_SAID = 4096;

export class HttpClient {
  readonly #limits: HttpLimits;
  readonly #access: Access | undefined;
  readonly #pace: Pace;
  readonly #exchange = new Exchange();

  constructor(limits: HttpLimits, access: Access | undefined) {
    this.#limits = limits;
    this.#access = access;
    this.#pace = new Pace(limits.concurrency, limits.rate);
  }

  /**
   * Hands the answer to `take`, which reads the body; both are done again after errors that may pass. An answer with one of the
   * statuses in `accepts` is handed on as well.
   */
  async send<T>(
    request: HttpRequest,
    take: (response: HttpResponse) => Promise<T>,
    { signal, accepts = [] }: { signal: AbortSignal; accepts?: readonly number[] },
  ): Promise<T> {
    let renewed = false;
    const how: Trial = { signal, accepts, refused: undefined };
    for (let attempt = 1; ; attempt++) {
      throwIfAborted(signal);
      try {
        return await this.#pace.run(signal, () => this.#attempt(request, take, how));
      } catch (error) {
        throwIfAborted(signal);
        const { refused } = how;
        if (error instanceof AuthError && !renewed && refused && this.#access?.credentials.renew(refused)) {
          renewed = true;
          continue;
        }
        if (!(error instanceof TransientError) || attempt >= this.#limits.attempts)
          throw given(error, attempt);
        const backoff = FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
        const waitMs = Math.max(error.retryAfterMs ?? 0, Math.min(backoff, 30_000));
        if (waitMs > this.#limits.longestWait * 1000) throw tooLong(error, waitMs);
        // Who is told to wait makes the others wait as well.
        if (error.retryAfterMs !== undefined) this.#pace.pause(waitMs);
        else await wait(waitMs, signal);
      }
    }
  }

  /** Never throws. */
  close(): void {
    this.#exchange.close();
  }

  async #attempt<T>(
    request: HttpRequest,
    take: (response: HttpResponse) => Promise<T>,
    trial: Trial,
  ): Promise<T> {
    const { signal, accepts } = trial;
    const watch = new Watch(signal, this.#limits);
    const doing = `asking ${shown(request)}`;
    let response: Arrived | undefined;
    try {
      response = await this.#follow(request, watch, signal);
      const { status, headers, sent } = response;
      if ((status < 200 || status > 299) && !accepts.includes(status)) {
        if (status === 401 || status === 403) trial.refused = sent;
        const said = await whatItSays(response, watch);
        // A server may repeat what it was sent.
        const told = this.#access?.credentials.shows(said) === true ? '' : said;
        throw refusal(response, `${doing}: it answered ${status}${told}`);
      }
      this.#pace.heed(headers);
      return await take({ status, headers, url: sent.url, body: this.#body(response, watch, doing) });
    } catch (error) {
      throw watch.explain(error, doing);
    } finally {
      watch.stop();
      response?.drop();
    }
  }

  /** Goes where the server points to. Credentials stay with the host that they are for. */
  async #follow(request: HttpRequest, watch: Watch, signal: AbortSignal): Promise<Arrived> {
    const { origin, credentials } = this.#access ?? {};
    // An address that a server has handed out may be anybody's.
    let next = origin === undefined || request.url.origin === origin ? request : bare(request, request.url);
    for (let hops = 0; ; hops++) {
      const ours = credentials && next.url.origin === origin;
      const sent = ours ? await credentials.authorize(next, signal) : next;
      const answer = await this.#exchange.send(sent, watch.signal);
      const location = answer.headers.get('location');
      if (!REDIRECTS.has(answer.status) || location === null) return { ...answer, sent };
      answer.drop();
      if (hops === MOST_REDIRECTS)
        throw new DataError(`asking ${shown(request)}: more than ${MOST_REDIRECTS} redirects`, {
          code: 'http.redirects',
          remedy: 'does the url of the connection have to end in another way, or begin with https?',
        });
      next = redirected(next, new URL(location, sent.url), answer.status);
    }
  }

  async *#body({ body }: Answer, watch: Watch, doing: string): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of body) {
      watch.alive();
      bytes += piece.length;
      if (bytes > this.#limits.responseBytes)
        throw new DataError(`${doing}: the answer has more than ${this.#limits.responseBytes} bytes`, {
          code: 'http.too_large',
          remedy: 'ask for smaller pages, or raise `max_response` of the connection',
        });
      yield piece;
    }
  }
}

/** A request as people read it: without what its query may hold of secrets. */
export function shown({ method, url }: HttpRequest): string {
  return `${method} ${url.origin}${url.pathname}`;
}

function redirected(from: HttpRequest, url: URL, status: number): HttpRequest {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new DataError(`asking ${shown(from)}: it points to ${url.protocol}`, { code: 'http.redirects' });
  if (from.url.protocol === 'https:' && url.protocol === 'http:')
    throw new DataError(`asking ${shown(from)}: it points from https to http`, {
      code: 'http.redirects',
      remedy: 'correct the url of the connection; nothing is sent in the clear that was to be encrypted',
    });
  const keeps = status === 307 || status === 308 || from.method === 'GET';
  const next: HttpRequest = keeps ? { ...from, url } : { method: 'GET', url, headers: from.headers };
  return url.origin === from.url.origin ? next : bare(next, url);
}

/** Any header may be a credential, and so may the body. */
function bare({ headers }: HttpRequest, url: URL): HttpRequest {
  const accept = headers['accept'];
  return { method: 'GET', url, headers: accept === undefined ? {} : { accept } };
}

/** Ends a request that stands still or lasts too long. */
class Watch {
  readonly #idle = new AbortController();
  readonly signal: AbortSignal;
  readonly #limits: HttpLimits;
  readonly #outer: AbortSignal;
  #timer: NodeJS.Timeout;
  readonly #whole: NodeJS.Timeout;
  #late: 'idle' | 'whole' | undefined;

  constructor(outer: AbortSignal, limits: HttpLimits) {
    this.#limits = limits;
    this.#outer = outer;
    this.signal = AbortSignal.any([outer, this.#idle.signal]);
    this.#timer = this.#arm('idle', limits.timeout);
    this.#whole = this.#arm('whole', limits.responseTimeout);
  }

  #arm(late: 'idle' | 'whole', seconds: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#late = late;
      this.#idle.abort();
    }, seconds * 1000);
  }

  alive(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#whole);
  }

  explain(error: unknown, doing: string): unknown {
    if (this.#outer.aborted || error instanceof SluiceError) return error;
    const { timeout, responseTimeout } = this.#limits;
    if (this.#late !== undefined) {
      const idle = this.#late === 'idle';
      return new TransientError(
        `${doing}: ${idle ? `nothing came for ${timeout} s` : `the answer took more than ${responseTimeout} s`}`,
        {
          code: 'http.timeout',
          remedy: idle ? 'see `timeout` of the connection' : 'see `response_timeout` of the connection',
        },
      );
    }
    return networkError(error, doing);
  }
}

function networkError(error: unknown, doing: string): unknown {
  const { code } = error as { code?: unknown };
  if (!(error instanceof Error) || typeof code !== 'string') return error;
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code))
    return new ConfigError(`${doing}: its certificate is not trusted (${code})`, {
      code: 'http.certificate',
      remedy: 'NODE_EXTRA_CA_CERTS names a file with further authorities to trust',
    });
  if (/^Z_|ERR_.*(BROTLI|ZLIB|ZSTD)/.test(code))
    return new TransientError(`${doing}: its body cannot be unpacked (${code})`, { code: 'http.body' });
  return new TransientError(`${doing}: ${code}`, {
    code: 'http.connection',
    remedy: 'is the url right, and the API reachable from here?',
    cause: error,
  });
}

function refusal({ status, headers }: Answer, found: string): SluiceError {
  const asked = retryAfter(headers) ?? untilReset(headers);
  // Some who have had enough say that it is forbidden, and until when.
  const throttled = status === 429 || (status === 403 && asked !== undefined);
  const retryAfterMs = throttled || RETRIED.has(status) ? asked : undefined;
  const details = { status };
  if (throttled)
    return new TransientError(found, {
      code: 'http.throttled',
      remedy: 'ask more slowly: `rate` and `concurrency` of the connection',
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      details,
    });
  if (RETRIED.has(status))
    return new TransientError(found, {
      code: 'http.status',
      remedy: 'if it stays, the API has a fault',
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      details,
    });
  if (status === 401 || status === 403)
    return new AuthError(found, {
      code: 'http.refused',
      remedy: 'check `auth` of the connection, and what its account may read',
      details: { status },
    });
  return new ConfigError(found, {
    code: 'http.rejected',
    remedy: 'check the path and the parameters of the endpoint',
    details: { status },
  });
}

/** A member called `message` or the like, which is written for people; anything else may be data. */
async function whatItSays({ body: all }: Answer, watch: Watch): Promise<string> {
  let text = '';
  try {
    for await (const piece of all) {
      watch.alive();
      text += Buffer.from(piece).toString('utf8');
      if (text.length > MOST_SAID) return '';
    }
    const body = JSON.parse(text) as Record<string, unknown>;
    const own = typeof body['error'] === 'object' && body['error'] !== null ? body['error'] : body;
    const { message, detail, error, error_description: described } = own as Record<string, unknown>;
    const said = [message, detail, described, error].find((each) => typeof each === 'string');
    return said === undefined ? '' : ` ("${said.replace(/\s+/g, ' ').slice(0, 200)}")`;
  } catch {
    return '';
  }
}

/** RFC 9110, 10.2.3: seconds, or a date. */
export function retryAfter(headers: AnswerHeaders, now: number = Date.now()): number | undefined {
  const written = headers.get('retry-after')?.trim();
  if (written === undefined || written === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(written)) return Number(written) * 1000;
  const at = Date.parse(written);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

function given(error: unknown, attempts: number): unknown {
  if (!(error instanceof TransientError) || attempts < 2) return error;
  const { code, remedy, details } = error;
  return new TransientError(`${error.message}, ${attempts} times`, {
    code,
    remedy,
    details,
    cause: error,
  });
}

function tooLong(error: TransientError, waitMs: number): TransientError {
  const { code, details } = error;
  return new TransientError(`${error.message}, and asks us to wait ${Math.ceil(waitMs / 1000)} s`, {
    code,
    remedy: 'run it again after that, or let it wait: `max_wait` of the connection',
    next: 'later',
    retryAfterMs: waitMs,
    details,
    cause: error,
  });
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {
    throw new CancelledError('stopped on request', { code: 'cancelled' });
  });
}
