import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { DatasetOptions } from '../dataset.ts';
import { readFileForm } from '../files/file-form.ts';
import { generateFiles } from '../files/generate-files.ts';
import { openModel } from '../open-model.ts';
import type { ApiOptions, ApiServer, Paging } from './api-options.ts';
import { serveApi } from './serve-api.ts';

interface Loan {
  id: number;
  partner_id: number;
  updated_at: string;
}

const open: ApiServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.close()));
});

async function serve(options: ApiOptions = {}, data: DatasetOptions = { rows: 1037 }): Promise<ApiServer> {
  const api = await serveApi(data, options);
  open.push(api);
  return api;
}

/** A client of each kind of paging, as simple as can be; `most` pages are read. */
async function readAll(url: string, paging: Paging, most: number = 100): Promise<Loan[]> {
  const all: Loan[] = [];
  let next: string | undefined = `${url}${url.includes('?') ? '&' : '?'}paging=${paging}`;
  for (let pages = 0; next !== undefined && pages < most; pages++) {
    const response: Response = await fetch(next);
    expect(response.status).toBe(200);
    const body = (await response.json()) as Record<string, unknown> | Loan[];
    const records = Array.isArray(body) ? body : (body['data'] as Loan[]);
    all.push(...records);
    next = following(next, response, body);
  }
  return all;
}

function following(
  asked: string,
  response: Response,
  body: Record<string, unknown> | Loan[],
): string | undefined {
  const url = new URL(asked);
  const go = (name: string, value: unknown): string => {
    url.searchParams.set(name, String(value));
    return url.href;
  };
  const link = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
  if (link !== undefined) return link;
  const cursor = response.headers.get('x-next-cursor');
  if (cursor !== null) return go('cursor', cursor);
  if (Array.isArray(body)) return undefined;
  if (typeof body['next'] === 'string') return body['next'];
  if (typeof body['next_cursor'] === 'string') return go('cursor', body['next_cursor']);
  const { page, pages, offset, limit, total } = body as Record<string, number>;
  if (page !== undefined) return page < pages! ? go('page', page + 1) : undefined;
  if (offset !== undefined) return offset + limit! < total! ? go('offset', offset + limit!) : undefined;
  return undefined;
}

const PAGINGS: readonly Paging[] = ['page', 'offset', 'cursor', 'header', 'link', 'next', 'none'];

test('every kind of paging gives the same records, each once', async () => {
  const api = await serve({ pageSize: 100 });
  const expected = await readAll(`${api.url}/loans`, 'none');
  expect(expected.map(({ id }) => id)).toEqual(Array.from({ length: 1037 }, (_, i) => i + 1));
  for (const paging of PAGINGS) expect(await readAll(`${api.url}/loans`, paging)).toEqual(expected);
  expect(api.requests.filter(({ url }) => url.includes('paging=cursor'))).toHaveLength(11);
});

test('records come one a line, packed, and in another place of the body when they are asked for so', async () => {
  const api = await serve({ pageSize: 50 });
  const plain = (await (await fetch(`${api.url}/loans`)).json()) as { data: Loan[] };
  const lines = await (await fetch(`${api.url}/loans?format=jsonl`)).text();
  expect(
    lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Loan),
  ).toEqual(plain.data);
  const nested = (await (await fetch(`${api.url}/loans?records=result.items`)).json()) as {
    result: { items: Loan[] };
  };
  expect(nested.result.items).toEqual(plain.data);
  const packed = await fetch(`${api.url}/loans`, { headers: { 'accept-encoding': 'gzip' } });
  expect(packed.headers.get('content-encoding')).toBe('gzip');
  expect(await packed.json()).toEqual(plain);
});

test('what changed since a moment is what has changed since, to the microsecond', async () => {
  const api = await serve({ paging: 'none', day: 3 }, { rows: 400, inserts: 10, updates: 30, deletes: 5 });
  const all = (await (await fetch(`${api.url}/payments`)).json()) as Loan[];
  const moments = all.map(({ updated_at }) => updated_at).toSorted();
  const since = moments.at(-100)!;
  const found = (await (await fetch(`${api.url}/payments?updated_since=${since}`)).json()) as Loan[];
  expect(found).toEqual(all.filter(({ updated_at }) => updated_at >= since));
  expect(found).toHaveLength(100);
  const lastDay = (await (await fetch(`${api.url}/payments?updated_since=2026-01-04`)).json()) as Loan[];
  expect(lastDay).toHaveLength(30 + 90);
});

test('the next day has new, changed and missing records, and nothing else is another', async () => {
  const api = await serve({ paging: 'none' }, { rows: 400, inserts: 10, updates: 30, deletes: 5 });
  const read = async (): Promise<Map<number, Loan>> =>
    new Map(((await (await fetch(`${api.url}/payments`)).json()) as Loan[]).map((loan) => [loan.id, loan]));
  const before = await read();
  expect(await (await fetch(`${api.url}/next-day`, { method: 'POST' })).json()).toEqual({ day: 1 });
  const after = await read();
  expect([...after.keys()].filter((id) => !before.has(id))).toHaveLength(30);
  expect([...before.keys()].filter((id) => !after.has(id))).toHaveLength(15);
  const changed = [...after.values()].filter(
    (loan) => before.has(loan.id) && JSON.stringify(before.get(loan.id)) !== JSON.stringify(loan),
  );
  expect(changed).toHaveLength(90);
  expect(changed.every(({ updated_at }) => updated_at.startsWith('2026-01-02'))).toBe(true);
});

test('the records that belong to one are those that name it', async () => {
  const api = await serve({ paging: 'none' }, { rows: 300 });
  const loans = (await (await fetch(`${api.url}/loans`)).json()) as Loan[];
  const partners = (await (await fetch(`${api.url}/partners`)).json()) as { id: number }[];
  const found: Loan[] = [];
  for (const { id } of partners) {
    const own = (await (await fetch(`${api.url}/partners/${id}/loans`)).json()) as Loan[];
    expect(own).toEqual(loans.filter(({ partner_id }) => partner_id === id));
    found.push(...own);
  }
  expect(found).toHaveLength(300);
  expect(await (await fetch(`${api.url}/loans/17`)).json()).toEqual(loans[16]);
  expect((await fetch(`${api.url}/loans/301`)).status).toBe(404);
});

test('a request that cannot be answered says why', async () => {
  const api = await serve();
  const answer = async (path: string): Promise<[number, unknown]> => {
    const response = await fetch(`${api.url}${path}`);
    return [response.status, ((await response.json()) as { error: string }).error];
  };
  expect(await answer('/loans?paging=pages')).toEqual([
    400,
    expect.stringContaining('paging is one of page'),
  ]);
  expect(await answer('/loans?page=0')).toEqual([400, 'pages are counted from 1 on']);
  expect(await answer('/loans?paging=cursor&cursor=x')).toEqual([400, 'the cursor is none of ours']);
  expect(await answer('/loans?updated_since=yesterday')).toEqual([
    400,
    expect.stringContaining('a day or a moment'),
  ]);
  expect(await answer('/nothing')).toEqual([404, 'there is no such record']);
});

test('who may not read is told how to', async () => {
  const refused = async (
    auth: NonNullable<ApiOptions['auth']>,
    headers: Record<string, string>,
  ): Promise<number[]> => {
    const api = await serve({ auth });
    const [without, wrong, right] = await Promise.all([
      fetch(`${api.url}/loans`),
      fetch(`${api.url}/loans`, { headers: { authorization: 'Bearer no', 'x-api-key': 'no' } }),
      fetch(`${api.url}/loans`, { headers }),
    ]);
    expect(without.headers.get('www-authenticate')).not.toBeNull();
    return [without.status, wrong.status, right.status];
  };
  const expected = [401, 401, 200];
  expect(await refused({ kind: 'bearer', token: 't' }, { authorization: 'Bearer t' })).toEqual(expected);
  const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  expect(await refused({ kind: 'basic', user: 'me', password: 'secret' }, { authorization: basic })).toEqual(
    expected,
  );
  expect(await refused({ kind: 'api-key', key: 'k' }, { 'x-api-key': 'k' })).toEqual(expected);
});

test('a token of client credentials is good for as many requests as it is said to be', async () => {
  const api = await serve({ auth: { kind: 'oauth2', client: 'c', secret: 's', tokenRequests: 2 } });
  const token = async (secret: string): Promise<Response> =>
    fetch(`${api.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'c', client_secret: secret }),
    });
  expect((await token('x')).status).toBe(401);
  const { access_token: given } = (await (await token('s')).json()) as { access_token: string };
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++)
    statuses.push(
      (await fetch(`${api.url}/loans`, { headers: { authorization: `Bearer ${given}` } })).status,
    );
  expect(statuses).toEqual([200, 200, 401]);
});

test('a failure passes after as many tries as it was given, and is on the pages that it was given for', async () => {
  const api = await serve({ hostile: { loans: ['429:1x2@2'] } });
  const status = async (page: number): Promise<[number, string | null]> => {
    const response = await fetch(`${api.url}/loans?page=${page}`);
    await response.text();
    return [response.status, response.headers.get('retry-after')];
  };
  expect(await status(1)).toEqual([200, null]);
  expect(await status(2)).toEqual([429, '1']);
  expect(await status(2)).toEqual([429, '1']);
  expect(await status(2)).toEqual([200, null]);
  expect((await fetch(`${api.url}/partners?page=2`)).status).toBe(200);
  expect(api.requests.map(({ hostile }) => hostile)).toEqual([undefined, '429', '429', undefined, undefined]);
});

test('the records of a day, broken ones among them, are those of a file of the same options', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-api-'));
  try {
    const faults = { rate: 0.05 };
    const model = { rows: 700, updates: 40 };
    const form = readFileForm(join(folder, '{table}.json'));
    await generateFiles(openModel(model), { form, fromDay: 2, faults });
    const api = await serve({ paging: 'none', day: 2, faults }, model);
    for (const table of ['partners', 'loans', 'payments']) {
      const body = await (await fetch(`${api.url}/${table}`)).text();
      expect(`${body}\n`).toBe(readFileSync(join(folder, `${table}.json`), 'utf8'));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('trouble and faults that cannot be are refused at once', async () => {
  await expect(serve({ hostile: { loan: ['reset'] } })).rejects.toMatchObject({
    code: 'generate.unknown_entity',
  });
  await expect(serve({ hostile: { '*': ['rest'] } })).rejects.toMatchObject({ code: 'generate.hostile' });
  await expect(serve({ faults: { rate: 0.1, kinds: ['cut'] } })).rejects.toMatchObject({
    code: 'generate.options',
  });
});

test('answers break in every way that is asked for', async () => {
  const api = await serve();
  const get = (hostile: string): Promise<Response> =>
    fetch(`${api.url}/loans?hostile=${hostile}`, { redirect: 'manual' });
  await expect(get('refuse')).rejects.toThrow('fetch failed');
  await expect(get('reset').then((response) => response.text())).rejects.toThrow('terminated');
  await expect(get('invalid').then((response) => response.json())).rejects.toThrow('JSON');
  expect(await (await get('html')).text()).toContain('<h1>');
  expect(await (await get('empty')).text()).toBe('');
  expect((await get('503:date')).headers.get('retry-after')).toMatch(/GMT$/);
  const redirect = await get('redirect');
  expect(redirect.status).toBe(302);
  expect(new URL(redirect.headers.get('location')!).host).toBe(`localhost:${api.port}`);
  const dripped = await get('drip:1');
  expect(((await dripped.json()) as { data: Loan[] }).data).toHaveLength(100);
  const bomb = await get('bomb:8');
  expect((await bomb.text()).length).toBe((8 << 20) + 2);
  expect((await get('nonsense')).status).toBe(400);
});

test('an answer that never comes holds nobody up when the server is closed', async () => {
  const api = await serve();
  const failed = fetch(`${api.url}/loans?hostile=hang`).catch(() => 'gone');
  while (api.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await api.close();
  expect(await failed).toBe('gone');
});

test('pages overlap, leave records out, repeat, begin again or are empty as asked for', async () => {
  const api = await serve({ pageSize: 100 });
  const ids = async (hostile: string, paging: Paging, most?: number): Promise<number[]> =>
    (await readAll(`${api.url}/loans?hostile=${hostile}`, paging, most)).map(({ id }) => id);
  const all = Array.from({ length: 1037 }, (_, i) => i + 1);
  const came = await ids('shift:7', 'page');
  expect(came.length).toBeGreaterThan(1037);
  expect([...new Set(came)]).toEqual(all);
  expect(came[100]).toBe(94);
  const went = await ids('shift:-7', 'offset');
  expect(went.length).toBeLessThan(1037);
  expect(went[100]).toBe(108);
  expect(await ids('shift:7', 'cursor')).toEqual(all);
  expect((await ids('repeat:3', 'next')).slice(97, 106)).toEqual([98, 99, 100, 98, 99, 100, 101, 102, 103]);
  // Of these pages two end with the last record.
  expect(await ids('endless', 'link', 30)).toHaveLength(28 * 100 + 37 + 74);
  expect(await ids('loop', 'cursor', 5)).toHaveLength(500);
  for (const paging of ['cursor', 'header', 'link', 'next'] as const)
    expect(await ids('blank', paging)).toEqual(all);
  expect(api.requests.filter(({ url, records }) => url.includes('blank') && records === 0)).toHaveLength(40);
});
