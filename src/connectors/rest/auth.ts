/** Adds credentials to requests; tokens of OAuth 2 (RFC 6749, 4.4 and 6) are asked for when they are needed, and again when they end. */
import { AuthError, ConfigError, SluiceError, throwIfAborted } from '../../core/errors.ts';
import { untilAborted } from '../../core/until-aborted.ts';
import { type HttpClient, type HttpRequest, shown } from '../shared/http/http-client.ts';
import type { AuthOptions, SignRequest } from './options.ts';

/** A token that ends so soon is as good as none, seconds. */
const MARGIN = 30;

type TokenOptions = Extract<AuthOptions, { token_url: string }>;

interface Token {
  token: string;
  /** Of this process's clock, which only counts from when it was given. */
  endsAt: number;
}

/** Values that a function of the project has returned, as many as requests may be under way with. */
const SIGNED = 100;

export class Credentials {
  readonly #options: AuthOptions | undefined;
  readonly #client: HttpClient;
  readonly #secrets: string[];
  /** Undefined: there is none that is good. */
  #asked: Promise<Token> | undefined;
  /** That token, once it has come. */
  #held: string | undefined;
  /** Servers may hand out another one with each token. */
  #refresh: string | undefined;
  readonly #closing = new AbortController();
  #refused = false;
  #signed: string[] = [];

  /** `client`: for requests of tokens, which are made without credentials; `others`: what is secret besides. */
  constructor(options: AuthOptions | undefined, client: HttpClient, others: readonly string[] = []) {
    this.#options = options;
    this.#secrets = [...others, ...secretsOf(options)];
    this.#client = client;
    const hasTokens = typeof options === 'object' && 'token_url' in options;
    this.#refresh = hasTokens ? options.refresh_token : undefined;
  }

  async authorize(request: HttpRequest, signal: AbortSignal): Promise<HttpRequest> {
    const options = this.#options;
    if (options === undefined) return request;
    if (typeof options === 'function') return this.#sign(options, request, signal);
    if ('bearer' in options) return withHeader(request, 'authorization', `Bearer ${options.bearer}`);
    if ('user' in options) {
      return withHeader(request, 'authorization', `Basic ${basicOf(options)}`);
    }
    if ('api_key' in options) {
      if (options.query === undefined)
        return withHeader(request, options.header ?? 'x-api-key', options.api_key);
      const url = new URL(request.url);
      url.searchParams.set(options.query, options.api_key);
      return { ...request, url };
    }
    const token = await this.#current(options, signal);
    return withHeader(request, 'authorization', `Bearer ${token}`);
  }

  /** What `request` was sent with was refused: whether there can be something else. */
  renew(request: HttpRequest): boolean {
    if (typeof this.#options === 'function') return (this.#refused = true);
    if (!this.#options || !('token_url' in this.#options)) return false;
    // Others may have another one since: servers may end a token as soon as the next is asked for.
    if (request.headers['authorization'] === `Bearer ${this.#held}`) this.#asked = this.#held = undefined;
    return true;
  }

  /** The server has handed out another refresh token than the one that is configured. */
  get rotates(): boolean {
    const options = this.#options;
    return typeof options === 'object' && 'token_url' in options && this.#refresh !== options.refresh_token;
  }

  /** Nobody waits for a token any more. */
  close(): void {
    this.#closing.abort();
    this.#client.close();
  }

  shows(text: string): boolean {
    return [...this.#secrets, ...this.#signed].some((secret) => text.includes(secret));
  }

  async #sign(sign: SignRequest, request: HttpRequest, signal: AbortSignal): Promise<HttpRequest> {
    const { method, url, headers, body } = request;
    const refused = this.#refused;
    this.#refused = false;
    const fail = (found: string): AuthError =>
      new AuthError(`asking ${shown(request)}: the function \`auth\` of the connection ${found}`, {
        code: 'rest.sign',
        remedy: 'it has to return headers, as texts by their names',
      });
    let given: Readonly<Record<string, string>>;
    try {
      given = await sign({ method, url: url.href, headers, body, refused, signal });
    } catch (error) {
      throwIfAborted(signal);
      if (error instanceof SluiceError) throw error;
      const said = error instanceof Error ? error.message : String(error);
      throw fail(this.shows(said) ? 'threw an error' : `threw: ${said}`);
    }
    if (typeof given !== 'object' || given === null) throw fail('returned no headers');
    const values = Object.values(given);
    if (!values.every((each) => typeof each === 'string')) throw fail('returned a header that is no text');
    this.#signed = [...this.#signed, ...values.filter((each) => each !== '')].slice(-SIGNED);
    return { ...request, headers: { ...headers, ...given } };
  }

  /**
   * One token for all requests, asked for once: a refresh token may be good for one use. For the same reason it is waited for when
   * the request that needed it is not.
   */
  async #current(options: TokenOptions, signal: AbortSignal): Promise<string> {
    for (;;) {
      const asked = (this.#asked ??= this.#ask(options));
      const { token, endsAt } = await untilAborted(asked, signal);
      if (endsAt > performance.now()) return token;
      if (this.#asked === asked) this.#asked = this.#held = undefined;
    }
  }

  /** What the server of tokens has said, without what it may repeat of our secrets. */
  #explained(error: unknown): unknown {
    if (!(error instanceof AuthError || error instanceof ConfigError)) return error;
    const { status } = (error.details ?? {}) as { status?: number };
    const said = this.shows(error.message) ? `the server of tokens answered ${status}` : error.message;
    return new AuthError(`asking for a token: ${said}`, {
      code: 'rest.token',
      remedy: 'check `auth` of the connection; a refresh token may have ended, or be good for one use',
      ...(status !== undefined && { details: { status } }),
    });
  }

  async #ask(options: TokenOptions): Promise<Token> {
    try {
      return await this.#fetch(options);
    } catch (error) {
      this.#asked = undefined;
      throw this.#explained(error);
    }
  }

  async #fetch(options: TokenOptions): Promise<Token> {
    const { token_url, client_id, client_secret, scope, params } = options;
    const refresh = this.#refresh;
    const form = new URLSearchParams({
      grant_type: refresh === undefined ? 'client_credentials' : 'refresh_token',
      ...(refresh !== undefined && { refresh_token: refresh }),
      ...(scope !== undefined && { scope }),
      ...(client_id !== undefined && { client_id }),
      ...(client_secret !== undefined && { client_secret }),
      ...params,
    });
    const request: HttpRequest = {
      method: 'POST',
      url: new URL(token_url),
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
    };
    const answer = await this.#client.send(
      request,
      async ({ body }) => {
        const pieces: Uint8Array[] = [];
        for await (const piece of body) pieces.push(Uint8Array.from(piece));
        return Buffer.concat(pieces).toString('utf8');
      },
      { signal: this.#closing.signal },
    );
    const { token, seconds, next } = tokenOf(answer);
    this.#secrets.push(token);
    if (next !== undefined) this.#secrets.push((this.#refresh = next));
    this.#held = token;
    return { token, endsAt: performance.now() + Math.max(1, seconds - MARGIN) * 1000 };
  }
}

function secretsOf(options: AuthOptions | undefined): string[] {
  if (typeof options !== 'object') return [];
  const named = options as Partial<
    Record<'bearer' | 'password' | 'api_key' | 'client_secret' | 'refresh_token', string>
  >;
  const { bearer, password, api_key: key, client_secret: client, refresh_token: refresh } = named;
  const basic = 'user' in options ? [basicOf(options)] : [];
  const plain = [bearer, password, key, client, refresh].filter((secret) => secret !== undefined);
  return [...plain, ...plain.map(encodeURIComponent), ...basic];
}

function basicOf({ user, password }: { user: string; password: string }): string {
  return Buffer.from(`${user}:${password}`).toString('base64');
}

function tokenOf(answer: string): { token: string; seconds: number; next: string | undefined } {
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(answer) as Record<string, unknown>;
  } catch {
    // It is told below.
  }
  const { access_token: token, expires_in: expires, refresh_token: next } = body ?? {};
  if (typeof token !== 'string')
    throw new AuthError('the answer has no "access_token"', {
      code: 'rest.token',
      remedy: 'check `token_url` and what OAuth 2 of this API wants besides: `scope`, `params`',
    });
  const seconds = Number(expires);
  return {
    token,
    seconds: Number.isFinite(seconds) && seconds > 0 ? seconds : 3600,
    next: typeof next === 'string' ? next : undefined,
  };
}

function withHeader(request: HttpRequest, name: string, value: string): HttpRequest {
  return { ...request, headers: { ...request.headers, [name]: value } };
}
