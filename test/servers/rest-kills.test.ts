/** A process that is killed while it loads records of an API: the next run ends with each of them once. */
import { expect, it } from 'vitest';
import { Api, ApiLake } from '../support/api.ts';
import { killedAt } from '../support/killed-at.ts';

it.each(['merge', 'append', 'replace'])('%s', async (load) => {
  const all = Array.from({ length: 40 }, (_, i) => ({
    id: i,
    updated_at: new Date(Date.UTC(2026, 0, 1) + i * 60_000).toISOString(),
  }));
  let shown = 25;
  await using api = await Api.open(({ query }) => {
    const since = query['since'] ?? '';
    const some = all.slice(0, shown).filter(({ updated_at }) => updated_at >= since.replace(/000Z$/, 'Z'));
    const page = Number(query['page'] ?? 1);
    return { json: some.slice((page - 1) * 10, page * 10) };
  });
  for (let at = 1, killed = true; killed; at++) {
    await using pair = new ApiLake({
      load: load as 'merge',
      key: 'id',
      ...(load !== 'replace' && { cursor: 'updated_at' }),
    });
    pair.url = api.url;
    pair.endpoints = { t: { path: '/t', paging: { by: 'page' }, since: 'since' } };
    shown = 25;
    killed = await killedAt(pair, at, { on: 'spool|commits' });
    await pair.run();
    expect(await pair.query('SELECT count(*), count(DISTINCT id) FROM t')).toEqual([[25, 25]]);
    shown = 40;
    killed = (await killedAt(pair, at, { on: 'spool|commits' })) || killed;
    await pair.run();
    expect(await pair.query('SELECT count(*), count(DISTINCT id) FROM t')).toEqual([[40, 40]]);
  }
});
