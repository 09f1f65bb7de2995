/** Adds credentials to requests; tokens of OAuth 2 (RFC 6749, 4.4 and 6) are asked for when they are needed, and again when they end. */
import { AuthError, SluiceError, throwIfAborted } from '../../core/errors.ts';
import { type HttpClient, type HttpRequest, shown } from '../shared/http/http-client.ts';
import type { AuthOptions, SignRequest } from './options.ts';

/** A token that ends so soon is as good as none, seconds. */
const MARGIN = 30;

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
  #token: Promise<Token> | undefined;
  /** Servers may hand out another one with each token. */
  #refresh: string | undefined;
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
      const pair = Buffer.from(`${options.user}:${options.password}`).toString('base64');
      return withHeader(request, 'authorization', `Basic ${pair}`);
    }
    if ('api_key' in options) {
      if (options.query === undefined)
        return withHeader(request, options.header ?? 'x-api-key', options.api_key);
      const url = new URL(request.url);
      url.searchParams.set(options.query, options.api_key);
      return { ...request, url };
    }
    const { token } = await this.#current(options, signal);
    return withHeader(request, 'authorization', `Bearer ${token}`);
  }

  /** The token was refused: whether there can be another one. */
  renew(): boolean {
    if (typeof this.#options === 'function') return (this.#refused = true);
    if (!this.#options || !('token_url' in this.#options)) return false;
    this.#token = undefined;
    return true;
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

  async #current(options: Extract<AuthOptions, { token_url: string }>, signal: AbortSignal): Promise<Token> {
    const known = await this.#token?.catch(() => undefined);
    if (known && known.endsAt > performance.now()) return known;
    const asked = this.#ask(options, signal);
    this.#token = asked;
    return asked;
  }

  async #ask(options: Extract<AuthOptions, { token_url: string }>, signal: AbortSignal): Promise<Token> {
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
        for await (const piece of body) pieces.push(piece);
        return Buffer.concat(pieces).toString('utf8');
      },
      { signal },
    );
    const { token, seconds, next } = tokenOf(answer);
    this.#secrets.push(token);
    if (next !== undefined) this.#secrets.push((this.#refresh = next));
    return { token, endsAt: performance.now() + Math.max(1, seconds - MARGIN) * 1000 };
  }
}

function secretsOf(options: AuthOptions | undefined): string[] {
  if (typeof options !== 'object') return [];
  const named = options as Partial<
    Record<'bearer' | 'password' | 'api_key' | 'client_secret' | 'refresh_token', string>
  >;
  const { bearer, password, api_key: key, client_secret: client, refresh_token: refresh } = named;
  return [bearer, password, key, client, refresh].filter((secret) => secret !== undefined);
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
    throw new AuthError('asking for a token: the answer has no "access_token"', {
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
