import type { IncomingHttpHeaders } from 'node:http';
import type { ApiAuth } from './api-options.ts';

/** What is said to who may not. */
export interface Refusal {
  readonly status: number;
  readonly challenge: string;
  readonly error: string;
}

interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams;
}

/** Decides who may read, and gives out tokens. */
export class Gatekeeper {
  readonly #auth: ApiAuth | undefined;
  readonly #tokens = new Map<string, { expires: number; left: number }>();
  #given = 0;

  constructor(auth: ApiAuth | undefined) {
    this.#auth = auth;
  }

  /** Undefined for those who may. */
  refuse({ headers, query }: Asked): Refusal | undefined {
    const auth = this.#auth;
    if (!auth) return undefined;
    const given = headers.authorization ?? '';
    switch (auth.kind) {
      case 'bearer':
        return given === `Bearer ${auth.token}` ? undefined : refusal('Bearer', 'invalid_token');
      case 'basic':
        return given === basic(auth.user, auth.password)
          ? undefined
          : refusal('Basic realm="api"', 'unauthorized');
      case 'api-key': {
        const { key, query: parameter, header = 'x-api-key' } = auth;
        const found = parameter === undefined ? headers[header.toLowerCase()] : query.get(parameter);
        return found === key ? undefined : refusal('ApiKey', 'invalid_api_key');
      }
      case 'oauth2':
        return this.#isGood(given.replace(/^Bearer /, ''))
          ? undefined
          : refusal('Bearer error="invalid_token"', 'invalid_token');
    }
  }

  /** Answers a request for a token: RFC 6749, 4.4. */
  token(headers: IncomingHttpHeaders, body: string): { status: number; json: Record<string, unknown> } {
    const auth = this.#auth;
    if (auth?.kind !== 'oauth2') return { status: 404, json: { error: 'not_found' } };
    const form = new URLSearchParams(body);
    const { client, secret, expiresSeconds = 3600, tokenRequests = Number.POSITIVE_INFINITY } = auth;
    const known =
      headers.authorization === basic(client, secret) ||
      (form.get('client_id') === client && form.get('client_secret') === secret);
    if (!known) return { status: 401, json: { error: 'invalid_client' } };
    if (form.get('grant_type') !== 'client_credentials')
      return { status: 400, json: { error: 'unsupported_grant_type' } };
    const token = `token-${++this.#given}`;
    this.#tokens.set(token, { expires: Date.now() + expiresSeconds * 1000, left: tokenRequests });
    return { status: 200, json: { access_token: token, token_type: 'Bearer', expires_in: expiresSeconds } };
  }

  #isGood(token: string): boolean {
    const found = this.#tokens.get(token);
    if (!found || found.expires <= Date.now() || found.left <= 0) return false;
    found.left--;
    return true;
  }
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function refusal(challenge: string, error: string): Refusal {
  return { status: 401, challenge, error };
}
