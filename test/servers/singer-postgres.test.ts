/** Singer messages into PostgreSQL: what taps do to targets, and a tap that others have written. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { Api } from '../support/api.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { useServer } from '../support/server.ts';
import { record, schema, state, TapLake } from '../support/tap-lake.ts';
import { TargetLake } from '../support/target-lake.ts';

type Row = Record<string, unknown>;

const server = useServer();
let databases = 0;
const database = (): Promise<string> => server().createDatabase(`singer_${++databases}`);

async function ask(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const TEXT = { type: ['null', 'string'] };
const SCHEMA = schema({ id: { type: 'integer' }, v: TEXT });
const of = (stream: string, message: object): object => ({ ...message, stream });
/** All but U+0000, which PostgreSQL has no text for. */
const SPECIAL = `'"\\ \t\n\r ; -- $1 %s {} \u0001 é 日本 🙂 ${String.fromCodePoint(0x10ffff)}`;

describe('through the target', () => {
  it('takes messages in any order, duplicate keys, special characters and long records', async () => {
    const url = await database();
    await using lake = new TargetLake({ type: 'postgres', url });
    const long = 'x'.repeat(8_000_000);
    const { code, states, told } = await lake.load([
      'Traceback (most recent call last):\n',
      { type: 'HELLO' },
      of('early', record({ id: 1, n: 2.5 })),
      SCHEMA,
      record({ id: 1, v: 'first' }),
      record({ id: 1, v: 'second' }),
      record({ id: 2, v: SPECIAL }),
      record({ id: 3, v: long }),
      record({ id: 'four', v: 'no number' }),
      record({ v: 'no id' }),
      of(`odd "name"; DROP`, schema({ 'a "b"': TEXT, 'A "B"': TEXT }, [])),
      of(`odd "name"; DROP`, record({ 'a "b"': '1', 'A "B"': '2' })),
      schema({ id: { type: 'integer' }, v: TEXT, late: { type: 'boolean' } }),
      record({ id: 4, v: null, late: true }),
      state({ done: 1 }),
    ]);
    expect([code, states], told).toEqual([0, ['{"done":1}']]);
    for (const text of ['that are no messages', 'unknown type HELLO', 'before their schema', 'quarantine'])
      expect(told).toContain(text);
    expect(await ask(url, 'SELECT id::int, v, late FROM t ORDER BY id')).toEqual([
      { id: 1, v: 'second', late: null },
      { id: 2, v: SPECIAL, late: null },
      { id: 3, v: long, late: null },
      { id: 4, v: null, late: true },
    ]);
    expect(await ask(url, 'SELECT id::int, n::float FROM early')).toEqual([{ id: 1, n: 2.5 }]);
    const [odd] = await ask(
      url,
      `SELECT table_name AS t FROM information_schema.tables WHERE table_name LIKE 'odd%'`,
    );
    expect(Object.values((await ask(url, `SELECT * FROM "${String(odd!['t'])}"`))[0]!).slice(0, 2)).toEqual([
      '1',
      '2',
    ]);
  });

  it('activates a version in one step, with rows of the older ones gone', async () => {
    const url = await database();
    await using lake = new TargetLake({ type: 'postgres', url });
    const rows = (version: number, ids: number[]): object[] =>
      ids.map((id) => record({ id, v: `v${version}` }, { version }));
    const activate = (version: number): object => ({ type: 'ACTIVATE_VERSION', stream: 't', version });
    await lake.load([SCHEMA, ...rows(1, [1, 2, 3]), activate(1), state(1)]);
    await lake.load([SCHEMA, ...rows(2, [2, 4]), activate(2), state(2)]);
    expect(await ask(url, 'SELECT id::int, v FROM t ORDER BY id')).toEqual([
      { id: 2, v: 'v2' },
      { id: 4, v: 'v2' },
    ]);
  });

  it('ends at a message that is cut off and at another key, with what was certain before', async () => {
    const url = await database();
    await using lake = new TargetLake({ type: 'postgres', url });
    await lake.load([SCHEMA, record({ id: 1, v: 'a' }), state(0)]);
    const cut = await lake.load([
      SCHEMA,
      record({ id: 1, v: 'a' }),
      state(1),
      '{"type":"RECORD","stream":"t","rec',
    ]);
    expect([cut.code, cut.told]).toEqual([4, expect.stringContaining('reading Singer messages: line 4')]);
    const other = await lake.load([
      schema({ id: { type: 'integer' }, v: TEXT }, ['v']),
      record({ id: 2, v: 'b' }),
      state(2),
    ]);
    expect([other.code, other.states]).toEqual([4, []]);
    await lake.load([SCHEMA, record({ id: 1, v: 'a' }), record({ id: 2, v: 'b' }), state(2)]);
    expect(await ask(url, 'SELECT id::int FROM t ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  });
});

it('a tap with the same habits is loaded as a source', async () => {
  const url = await database();
  await using pair = new TapLake({ load: 'merge', key: 'id' });
  pair.target = { type: 'postgres', url };
  pair.say = [
    record({ id: 9, v: 'before its schema' }),
    SCHEMA,
    record({ id: 1, v: 'first' }),
    record({ id: 1, v: SPECIAL }),
    record({ id: 'two', v: 'no number' }),
    { type: 'HELLO' },
    schema({ id: { type: 'integer' }, v: TEXT, late: { type: 'integer' } }),
    record({ id: 3, v: 'x', late: 3 }),
    state({ bookmark: 3 }),
  ];
  expect(await pair.run()).toMatchObject({ totals: { loaded: 3, quarantined: 1 } });
  await pair.run();
  expect(await ask(url, 'SELECT id::int, v, late::int FROM t ORDER BY id')).toEqual([
    { id: 1, v: SPECIAL, late: null },
    { id: 3, v: 'x', late: 3 },
    { id: 9, v: 'before its schema', late: null },
  ]);
});

/** Installed by .ci/run, with pip. */
const REAL = fileURLToPath(new URL('../../.cache/singer/bin/tap-rest-api-msdk', import.meta.url));
const real = existsSync(REAL);
if (!real) console.log('skipped: tap-rest-api-msdk is not installed in .cache/singer (see .ci/run)');

describe.runIf(real)('a tap of the Singer SDK', () => {
  const at = (minutes: number): string => new Date(Date.UTC(2026, 0, 1) + minutes * 60_000).toISOString();
  const item = (id: number, name: string = `${SPECIAL} ${id}`, minutes: number = id): Row => ({
    id,
    name,
    amount: id * 1.25,
    flag: id % 2 === 0,
    nothing: id % 3 === 0 ? null : `x${id}`,
    updated_at: at(minutes),
  });
  let all: Row[] = [];
  const answer: Api['answer'] = ({ query }) => {
    const some = all.filter(({ updated_at }) => String(updated_at) >= (query['since'] ?? ''));
    const from = Number(query['offset'] ?? 0);
    return {
      json: { data: some.slice(from, from + 100), next: from + 100 < some.length ? from + 100 : null },
    };
  };
  const configOf = (url: string): Row => ({
    api_url: url,
    pagination_request_style: 'jsonpath_paginator',
    pagination_response_style: 'style1',
    next_page_token_path: '$.next',
    pagination_next_page_param: 'offset',
    streams: [
      {
        name: 't',
        path: '/t',
        records_path: '$.data[*]',
        primary_keys: ['id'],
        replication_key: 'updated_at',
        source_search_field: 'since',
        source_search_query: '$last_run_date',
        num_inference_records: 100,
      },
    ],
  });
  const COLUMNS = 'id::int AS id, name, amount::float8 AS amount, flag, nothing, updated_at';
  const sorted = (): Row[] => all.toSorted((a, b) => Number(a['id']) - Number(b['id']));
  const begin = (): void => void (all = Array.from({ length: 250 }, (_, i) => item(i + 1)));
  /** Some have changed, and some have come. */
  const goOn = (): void =>
    void (all = [
      ...all.slice(10),
      ...all.slice(0, 10).map(({ id }) => item(Number(id), 'changed', 300)),
      item(251, 'new', 301),
    ]);

  it.each(['PostgreSQL', 'DuckDB'])('as a source, into %s, twice, with its state', async (target) => {
    begin();
    await using api = await Api.open(answer);
    await using pair = new TapLake({ load: 'merge' });
    const url = target === 'PostgreSQL' ? await database() : undefined;
    pair.target = url === undefined ? { type: 'duckdb', path: './w.duckdb' } : { type: 'postgres', url };
    pair.connection = { command: [REAL], config: configOf(api.url), discover: true };
    const rows = (): Promise<Row[]> => {
      const sql = `SELECT ${COLUMNS} FROM t ORDER BY id`;
      return url === undefined ? askDuckdb(path.join(pair.folder, 'w.duckdb'), sql) : ask(url, sql);
    };
    expect(await pair.run()).toMatchObject({ totals: { loaded: 250 } });
    expect(await rows()).toEqual(sorted());
    goOn();
    api.calls.length = 0;
    await pair.run();
    expect(await rows()).toEqual(sorted());
    // It was given the state of the first run.
    expect(api.calls.some(({ query }) => query['since'] !== undefined)).toBe(true);
  });

  it('through the target into PostgreSQL, twice, with its state', async () => {
    begin();
    const url = await database();
    await using api = await Api.open(answer);
    await using lake = new TargetLake({ type: 'postgres', url });
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-tap-'));
    const file = (name: string, value: unknown): string => {
      writeFileSync(path.join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
      return path.join(folder, name);
    };
    const config = file('config.json', configOf(api.url));
    const tap = async (...args: string[]): Promise<string> => {
      return new Promise((resolve, reject) => {
        execFile(REAL, ['--config', config, ...args], { maxBuffer: 1 << 26 }, (error, stdout) =>
          error ? reject(error) : resolve(stdout),
        );
      });
    };
    try {
      const catalog = file('catalog.json', await tap('--discover'));
      const first = await lake.load([await tap('--catalog', catalog)]);
      expect(first.code, first.told).toBe(0);
      expect(await ask(url, `SELECT ${COLUMNS} FROM t ORDER BY id`)).toEqual(sorted());
      goOn();
      const before = file('state.json', first.states.at(-1)!);
      const second = await lake.load([await tap('--catalog', catalog, '--state', before)]);
      expect(second.code, second.told).toBe(0);
      expect(await ask(url, `SELECT ${COLUMNS} FROM t ORDER BY id`)).toEqual(sorted());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
