/**
 * A Singer tap for the API of api-side.ts, with state: a process of its own that asks page by page from its bookmarks on, and says
 * what it finds as untidily as taps do. `sluice run` starts it for one stream; on its own it brings all of them in turns.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Random } from './random.ts';

export interface TapConfig {
  url: string;
}

interface Row extends Record<string, unknown> {
  id: number;
  at: string;
}

/** By stream, the time from which on it asks; as STATE messages have it. */
type Bookmarks = Record<string, string>;

const SIZE = 10;
const EPOCH = '1970-01-01T00:00:00.000Z';
const PROPERTIES = {
  id: { type: 'integer' },
  name: { type: ['null', 'string'] },
  amount: { type: 'number', multipleOf: 0.01 },
  at: { type: 'string', format: 'date-time' },
};
const LINE = { type: 'object', properties: { sku: { type: 'string' }, quantity: { type: 'integer' } } };
const LINES = { type: ['null', 'array'], items: LINE };

/**
 * In which order the API shows its records. By time they are read on from the last one; by id, where changes happen on pages that
 * were read, from the moment at which the last reading began; `all` are brought as a whole, as rows of a new version.
 */
const READ: Readonly<Record<string, 'by-time' | 'by-id' | 'all'>> = {
  events: 'by-time',
  accounts: 'by-time',
  listed: 'all',
  orders: 'by-id',
};

const CATALOG = {
  streams: Object.entries(READ).map(([stream, read]) => ({
    tap_stream_id: stream,
    stream,
    key_properties: ['id'],
    schema: {
      type: 'object',
      properties: { ...PROPERTIES, ...(stream === 'orders' && { lines: LINES }) },
    },
    metadata: [
      {
        breadcrumb: [],
        metadata: {
          'forced-replication-method': read === 'all' ? 'FULL_TABLE' : 'INCREMENTAL',
          ...(read !== 'all' && { 'valid-replication-keys': ['at'] }),
        },
      },
    ],
  })),
};

interface Selected {
  stream: string;
  key_properties: string[];
  schema: object;
  selected?: boolean;
  metadata: { breadcrumb: string[]; metadata: { selected?: boolean } }[];
}

const { values } = parseArgs({
  options: {
    config: { type: 'string' },
    catalog: { type: 'string' },
    state: { type: 'string' },
    discover: { type: 'boolean' },
  },
});
/** A page of each stream in turn, until there are no more. */
async function bringAll(): Promise<void> {
  const { url } = fileOf<TapConfig>(values.config)!;
  const { bookmarks } = fileOf<{ bookmarks: Bookmarks }>(values.state) ?? { bookmarks: {} };
  const { streams } = fileOf<{ streams: Selected[] }>(values.catalog) ?? CATALOG;
  const wanted = (streams as Selected[]).filter(({ selected = true }) => selected);
  const voice = new Voice(new Random(Date.now()), bookmarks);
  let readings = wanted.map((stream) => new Reading(stream, { url, voice }));
  while (readings.length > 0) {
    const more: Reading[] = [];
    for (const reading of readings) if (await reading.next()) more.push(reading);
    readings = more;
  }
  await voice.state();
}

function fileOf<T>(file: string | undefined): T | undefined {
  return file === undefined ? undefined : (JSON.parse(readFileSync(file, 'utf8')) as T);
}

/** What it says, and how: members in any order, schemas and states twice, lines that are none. */
class Voice {
  readonly random: Random;
  readonly bookmarks: Bookmarks;

  constructor(random: Random, bookmarks: Bookmarks) {
    this.random = random;
    this.bookmarks = bookmarks;
  }

  async say(message: Record<string, unknown>): Promise<void> {
    const members = Object.entries(message).map((member) => ({ member, place: this.random.next() }));
    const shuffled = members.toSorted((a, b) => a.place - b.place).map(({ member }) => member);
    await write(`${JSON.stringify(Object.fromEntries(shuffled))}\n`);
    if (this.random.chance(0.02)) await write('still at it\n');
  }

  async state(): Promise<void> {
    do await this.say({ type: 'STATE', value: { bookmarks: this.bookmarks } });
    while (this.random.chance(0.2));
  }
}

/** One stream, from its bookmark to the end. */
class Reading {
  readonly #stream: Selected;
  readonly #read: (typeof READ)[string];
  readonly #url: string;
  readonly #voice: Voice;
  /** Changes from now on are seen by the next reading. */
  readonly #began = new Date();
  readonly #hidden: readonly string[];
  #since: string;
  #after = -1;
  #size = SIZE;
  #pages = 0;

  constructor(stream: Selected, { url, voice }: { url: string; voice: Voice }) {
    this.#stream = stream;
    this.#read = READ[stream.stream]!;
    this.#url = url;
    this.#voice = voice;
    this.#since = voice.bookmarks[stream.stream] ?? EPOCH;
    this.#hidden = stream.metadata
      .filter(({ metadata }) => metadata.selected === false)
      .map(({ breadcrumb }) => breadcrumb[1]!);
  }

  /** Brings a page; false: it was the last one. */
  async next(): Promise<boolean> {
    const { random } = this.#voice;
    const { stream, schema, key_properties } = this.#stream;
    if (this.#pages++ === 0 || random.chance(0.1))
      await this.#voice.say({ type: 'SCHEMA', stream, schema, key_properties });
    // That of the last page, or of another run.
    if (random.chance(0.2)) await this.#voice.state();
    const rows = await this.#page();
    for (const row of rows) await this.#record(row);
    const more = rows.length === this.#size;
    if (this.#read === 'by-time') this.#goOn(rows.at(-1)?.at ?? this.#since);
    else this.#after = rows.at(-1)?.id ?? this.#after;
    if (!more) await this.#end();
    if (random.chance(0.7)) await this.#voice.state();
    return more;
  }

  /** What has the last time of a page may be changed, or come, within that time: it is asked for again. */
  #goOn(at: string): void {
    this.#size = at === this.#since ? this.#size * 2 : SIZE;
    this.#since = at;
    this.#voice.bookmarks[this.#stream.stream] = at;
  }

  async #end(): Promise<void> {
    const { stream } = this.#stream;
    if (this.#read === 'by-id') this.#voice.bookmarks[stream] = this.#began.toISOString();
    if (this.#read === 'all')
      await this.#voice.say({ type: 'ACTIVATE_VERSION', stream, version: this.#began.getTime() });
  }

  async #record(row: Row): Promise<void> {
    const { stream } = this.#stream;
    const record = Object.fromEntries(Object.entries(row).filter(([name]) => !this.#hidden.includes(name)));
    const version = this.#read === 'all' && { version: this.#began.getTime() };
    do await this.#voice.say({ type: 'RECORD', stream, record, ...version });
    while (this.#voice.random.chance(0.05));
  }

  async #page(): Promise<Row[]> {
    const query = { since: this.#since, after: String(this.#after), size: String(this.#size) };
    const answer = await fetch(`${this.#url}/${this.#stream.stream}?${String(new URLSearchParams(query))}`, {
      headers: { 'x-tap': String(process.pid) },
    });
    return ((await answer.json()) as { data: Row[] }).data;
  }
}

/** Waits for whoever reads it; when nobody does any more, the process ends. */
function write(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

if (values.discover) process.stdout.write(JSON.stringify(CATALOG));
else await bringAll();
