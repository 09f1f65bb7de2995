/** Records of an API whose shape changes: between runs and within one fetch, into a lake and into PostgreSQL, under each contract. */
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { quarantine, type StreamReport } from '../../src/index.ts';
import { Api, ApiLake } from '../support/api.ts';
import { useServer } from '../support/server.ts';

type Row = Record<string, unknown>;

const server = useServer();
let databases = 0;

/** What is there, as text, by column. */
type Read = () => Promise<{ rows: Row[] }>;

async function open(
  target: string,
  stream: ApiLake['stream'],
): Promise<{ pair: ApiLake; api: Api; say: (...pages: Row[][]) => void; read: Read }> {
  let pages: Row[][] = [];
  const api = await Api.open(({ query }) => ({ json: pages[Number(query['page'] ?? 1) - 1] ?? [] }));
  const pair = new ApiLake({ load: 'merge', key: 'id', ...stream });
  pair.url = api.url;
  pair.endpoints = { t: { path: '/t', paging: { by: 'page' } } };
  const url = target === 'PostgreSQL' ? await server().createDatabase(`drift_${++databases}`) : undefined;
  if (url !== undefined) pair.target = { type: 'postgres', url };
  const ask = async (sql: string): Promise<Row[]> => {
    if (url === undefined) {
      const names = (await pair.query(`DESCRIBE (${sql})`)).map(([name]) => String(name));
      const rows = await pair.query(sql);
      return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
    }
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const read: Read = async () => {
    const described = await ask(
      `SELECT column_name FROM information_schema.columns WHERE table_name = 't' AND column_name NOT LIKE '\\_sluice%' ESCAPE '\\' ORDER BY ordinal_position`,
    );
    const list = described.map(
      ({ column_name: name }) => `CAST("${String(name)}" AS VARCHAR) AS "${String(name)}"`,
    );
    return { rows: await ask(`SELECT ${list.join(', ')} FROM t ORDER BY id`) };
  };
  return { pair, api, say: (...now) => void (pages = now), read };
}

const quarantined = (pair: ApiLake): Promise<number> => pair.run().then(({ totals }) => totals.quarantined);

describe.each(['a lake', 'PostgreSQL'])('into %s', (target) => {
  it('columns come, go and widen; what fits no more is put aside, and is not lost', async () => {
    const { pair, api, say, read } = await open(target, {});
    await using _api = api;
    await using _pair = pair;
    say([{ id: 1, n: 1, gone: 'x' }]);
    await pair.run();
    say([{ id: 2, n: 5_000_000_000, late: true }]);
    expect((await pair.run()).changes).toEqual(['+ late bool']);
    say([{ id: 3, n: 'many' }], [{ id: 4, n: { a: [1] } }], [{ id: 6, n: 6 }]);
    expect(await quarantined(pair)).toBe(2);
    say([{ id: 5, n: 7, gone: 'again' }]);
    expect(await pair.run()).toMatchObject({ changes: [], totals: { loaded: 1 } });
    const { rows } = await read();
    expect(rows).toEqual([
      { id: '1', n: '1', gone: 'x', late: null },
      { id: '2', n: '5000000000', gone: null, late: 'true' },
      { id: '5', n: '7', gone: 'again', late: null },
      { id: '6', n: '6', gone: null, late: null },
    ]);
    const aside = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
    expect(aside.map(({ column }) => column)).toEqual(['n', 'n']);
  });

  it('a type that changes from page to page of the first fetch is one that holds all', async () => {
    const { pair, api, say, read } = await open(target, {});
    await using _api = api;
    await using _pair = pair;
    say(
      [{ id: 1, n: 1, m: 1 }],
      [{ id: 2, n: 'two', m: 2.5 }],
      [{ id: 3, n: { three: 3 }, m: null }],
      [{ id: 4, n: [4] }],
    );
    expect(await quarantined(pair)).toBe(0);
    expect((await read()).rows).toEqual([
      { id: '1', n: '1', m: '1.0' },
      { id: '2', n: '"two"', m: '2.5' },
      { id: '3', n: '{"three":3}', m: null },
      { id: '4', n: '[4]', m: null },
    ]);
  });

  it('fields of nested objects come and change, beside columns with other names', async () => {
    const { pair, api, say, read } = await open(target, { rename: { name: 'title', inner_a: 'alpha' } });
    await using _api = api;
    await using _pair = pair;
    pair.endpoints = { t: { path: '/t', paging: { by: 'page' }, flatten: 2 } };
    say([{ id: 1, name: 'x', inner: { a: 1 } }]);
    expect((await pair.run()).changes).toEqual([]);
    say([{ id: 2, name: 'y', inner: { a: 2, b: 'new', deep: { c: 1, d: { e: 5 } } } }]);
    expect((await pair.run()).changes).toEqual([
      '+ inner_b utf8',
      '+ inner_deep_c int64',
      '+ inner_deep_d json',
    ]);
    // An object that was one no more has its own place, and a value that does not fit is put aside.
    say([{ id: 3, inner: { a: 'three', deep: 'flat' } }], [{ id: 4, name: 3, inner: 4 }]);
    const third = await pair.run();
    expect(third.changes.toSorted()).toEqual(['+ inner int64', '+ inner_deep utf8']);
    expect(third.totals).toMatchObject({ loaded: 1, quarantined: 1 });
    const absent = { inner_b: null, inner_deep_c: null, inner_deep_d: null, inner_deep: null, inner: null };
    expect((await read()).rows).toEqual([
      { id: '1', title: 'x', alpha: '1', ...absent },
      {
        id: '2',
        title: 'y',
        alpha: '2',
        ...absent,
        inner_b: 'new',
        inner_deep_c: '1',
        inner_deep_d: '{"e":5}',
      },
      { id: '4', title: '3', alpha: null, ...absent, inner: '4' },
    ]);
  });

  it.each(['freeze', 'discard'] as const)(
    'a table that is to %s keeps its columns and types',
    async (schema) => {
      const { pair, api, say, read } = await open(target, { schema });
      await using _api = api;
      await using _pair = pair;
      say([{ id: 1, n: 1, v: 'a' }]);
      await pair.run();
      const outcomes: (string | number)[] = [];
      for (const row of [
        { id: 2, n: 2 },
        { id: 3, n: 3, v: 'c', late: 1 },
        { id: 4, n: 'four', v: 'd' },
        { id: 5, n: { a: 1 }, v: 'e' },
        { id: 6, n: 6.5, v: 'f' },
      ]) {
        say([row]);
        const [{ error, totals }] = (await pair.report()).streams as [StreamReport];
        outcomes.push(error?.code ?? totals.quarantined);
      }
      const frozen = schema === 'freeze';
      expect(outcomes).toEqual(frozen ? [0, 'schema.frozen', 1, 1, 'schema.frozen'] : [0, 0, 1, 1, 1]);
      expect((await read()).rows).toEqual([
        { id: '1', n: '1', v: 'a' },
        { id: '2', n: '2', v: null },
        ...(frozen ? [] : [{ id: '3', n: '3', v: 'c' }]),
      ]);
    },
  );
});
