import { z } from 'zod';
import { flatten } from '../../core/flatten.ts';
import { inSchema, parseDuration, parseSize } from '../../core/units.ts';

const duration = z.union([z.string(), z.number()]).transform(inSchema(parseDuration));
const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));
const text = z.string().trim().min(1);
const secret = (description: string): z.ZodString => z.string().min(1).meta({ description, secret: true });
const place = z
  .enum(['query', 'body'])
  .optional()
  .describe('Where it goes: query (when absent), or the body.');

/** A request that a function of the project is to sign. */
export interface RequestToSign {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** The API did not take what was returned last: a token may have ended. */
  readonly refused: boolean;
  /** Aborted when the run is to stop. */
  readonly signal: AbortSignal;
}

/** Returns headers to send with the request, such as a signature of it. Called for each request; what it throws ends the stream. */
export type SignRequest = (
  request: RequestToSign,
) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;

/** Who we are to the API. */
export type AuthOptions =
  | SignRequest
  | { bearer: string }
  | { user: string; password: string }
  | { api_key: string; header?: string | undefined; query?: string | undefined }
  | {
      token_url: string;
      client_id?: string | undefined;
      client_secret?: string | undefined;
      refresh_token?: string | undefined;
      scope?: string | undefined;
      params?: Record<string, string> | undefined;
    };

/** How an endpoint hands out its records. */
export type PagingOptions =
  | {
      by: 'page';
      param?: string | undefined;
      first?: number | undefined;
      size_param?: string | undefined;
      size?: number | undefined;
      pages?: string | undefined;
      in?: 'query' | 'body' | undefined;
    }
  | {
      by: 'offset';
      param?: string | undefined;
      size_param?: string | undefined;
      size?: number | undefined;
      total?: string | undefined;
      in?: 'query' | 'body' | undefined;
    }
  | {
      by: 'cursor';
      next: string;
      param?: string | undefined;
      size_param?: string | undefined;
      size?: number | undefined;
      more?: string | undefined;
      in?: 'query' | 'body' | undefined;
    }
  | { by: 'link' }
  | { by: 'next_url'; next: string };

export interface SinceOptions {
  param: string;
  format?: 'iso' | 'date' | 'unix' | 'unix_ms' | 'number' | undefined;
  until?: string | undefined;
  in?: 'query' | 'body' | undefined;
}

export interface EndpointOptions {
  path: string;
  method?: 'GET' | 'POST' | undefined;
  params?: Record<string, string | number | boolean> | undefined;
  headers?: Record<string, string> | undefined;
  body?: Record<string, unknown> | undefined;
  records?: string | undefined;
  format?: 'json' | 'csv' | undefined;
  flatten?: number | undefined;
  key?: string | string[] | undefined;
  paging?: PagingOptions | 'none' | undefined;
  since?: string | SinceOptions | undefined;
}

interface Shared {
  auth?: AuthOptions | undefined;
  headers?: Record<string, string> | undefined;
  params?: Record<string, string | number | boolean> | undefined;
  paging?: PagingOptions | 'none' | undefined;
  rate?: string | undefined;
  concurrency?: number | undefined;
  attempts?: number | undefined;
  endpoints: Record<string, EndpointOptions | string>;
}

/** A REST API as the user writes it. */
export interface RestOptionsInput extends Shared {
  url: string;
  timeout?: string | number | undefined;
  response_timeout?: string | number | undefined;
  max_response?: string | number | undefined;
  max_wait?: string | number | undefined;
  max_pages?: number | undefined;
}

/** The same after parsing: durations are seconds, sizes are bytes. */
export interface RestOptions extends Shared {
  url: string;
  concurrency: number;
  attempts: number;
  timeout: number;
  response_timeout: number;
  max_response: number;
  max_wait: number;
  max_pages: number;
  endpoints: Record<string, EndpointOptions>;
}

const value = z.union([z.string(), z.number(), z.boolean()]);
const params = z.record(z.string(), value);
const headers = z.record(z.string(), z.string());

const auth = z.union([
  z.strictObject({ bearer: secret('Token that is sent as `Authorization: Bearer …`.') }),
  z.strictObject({
    user: text.describe('User of HTTP basic authentication.'),
    password: secret('Its password.'),
  }),
  z
    .strictObject({
      api_key: secret('Key that is sent with each request.'),
      header: text.optional().describe('Header that it is sent in; X-API-Key when neither is given.'),
      query: text.optional().describe('Parameter of the query that it is sent in.'),
    })
    .refine(
      ({ header, query }) => header === undefined || query === undefined,
      'goes by `header` or by `query`, not by both',
    ),
  z
    .strictObject({
      token_url: z.url().describe('Where OAuth 2 hands out tokens.'),
      client_id: text.optional().describe('Client that asks for them.'),
      client_secret: secret('Its secret.').optional(),
      refresh_token: secret(
        'Token that stands for a user; without one the client asks for itself.',
      ).optional(),
      scope: text.optional().describe('What is asked for.'),
      params: z.record(z.string(), z.string()).optional().describe('More fields of the request for a token.'),
    })
    .refine(
      (given) => given.client_id !== undefined || given.refresh_token !== undefined,
      'needs a `client_id`, or a `refresh_token`',
    ),
  z
    .custom<SignRequest>((given) => typeof given === 'function', { params: { kind: 'function' } })
    .meta({ description: 'A function of a project in TypeScript.', code: true }),
]);

const sizes = {
  size_param: text.optional().describe('Parameter for the number of records of a page.'),
  size: z.int().min(1).optional().describe('Records of a page that are asked for.'),
};

const paging = z.union([
  z.literal('none'),
  z.strictObject({
    by: z.literal('page').describe('Pages have numbers.'),
    param: text.optional().describe('Parameter for the number; page when absent.'),
    first: z.int().min(0).optional().describe('Number of the first page; 1 when absent.'),
    ...sizes,
    pages: text.optional().describe('Path to the number of pages in the body, where it has one.'),
    in: place,
  }),
  z.strictObject({
    by: z.literal('offset').describe('Pages begin at a number of records.'),
    param: text.optional().describe('Parameter for that number; offset when absent.'),
    ...sizes,
    total: text.optional().describe('Path to the number of all records in the body, where it has one.'),
    in: place,
  }),
  z.strictObject({
    by: z.literal('cursor').describe('Each answer says where the next page begins.'),
    next: text
      .describe('Path to that in the body, such as meta.next; or `header:<name>`.')
      .meta({ examples: ['meta.next_cursor', 'header:X-Next'] }),
    param: text.optional().describe('Parameter that it is sent in; cursor when absent.'),
    ...sizes,
    more: text.optional().describe('Path to whether there are more pages, where the body says so.'),
    in: place,
  }),
  z.strictObject({
    by: z.literal('link').describe('The header Link has the next page (rel="next", RFC 8288).'),
  }),
  z.strictObject({
    by: z.literal('next_url').describe('The body has the address of the next page.'),
    next: text.describe('Path to it.').meta({ examples: ['links.next'] }),
  }),
]);

const since = z.union([
  text,
  z.strictObject({
    param: text.describe('Parameter that says from when on.'),
    format: z
      .enum(['iso', 'date', 'unix', 'unix_ms', 'number'])
      .optional()
      .describe(
        'How the time is written: iso (2026-07-24T01:00:00.000000Z, when absent), date, seconds or milliseconds since 1970; number for cursors that are none.',
      ),
    until: text.optional().describe('Parameter that says up to when, for `--to`.'),
    in: place,
  }),
]);

const endpoint = z.strictObject({
  path: text
    .describe('Below the url. {partners.id} stands for the field id of each record of the endpoint partners.')
    .meta({ examples: ['/loans', '/partners/{partners.id}/loans'] }),
  method: z.enum(['GET', 'POST']).optional().describe('GET when absent.'),
  params: params.optional().describe('Parameters of the query.'),
  headers: headers.optional().describe('Headers beside those of the connection.'),
  body: z.record(z.string(), z.unknown()).optional().describe('Body of a POST, sent as JSON.'),
  records: text
    .optional()
    .describe(
      'Path to the array of records in the body, such as data.items; when absent the body is that array, one record, or has a record on each line.',
    )
    .meta({ examples: ['data', 'result.items'] }),
  format: z.enum(['json', 'csv']).optional().describe('How bodies are written; json when absent.'),
  flatten,
  key: z
    .union([text, z.array(text).min(1)])
    .optional()
    .describe('Field or fields that tell records apart.'),
  paging: paging.optional().describe('How pages are asked for; as the connection says when absent.'),
  since: since
    .optional()
    .describe(
      'Parameter by which only records are asked for that have changed since the last run; streams with a `cursor` use it.',
    ),
});

const RATE = /^(\d+)\s*(?:\/|per)\s*(s|sec|second|m|min|minute|h|hour)$/i;

/** `10/s`, `600 per minute`. */
export function parseRate(written: string): { requests: number; seconds: number } {
  const [, requests, unit = ''] = RATE.exec(written.trim()) ?? [];
  if (requests === undefined) throw new RangeError(`"${written}" is no rate`);
  return {
    requests: Number(requests),
    seconds: { s: 1, m: 60, h: 3600 }[unit[0]!.toLowerCase() as 's' | 'm' | 'h'],
  };
}

export const restOptions: z.ZodType<RestOptions, RestOptionsInput> = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .describe('Where the API is; paths of endpoints follow it.')
      .meta({ examples: ['https://api.example.com/v1'] }),
    auth: auth
      .optional()
      .describe('Who we are: a bearer token, user and password, an API key, or a client of OAuth 2.'),
    headers: headers.optional().meta({ description: 'Headers of each request.', secret: true }),
    params: params.optional().describe('Parameters of the query of each request.'),
    paging: paging
      .optional()
      .describe('How pages are asked for, where an endpoint does not say so itself; none when absent.'),
    rate: z
      .string()
      .regex(RATE, 'is no rate, such as 10/s or 600/minute')
      .optional()
      .describe(
        'Most requests in a time, such as "10/s" or "600/minute"; what the API says of its own limits is kept to anyhow.',
      ),
    concurrency: z.int().min(1).max(64).default(4).describe('Most requests at once; 4 when absent.'),
    attempts: z
      .int()
      .min(1)
      .max(100)
      .default(5)
      .describe(
        'Tries of one request that fails with what may pass: no connection, 408, 425, 429, 500, 502, 503, 504; 5 when absent.',
      ),
    timeout: duration.default(60).describe('How long an answer may stand still; "60 s" when absent.'),
    response_timeout: duration
      .default(1800)
      .describe('How long one answer may take with all of its body; "30 min" when absent.'),
    max_response: size
      .default(4_000_000_000)
      .describe('Largest body of an answer, unpacked; "4 GB" when absent.'),
    max_wait: duration
      .default(300)
      .describe('Longest wait that the API may ask for before one more try; "5 min" when absent.'),
    max_pages: z
      .int()
      .min(1)
      .default(100_000)
      .describe('Pages after which an endpoint counts as one that has no end; 100000 when absent.'),
    endpoints: z
      .record(
        z.string().regex(/^[A-Za-z_]\w*$/, 'the name of an endpoint is made of letters, digits and "_"'),
        z.union([text.transform((path): EndpointOptions => ({ path })), endpoint]),
      )
      .refine((all) => Object.keys(all).length > 0, 'has no endpoint')
      .describe(
        'What can be read: the name of a stream, and where its records are; a path alone, or all that there is to say.',
      ),
  })
  .superRefine(({ endpoints }, context) => {
    for (const [name, { path }] of Object.entries(endpoints as Record<string, EndpointOptions>))
      for (const [, parent] of path.matchAll(/\{([^}.]*)\.?[^}]*\}/g))
        if (!Object.hasOwn(endpoints, parent!) || parent === name)
          context.addIssue(
            `endpoints.${name}.path: {${parent}…} names no other endpoint; {partners.id} takes the field id of the endpoint partners`,
          );
  })
  .describe('A REST API.');
