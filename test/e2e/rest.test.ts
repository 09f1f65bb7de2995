/** Records of an API become a table: all pages, only what has changed, whatever the API does. */
import { expect, it } from 'vitest';
import { Api, ApiLake, type Call } from '../support/api.ts';

interface Item {
  id: number;
  name: string | null;
  updated_at: string;
}

const DAY = Date.UTC(2026, 0, 1);
const item = (id: number, name: string | null = `n${id}`, minutes: number = id): Item => ({
  id,
  name,
  updated_at: new Date(DAY + minutes * 60_000).toISOString(),
});
const items = (count: number): Item[] => Array.from({ length: count }, (_, i) => item(i + 1));

/** `?page=2&per_page=3`. */
function page(all: readonly unknown[], { query }: Call): { data: unknown[]; total: number } {
  const size = Number(query['per_page'] ?? 3);
  const number = Number(query['page'] ?? 1);
  return { data: all.slice((number - 1) * size, number * size), total: all.length };
}

const BY_PAGE = { by: 'page', size_param: 'per_page', size: 3 };

it('loads all pages, then what has changed, and nothing twice', async () => {
  let all = items(10);
  await using api = await Api.open((call) => ({
    json: page(
      all.filter(({ updated_at }) => updated_at >= (call.query['since'] ?? '')),
      call,
    ),
  }));
  await using pair = new ApiLake({ load: 'merge', cursor: 'updated_at' });
  pair.url = api.url;
  pair.endpoints = { t: { path: '/t', records: 'data', key: 'id', paging: BY_PAGE, since: 'since' } };
  expect(await pair.run()).toMatchObject({ status: 'loaded', totals: { rows: 10, loaded: 10 } });
  expect(await pair.query('SELECT count(*), sum(id), max(updated_at) FROM t')).toEqual([
    [10, 55, '2026-01-01 00:10:00+00'],
  ]);
  all = [...all.slice(1), item(1, 'changed', 60), item(11, null, 61)];
  const second = await pair.run();
  expect(second).toMatchObject({ watermark: '2026-01-01 01:01:00.000000+00' });
  expect(api.calls.at(-1)!.query['since']).toBe('2026-01-01T00:10:00.000000Z');
  expect(await pair.query('SELECT count(*), count(DISTINCT id), count(name) FROM t')).toEqual([[11, 11, 10]]);
  expect(await pair.query('SELECT name FROM t WHERE id = 1')).toEqual([['changed']]);
});
