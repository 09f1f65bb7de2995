/** An API as a source under attack: collections in memory whose records come, change and go while their pages are fetched. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Field, Schema } from '../src/core/schema.ts';
import type { Streams } from './pair.ts';
import type { Random } from './random.ts';
import type { SourceSide } from './sides.ts';
import type { TapConfig } from './tap.ts';

/** Never changed: a new version is another object. */
export interface ApiRecord {
  readonly id: number;
  readonly name: string | null;
  readonly amount: number;
  readonly at: string;
  readonly lines?: readonly ApiLine[] | null;
}

interface ApiLine {
  sku: string;
  quantity: number;
}

/** The program of a Singer tap, to which arguments are added. */
export const TAP: readonly string[] = [process.execPath, fileURLToPath(new URL('tap.ts', import.meta.url))];
/** Longest time after which nothing of a killed process may be at work. */
const GONE_MS = 20_000;
const FIRST = 120;
const SIZE = 10;
const SIZES = { size_param: 'size', size: SIZE };
const NAMES = [null, '', 'plain', 'a "quoted"\nname', 'Zoë|Grünhügel', String.raw`C:\t\u0041`, '🧾'] as const;

interface Kind {
  endpoint: Record<string, unknown>;
  /** In which order it is shown. */
  order: (a: ApiRecord, b: ApiRecord) => number;
  changes: readonly ('add' | 'change' | 'remove')[];
  /** Times are whole multiples of so many milliseconds. */
  grain: number;
}

const byTime = (a: ApiRecord, b: ApiRecord): number => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id - b.id);
const byId = (a: ApiRecord, b: ApiRecord): number => a.id - b.id;

/**
 * Records move from page to page where they are changed, or where others are removed or put in front of them. Orders change on
 * pages that were fetched, while later ones are newer.
 */
const KINDS: Readonly<Record<string, Kind>> = {
  events: {
    endpoint: { paging: { by: 'offset', ...SIZES, total: 'total' }, since: 'since' },
    order: byTime,
    changes: ['add'],
    grain: 1000,
  },
  accounts: {
    endpoint: { paging: { by: 'page', ...SIZES }, since: 'since' },
    order: byTime,
    changes: ['add', 'change', 'change'],
    grain: 1,
  },
  listed: {
    endpoint: { paging: { by: 'offset', ...SIZES } },
    order: byId,
    changes: ['add', 'change', 'remove'],
    grain: 1,
  },
  orders: {
    endpoint: { paging: { by: 'cursor', param: 'after', next: 'next', ...SIZES }, since: 'since' },
    order: byId,
    changes: ['add', 'change', 'change'],
    grain: 1,
  },
};

export const API_STREAMS: Streams = {
  events: { load: 'append', cursor: 'at' },
  accounts: { load: 'merge', cursor: 'at' },
  listed: { load: 'replace' },
  orders: { load: 'merge', cursor: 'at', columns: { exclude: ['lines'] } },
  'orders.lines': { load: 'merge', cursor: 'orders_at' },
};

/** Tables of these streams, and what tells their rows apart. */
export const API_TABLES: Readonly<Record<string, readonly string[]>> = {
  events: ['id'],
  accounts: ['id'],
  listed: ['id'],
  orders: ['id'],
  orders_lines: ['orders_id', 'lines_index'],
};

export type ApiCopy = ReadonlyMap<string, ReadonlyMap<number, ApiRecord>>;

/** How Sluice reads it. */
const CONNECTIONS = {
  rest: (url: string): Record<string, unknown> => {
    const endpoints = Object.entries(KINDS).map(([name, { endpoint }]) => [
      name,
      { path: `/${name}`, records: 'data', key: 'id', ...endpoint },
    ]);
    return { type: 'rest', url, endpoints: Object.fromEntries(endpoints) };
  },
  singer: (url: string): Record<string, unknown> => {
    const config: TapConfig = { url };
    return { type: 'singer', command: TAP, config };
  },
};

export class ApiSide implements SourceSide {
  readonly type: keyof typeof CONNECTIONS;
  connection: Record<string, unknown>;
  readonly url: string;
  /** Before each answer, with what was asked for, and the process of the tap that asks. */
  beforeAnswer: (name: string, tap: number | undefined) => void = () => undefined;
  readonly #server: Server;
  readonly #collections = new Map(Object.keys(KINDS).map((name) => [name, new Map<number, ApiRecord>()]));
  /** Processes that have asked. */
  readonly #taps = new Set<number>();
  #next = 1;

  private constructor(type: keyof typeof CONNECTIONS, server: Server) {
    this.type = type;
    this.#server = server;
    server.on('request', (request, response) => {
      const { pathname, searchParams } = new URL(request.url!, this.url);
      const name = pathname.slice(1);
      const tap = Number(request.headers['x-tap']) || undefined;
      if (tap !== undefined) this.#taps.add(tap);
      this.beforeAnswer(name, tap);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(this.#page(name, searchParams)));
    });
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.connection = CONNECTIONS[type](this.url);
  }

  static async open(type: keyof typeof CONNECTIONS): Promise<ApiSide> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ApiSide(type, server);
  }

  /** The records that it begins with. */
  fill(random: Random): void {
    for (const name of KINDS_OF) for (let i = 0; i < FIRST; i++) this.#add(name, random);
  }

  /** One record comes, changes or goes, in one of the collections. */
  change(random: Random, name: string = random.pick(KINDS_OF)): void {
    const records = this.#collections.get(name)!;
    const change = random.pick(KINDS[name]!.changes);
    if (change === 'add' || records.size === 0) this.#add(name, random);
    else {
      const { id } = random.pick([...records.values()]);
      if (change === 'remove') records.delete(id);
      else records.set(id, this.#version(name, id, random));
    }
  }

  #add(name: string, random: Random): void {
    // Where they are shown by number, new ones come among the others.
    const spread = KINDS[name]!.order === byId ? random.int(0, 1_000_000) * 100_000 : 0;
    const id = spread + this.#next++;
    this.#collections.get(name)!.set(id, this.#version(name, id, random));
  }

  #version(name: string, id: number, random: Random): ApiRecord {
    const { grain } = KINDS[name]!;
    const version = {
      id,
      name: random.pick(NAMES),
      amount: random.int(-100_000, 100_000) / 4,
      at: new Date(Math.floor(Date.now() / grain) * grain).toISOString(),
    };
    if (name !== 'orders' || random.chance(0.1)) return version;
    const line = (): ApiLine => ({ sku: `s${random.int(1, 1e9)}`, quantity: random.int(1, 9) });
    const lines = random.chance(0.1) ? null : Array.from({ length: random.int(0, 4) }, line);
    return { ...version, lines };
  }

  #page(name: string, query: URLSearchParams): object {
    const { order } = KINDS[name]!;
    const since = Date.parse(query.get('since') ?? '1970-01-01');
    const found = [...this.#collections.get(name)!.values()]
      .filter(({ at }) => Date.parse(at) >= since)
      .sort(order);
    const size = Number(query.get('size') ?? SIZE);
    const after = Number(query.get('after') ?? -1);
    const behind = found.filter(({ id }) => id > after);
    const from = Number(query.get('offset') ?? (Number(query.get('page') ?? 1) - 1) * size);
    const data = behind.slice(from, from + size);
    return { data, total: found.length, next: data.length < size ? null : data.at(-1)!.id };
  }

  /** All records as they are now. */
  copy(): ApiCopy {
    return new Map([...this.#collections].map(([name, records]) => [name, new Map(records)]));
  }

  /** Those of an earlier moment that have not changed since. */
  still(copy: ApiCopy): ApiCopy {
    const same = ([name, records]: [string, ReadonlyMap<number, ApiRecord>]) =>
      [
        name,
        new Map([...records].filter(([id, record]) => this.#collections.get(name)!.get(id) === record)),
      ] as const;
    return new Map([...copy].map(same));
  }

  nameOf(table: string): string {
    return table;
  }

  async lines(table: string, schema: Schema, of: ApiCopy = this.copy()): Promise<string[]> {
    const fields = schema.fields.filter(({ name }) => !name.startsWith('_sluice_'));
    return rowsOf(table, of)
      .map((row) => fields.map((field) => textOf(row[field.name], field)).join('|'))
      .sort();
  }

  /** Whoever reads its taps is gone: they end when they next write. */
  async settled(): Promise<void> {
    for (const end = performance.now() + GONE_MS; performance.now() < end; await sleep(10)) {
      for (const tap of this.#taps) if (!lives(tap)) this.#taps.delete(tap);
      if (this.#taps.size === 0) return;
    }
    throw new Error(`taps outlive those who read them: ${[...this.#taps].join(', ')}`);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const KINDS_OF = Object.keys(KINDS);

function rowsOf(table: string, copy: ApiCopy): Record<string, unknown>[] {
  if (table !== 'orders_lines') return [...copy.get(table)!.values()].map((record) => ({ ...record }));
  return [...copy.get('orders')!.values()].flatMap(({ id, at, lines }) =>
    (lines ?? []).map((line, i) => ({ orders_id: id, orders_at: at, lines_index: i, ...line })),
  );
}

/** As row-text.ts has values of databases. */
function textOf(value: unknown, { type }: Field): string {
  if (value === null || value === undefined) return '∅';
  if (type.kind === 'timestamp') return String(Date.parse(value as string) * 1000);
  if (type.kind === 'decimal') return (value as number).toFixed(type.scale);
  return `${value as string | number | boolean}`;
}
