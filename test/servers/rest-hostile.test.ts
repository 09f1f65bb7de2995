/** What servers do to their clients: nothing is lost or doubled by it, and what cannot be is told. */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { SignRequest } from '../../src/connectors/rest/options.ts';
import { Api, ApiLake, type Answer, type Call } from '../support/api.ts';

const RECORDS = Array.from({ length: 9 }, (_, i) => ({ id: i + 1, name: `n${i + 1}` }));

function page({ query }: Call): Answer {
  const number = Number(query['page'] ?? 1);
  return { json: { data: RECORDS.slice((number - 1) * 3, number * 3) } };
}

async function open(
  answer: Api['answer'],
  connection: Record<string, unknown> = {},
): Promise<[Api, ApiLake]> {
  const api = await Api.open(answer);
  const pair = new ApiLake({ load: 'merge', key: 'id' });
  pair.url = api.url;
  pair.connection = { concurrency: 1, attempts: 4, ...connection };
  pair.endpoints = { t: { path: '/t', records: 'data', paging: { by: 'page' } } };
  return [api, pair];
}

/** Of the only stream. */
async function failure(pair: ApiLake): Promise<{ code: string; message: string }> {
  const { error } = (await pair.report({ onEvent: () => undefined })).streams[0]!;
  return { code: error!.code, message: error!.message };
}

async function all(pair: ApiLake): Promise<unknown> {
  return (await pair.query('SELECT count(*), count(DISTINCT id), sum(id) FROM t'))[0];
}

describe('what may pass', () => {
  const drop =
    (text: string): Answer =>
    (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' });
      response.write(text, () => response.destroy());
    };
  const cases: [name: string, answer: (call: Call) => Answer][] = [
    ['429 with a wait in seconds', () => ({ status: 429, headers: { 'retry-after': '0.05' } })],
    ['429 with a date', () => ({ status: 429, headers: { 'retry-after': new Date().toUTCString() } })],
    ['429 without a word', () => ({ status: 429 })],
    ['403 with a wait', () => ({ status: 403, headers: { 'retry-after': '0.05' } })],
    [
      '403 until requests are counted anew',
      () => ({ status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '0.05' } }),
    ],
    ['a server error with words', () => ({ status: 503, json: { message: 'down for a moment' } })],
    ['a connection that is cut in the middle of a body', () => drop('{"data":[{"id":1,"name":"n1"},{"id":2')],
    ['a body that ends too early', () => ({ text: '{"data":[{"id":4,"name":"n4"},{"id"' })],
    ['a body that is no JSON', () => ({ text: '{"data":[{"id":4}]}, oops' })],
    [
      'a body that says it is packed and is not',
      () => ({ headers: { 'content-encoding': 'gzip' }, text: 'no' }),
    ],
  ];
  it.each(cases)('%s', async (_, answer) => {
    let given = false;
    const [api, pair] = await open((call) => {
      const first = call.query['page'] === '2' && !given;
      given ||= first;
      return first ? answer(call) : page(call);
    });
    await using _api = api;
    await using _pair = pair;
    await pair.run();
    expect(await all(pair)).toEqual([9, 9, 45]);
  });

  it('an answer that stands still', async () => {
    const [api, pair] = await open(
      (call) =>
        call.before === 1
          ? (response) =>
              void response.writeHead(200, { 'content-type': 'application/json' }).write('{"data":[')
          : page(call),
      { timeout: 0.3 },
    );
    await using _api = api;
    await using _pair = pair;
    await pair.run();
    expect(await all(pair)).toEqual([9, 9, 45]);
  });
});

describe('what does not pass', () => {
  it('drips for ever, byte by byte', async () => {
    const drip: Answer = async (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      while (!response.destroyed) {
        response.write(' ');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const [api, pair] = await open(() => drip, { timeout: 5, response_timeout: 0.3, attempts: 1 });
    await using _api = api;
    await using _pair = pair;
    expect(await failure(pair)).toMatchObject({ code: 'http.timeout' });
  });

  it('a body that unpacks to more than fits', async () => {
    const bomb = gzipSync(
      Buffer.concat([Buffer.from('{"data":['), Buffer.alloc(30_000_000, 32), Buffer.from(']}')]),
    );
    const [api, pair] = await open(() => ({ headers: { 'content-encoding': 'gzip' }, text: bomb }), {
      max_response: '20 MB',
    });
    await using _api = api;
    await using _pair = pair;
    expect(await failure(pair)).toMatchObject({ code: 'http.too_large' });
  });

  it('pages without an end', async () => {
    const [api, pair] = await open(({ query }) => ({ json: { data: [{ id: Number(query['page']) }] } }), {
      max_pages: 20,
    });
    await using _api = api;
    await using _pair = pair;
    expect(await failure(pair)).toMatchObject({ code: 'rest.endless' });
  });

  it('a wait that is longer than we wait', async () => {
    const [api, pair] = await open(() => ({ status: 429, headers: { 'retry-after': '3600' } }), {
      max_wait: 1,
    });
    await using _api = api;
    await using _pair = pair;
    await expect(pair.plan()).rejects.toMatchObject({ code: 'http.throttled', retryAfterMs: 3_600_000 });
    expect(api.calls).toHaveLength(1);
    // A run does not wait for it either.
    expect(await failure(pair)).toMatchObject({
      message: expect.stringContaining('to wait 3600 s') as string,
    });
    expect(api.calls).toHaveLength(2);
  });

  it.each([
    [
      'a page for people',
      { headers: { 'content-type': 'text/html; charset=utf-8' }, text: '<html>' },
      'rest.html',
    ],
    ['no array where it is looked for', { json: { items: [], total: 0 } }, 'rest.no_records'],
    ['a refusal', { status: 403, json: { error: { message: 'not yours' } } }, 'http.refused'],
    ['a wrong parameter', { status: 422, json: { message: 'per_page is too large' } }, 'http.rejected'],
  ])('%s', async (_, answer, code) => {
    const [api, pair] = await open(() => answer);
    await using _api = api;
    await using _pair = pair;
    const found = await failure(pair);
    expect(found.code).toBe(code);
    expect(found.message).not.toContain('?');
    expect(api.calls.length).toBeLessThanOrEqual(2);
  });
});

it('a server that does not know the parameter of the page gives its records once', async () => {
  const [api, pair] = await open(() => ({ json: { data: RECORDS } }));
  await using _api = api;
  await using _pair = pair;
  expect(await pair.warnings()).toContain('the same records as the one before it');
  expect(await all(pair)).toEqual([9, 9, 45]);
});

it('records that move faster than they can be fetched fail the stream; the watermark and a table that is replaced stay', async () => {
  let moving = false;
  let next = 0;
  const [api, pair] = await open(({ query }) => {
    const from = Number(query['offset']);
    const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString();
    const all = Array.from({ length: 20 }, (_, i) => ({
      id: moving ? 1000 + next++ : i,
      updated_at: at(moving ? i + 60 : i),
    }));
    return { json: { data: all.slice(from, from + 5) } };
  });
  await using _api = api;
  await using _pair = pair;
  const paging = { by: 'offset', size: 5 };
  pair.endpoints = { t: { path: '/t', records: 'data', paging, since: 'since' } };
  for (const load of ['replace', 'merge'] as const) {
    moving = false;
    pair.stream = { load, key: 'id', ...(load === 'merge' && { cursor: 'updated_at' }) };
    await pair.run();
    const since = api.calls.length;
    moving = true;
    expect(await failure(pair)).toMatchObject({ code: 'rest.moving' });
    // One attempt, with an end: each would load something, and none all.
    expect(api.calls.length - since).toBeLessThan(200);
    expect(await pair.query('SELECT count(*) FROM t WHERE id < 20')).toEqual([[20]]);
    if (load === 'replace') expect(await all(pair)).toEqual([20, 20, 190]);
    moving = false;
    await pair.run();
    const asked = api.calls.at(-1)!.query['since'];
    expect(asked).toBe(load === 'merge' ? '2026-01-01T00:19:00.000000Z' : undefined);
  }
});

it('cursors that lead in a circle end', async () => {
  const [api, pair] = await open(({ query }) => ({
    json: {
      data: [{ id: Number(query['cursor'] ?? 0) }],
      next: (Number(query['cursor'] ?? 0) + 1) % 5 || '0',
    },
  }));
  await using _api = api;
  await using _pair = pair;
  pair.endpoints = { t: { path: '/t', records: 'data', paging: { by: 'cursor', next: 'next' } } };
  expect(await pair.warnings()).toContain('counts as the end');
  expect(await all(pair)).toEqual([5, 5, 10]);
});

it('credentials stay with their host, whoever points elsewhere', async () => {
  const seen: (string | undefined)[] = [];
  const other = createServer((request, response) => {
    const { authorization, 'x-team': team, 'x-api-key': key } = request.headers;
    seen.push(authorization, team as string, key as string, request.url);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ data: [{ id: 1 }] }));
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  try {
    const [api, pair] = await open(
      ({ path }) =>
        path === '/t'
          ? { status: 302, headers: { location: `http://127.0.0.1:${port}/stolen` } }
          : { json: { data: [{ id: 2 }], next: `http://127.0.0.1:${port}/next` } },
      { auth: { api_key: 'secret-key' }, headers: { 'X-Team': 'secret-team' } },
    );
    await using _api = api;
    await using _pair = pair;
    pair.endpoints = { t: { path: '/t', records: 'data' } };
    await pair.run();
    pair.endpoints = {
      t: { path: '/u', records: 'data', paging: { by: 'next_url', next: 'next' } },
    };
    await pair.run();
    expect(api.calls.map(({ headers }) => [headers['x-api-key'], headers['x-team']])).toEqual([
      ['secret-key', 'secret-team'],
      ['secret-key', 'secret-team'],
    ]);
    expect(seen).toEqual([
      undefined,
      undefined,
      undefined,
      '/stolen',
      undefined,
      undefined,
      undefined,
      '/next',
    ]);
    expect(await all(pair)).toEqual([2, 2, 3]);
  } finally {
    other.close();
  }
});

it('tokens are asked for when they are needed, and again when they are refused', async () => {
  let tokens = 0;
  const [api, pair] = await open((call) => {
    if (call.path === '/token') return { json: { access_token: `t${++tokens}`, expires_in: 3600 } };
    // The first one ends after two pages, whatever it has promised.
    const valid = call.headers.authorization === `Bearer t${tokens}` && (tokens > 1 || call.before < 2);
    return valid ? page(call) : { status: 401, json: { message: 'expired' } };
  });
  await using _api = api;
  await using _pair = pair;
  const auth = { token_url: `${api.url}/token`, client_id: 'us', client_secret: 'hush', scope: 'read' };
  pair.connection = { ...pair.connection, auth };
  await pair.run();
  expect(await all(pair)).toEqual([9, 9, 45]);
  const asked = api.calls.filter(({ path }) => path === '/token').map(({ body }) => body);
  expect(asked).toEqual(
    Array.from(
      { length: 2 },
      () => 'grant_type=client_credentials&scope=read&client_id=us&client_secret=hush',
    ),
  );
});

it('a refresh token that is good for one use is used once, however many need it, and never told', async () => {
  let good = 'r0';
  let given = 0;
  const [api, pair] = await open(async (call) => {
    if (call.path === '/token') {
      const sent = new URLSearchParams(call.body).get('refresh_token');
      await sleep(20);
      if (sent !== good)
        return { status: 400, json: { error: 'invalid_grant', error_description: `no token ${sent}` } };
      good = `r${++given}`;
      return { json: { access_token: `t${given}`, refresh_token: good, expires_in: 3600 } };
    }
    // A token ends when there is another one, and after some pages.
    const valid = call.headers.authorization === `Bearer t${given}` && (call.before < 2 || given > 1);
    return valid ? page(call) : { status: 401 };
  });
  await using _api = api;
  await using _pair = pair;
  const auth = { token_url: `${api.url}/token`, refresh_token: 'r0' };
  pair.connection = { ...pair.connection, auth, concurrency: 8 };
  expect(await pair.warnings()).toContain('another refresh token');
  expect(await all(pair)).toEqual([9, 9, 45]);
  expect(given).toBe(2);
  expect(await failure(pair)).toMatchObject({
    code: 'rest.token',
    message: 'asking for a token: the server of tokens answered 400',
  });
});

it('a function of the project signs requests, and is told when what it has given was refused', async () => {
  const key = 'hush';
  const signed = (method: string, path: string): string =>
    createHmac('sha256', key).update(`${method} ${path}`).digest('hex');
  let token = 1;
  const [api, pair] = await open((call) => {
    const { 'x-signature': signature, 'x-token': sent } = call.headers;
    // The first token ends after two pages.
    const ended = sent === '1' && call.before >= 2;
    const path = `${call.path}?${new URLSearchParams(call.query).toString()}`;
    return signature === signed('GET', path) && !ended ? page(call) : { status: 401 };
  });
  await using _api = api;
  await using _pair = pair;
  const auth: SignRequest = async ({ method, url, refused }) => {
    const { pathname, search } = new URL(url);
    if (refused) token++;
    return { 'X-Signature': signed(method, pathname + search), 'X-Token': String(token) };
  };
  pair.connection = { ...pair.connection, auth };
  await pair.run();
  expect(await all(pair)).toEqual([9, 9, 45]);
  expect(token).toBe(2);
  const broken: [unknown, string][] = [
    [() => ({ 'X-Token': 1 }), 'returned a header that is no text'],
    [() => undefined, 'returned no headers'],
    [() => Promise.reject(new Error('no key')), 'threw: no key'],
  ];
  for (const [each, found] of broken) {
    pair.connection = { ...pair.connection, auth: each };
    expect(await failure(pair)).toMatchObject({ code: 'rest.sign', message: expect.stringContaining(found) });
  }
});

it('no secret is in a message, an event or a plan', async () => {
  const said: string[] = [];
  const [api, pair] = await open(({ query }) => ({
    status: 400,
    json: { message: `bad key ${query['key']}` },
  }));
  await using _api = api;
  await using _pair = pair;
  pair.connection = { ...pair.connection, auth: { api_key: 's3cr3t', query: 'key' } };
  const report = await pair.report({ onEvent: (event) => said.push(JSON.stringify(event)) });
  said.push(JSON.stringify(report), await pair.plan().then(JSON.stringify, String));
  expect(report.status).toBe('failed');
  expect(said.join()).not.toContain('s3cr3t');
});
