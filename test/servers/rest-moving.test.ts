/** An API that deletes, inserts and changes records between any two requests: what is there all the time is found. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HttpClient } from '../../src/connectors/shared/http/http-client.ts';
import { Spool } from '../../src/connectors/shared/records/spool.ts';
import {
  canOverlap,
  identityOf,
  OverlappingCourse,
  straightCourse,
} from '../../src/connectors/rest/course.ts';
import type { PagingOptions } from '../../src/connectors/rest/options.ts';
import { pagingOf } from '../../src/connectors/rest/paging.ts';
import { type Walked, walk } from '../../src/connectors/rest/walk.ts';

interface Item {
  id: number;
  version: number;
}

type Serve = (list: readonly Item[], query: URLSearchParams) => object | number;

const bySlice: Serve = (list, query) => {
  const size = Number(query.get('limit') ?? 7);
  const from = query.has('page') ? (Number(query.get('page')) - 1) * size : Number(query.get('offset'));
  return { data: list.slice(from, from + size), total: list.length };
};

let answer: (request: IncomingMessage) => object | number;
let asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url!);
  const given = answer(request);
  response.writeHead(typeof given === 'number' ? given : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(given));
});
const folder = mkdtempSync(path.join(tmpdir(), 'sluice-course-'));
beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

async function fetchAll(
  options: PagingOptions,
  { ahead = 1, overlaps = true }: { ahead?: number | undefined; overlaps?: boolean | undefined } = {},
): Promise<{ walked: Walked; found: Item[] }> {
  const paging = pagingOf(options);
  const spool = new Spool(folder);
  const limits = { timeout: 60, responseTimeout: 60, responseBytes: 1e9, longestWait: 0 };
  try {
    const walked = await walk({
      name: 't',
      course:
        overlaps && canOverlap(paging)
          ? new OverlappingCourse(paging, { name: 't', identity: identityOf(['id', 'version']) })
          : straightCourse(paging),
      request: ({ params }) => ({
        method: 'GET',
        url: new URL(
          `http://127.0.0.1:${(server.address() as AddressInfo).port}/?${String(new URLSearchParams(params))}`,
        ),
        headers: {},
      }),
      ahead,
      maxPages: 10_000,
      preview: false,
      client: new HttpClient({ ...limits, attempts: 1, concurrency: ahead }, undefined),
      spool,
      tally: undefined,
      endpoint: { path: '/', records: 'data' },
      prefix: undefined,
      mayMiss: paging.endsMissing === true,
      signal: new AbortController().signal,
    });
    spool.end();
    const documents = spool.takeAll();
    const found: Item[] = [];
    for (const { key, records } of documents) {
      let text = '';
      for await (const piece of spool.storage.read(key, undefined, new AbortController().signal))
        text += Buffer.from(piece).toString();
      const lines = text.trimEnd().split('\n');
      expect(lines).toHaveLength(records);
      found.push(...lines.map((line) => JSON.parse(line) as Item));
    }
    expect(found).toHaveLength(walked.records);
    return { walked, found };
  } finally {
    await spool.close();
  }
}

/** Records that stay as they are from the first request to the last, and those of which only the version changes. */
class Moving {
  list: Item[];
  readonly still: Set<number>;
  readonly #random: (below: number) => number;
  #next = 1000;

  constructor(random: (below: number) => number, { count, of }: { count: number; of: number }) {
    this.#random = random;
    this.list = Array.from({ length: count }, (_, i) => ({ id: i, version: 0 }));
    this.still = new Set(this.list.filter(() => random(of) > 0).map(({ id }) => id));
  }

  /** One change between two requests. */
  move(): void {
    const random = this.#random;
    const others = this.list.flatMap(({ id }, i) => (this.still.has(id) ? [] : [i]));
    const at = others[random(Math.max(1, others.length))];
    const kind = random(5);
    if (kind === 0) this.list.splice(random(this.list.length + 1), 0, { id: this.#next++, version: 0 });
    else if (at === undefined) return;
    else if (kind < 4) this.list.splice(at, 1);
    else {
      // Changed, and so the last one where the order is that of changes.
      const [{ id, version }] = this.list.splice(at, 1) as [Item];
      this.list.push({ id, version: version + 1 });
    }
  }
}

const offset: PagingOptions = { by: 'offset', size_param: 'limit', size: 7 };
const numbered: PagingOptions = { by: 'page', size_param: 'limit', size: 7 };

interface Outcome {
  /** Runs that have missed some, and runs that say so. */
  missed: number;
  problems: number;
  requests: number;
  /** Records that came again. */
  again: number;
}

async function campaign(
  options: PagingOptions,
  how: { ahead?: number; overlaps?: boolean; seeds: number; serve?: Serve; still?: boolean; count?: number },
): Promise<Outcome> {
  const outcome: Outcome = { missed: 0, problems: 0, requests: 0, again: 0 };
  const { seeds, serve = bySlice, still = false, count } = how;
  for (let seed = 1; seed <= seeds; seed++) {
    const random = randomOf(seed);
    const moving = new Moving(random, { count: count ?? random(70), of: 2 + random(4) });
    const often = still ? 0 : random(4);
    asked = [];
    answer = (request) => {
      for (let n = random(often + 1); n > 0; n--) moving.move();
      return serve(moving.list, new URL(request.url!, 'http://x').searchParams);
    };
    const { walked, found } = await fetchAll(options, how);
    const ids = new Set(found.map(({ id }) => id));
    if (walked.problem) outcome.problems++;
    else if ([...moving.still].some((id) => !ids.has(id))) outcome.missed++;
    if (still) expect([...ids]).toEqual(moving.list.map(({ id }) => id));
    outcome.again += found.length - ids.size;
    outcome.requests += asked.length;
  }
  return outcome;
}

test.each([
  ['offsets', offset, 1],
  ['offsets of a size that is not known', { by: 'offset' }, 1],
  ['offsets with a total', { ...offset, total: 'total' }, 1],
  ['numbers', numbered, 1],
  ['numbers, several at once', numbered, 4],
  ['numbers of small pages', { ...numbered, size: 2 }, 1],
] as const)('nothing that stays is missed: %s', async (_, options, ahead) => {
  expect(await campaign(options, { ahead, seeds: 100 })).toMatchObject({ missed: 0, problems: 0 });
});

test.each([
  ['offsets', offset],
  ['numbers', numbered],
])('pages that do not overlap miss some: %s', async (_, options) => {
  const { missed } = await campaign(options, { overlaps: false, seeds: 30 });
  expect(missed).toBeGreaterThan(10);
});

/** Whole pages only, of its own size, of few sizes, at most so many, as many as it likes, nothing of what it does not expect. */
const servers: [string, Serve][] = [
  [
    'begins at whole pages',
    (list, query) => {
      const size = Number(query.get('limit'));
      const from = Math.floor(placeOf(query) / size) * size;
      return { data: list.slice(from, from + size) };
    },
  ],
  ['has pages of its own size', (list, query) => ({ data: list.slice(...ofSize(query, 10)) })],
  ['caps them', (list, query) => ({ data: list.slice(...ofSize(query, Math.min(4, limitOf(query)))) })],
  [
    'knows few sizes',
    (list, query) => ({ data: list.slice(...ofSize(query, limitOf(query) === 7 ? 7 : 5)) }),
  ],
  [
    'refuses others',
    (list, query) =>
      limitOf(query) % 7 > 0 || (placeOf(query) % 7 > 0 && placeOf(query) < list.length)
        ? 422
        : bySlice(list, query),
  ],
];

const limitOf = (query: URLSearchParams): number => Number(query.get('limit') ?? 7);
const placeOf = (query: URLSearchParams): number => ofSize(query, limitOf(query))[0];
function ofSize(query: URLSearchParams, size: number): [number, number] {
  const from = query.has('page') ? (Number(query.get('page')) - 1) * size : Number(query.get('offset'));
  return [from, from + size];
}

test.each(servers)('a server that %s gives all there is', async (_, serve) => {
  for (const options of [offset, numbered]) await campaign(options, { seeds: 20, serve, still: true });
});

test('pages that end early, as by their bytes, are followed to the end', async () => {
  const serve: Serve = (list, query) => {
    const [from, to] = ofSize(query, 7);
    return { data: list.slice(from, Math.min(to, from + 1 + ((from * 7) % 5))) };
  };
  await campaign(offset, { seeds: 20, serve, still: true });
  expect(await campaign(offset, { seeds: 60, serve })).toMatchObject({ problems: 0 });
});

test('it costs hardly more requests where nothing moves', async () => {
  for (const size of [50, 100])
    for (const options of [
      { ...offset, size },
      { ...numbered, size },
    ]) {
      const still = { seeds: 3, still: true, count: 4000 };
      const { requests: plain } = await campaign(options, { ...still, overlaps: false });
      const { requests, again } = await campaign(options, still);
      expect(again).toBe(0);
      expect(requests).toBeLessThan(plain * 1.25);
    }
});

test('records that come in front before each request make it no longer than what there is', async () => {
  let list = Array.from({ length: 30 }, (_, id) => ({ id, version: 0 }));
  answer = (request) => {
    list = [{ id: 1000 + list.length, version: 0 }, ...list];
    return bySlice(list, new URL(request.url!, 'http://x').searchParams);
  };
  for (const options of [offset, numbered]) {
    list = list.slice(-30);
    asked = [];
    const { walked, found } = await fetchAll(options);
    expect(walked.problem).toBeUndefined();
    expect(found.filter(({ id }) => id < 1000).map(({ id }) => id)).toEqual(
      list.slice(-30).map(({ id }) => id),
    );
    expect(asked.length).toBeLessThan(15);
  }
});

test('who moves records faster than they can be fetched is told so, after a bounded number of requests', async () => {
  let next = 0;
  asked = [];
  // All records are others each time.
  answer = (request) => {
    const { searchParams } = new URL(request.url!, 'http://x');
    return bySlice(
      Array.from({ length: 100 }, () => ({ id: next++, version: 0 })),
      searchParams,
    );
  };
  const { walked } = await fetchAll(offset);
  expect(walked.problem?.code).toBe('rest.moving');
  expect(asked.length).toBeLessThan(300);
});

test('numbers of any size are told apart, and records whose key is not in them are taken as a whole', () => {
  const of = (names: string[], text: string): string => identityOf(names)(Buffer.from(text));
  expect(of(['id'], '{"id":9007199254740993}')).not.toBe(of(['id'], '{"id":9007199254740992}'));
  expect(of(['id'], '{"id":1,"age":1}')).toBe(of(['id'], '{"age":2,"id":1}'));
  expect(of(['a_id'], '{"a":{"id":1}}')).not.toBe(of(['a_id'], '{"a":{"id":2}}'));
});
