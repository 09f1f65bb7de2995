/** Records of an API that move between its pages while they are loaded. */
import type { Arena, Attack } from '../attack.ts';
import { API_STREAMS, API_TABLES, type ApiCopy, type ApiSide } from '../api-side.ts';
import type { ApiPair } from '../pair.ts';
import { FROM_APIS } from '../pairs.ts';

const LOADS = 6;
const LOADS_BRIEF = 2;
/** Changes before an answer, at most. */
const CHANGES = 2;

/** Nothing is known to be there, but no row may be there twice. */
export const NOTHING: ApiCopy = new Map(Object.keys(API_TABLES).map((table) => [table, new Map()]));

export const RECORDS: Attack<ApiPair> = {
  name: 'records',
  part: 'race',
  promise: 'nothing-lost',
  tries: `changes records of an API before each of its answers, so that they move from page to page, while ${LOADS} loads append, merge and replace them and the arrays within them, with times that stand still for a second; what stood still during a load is there after it`,
  rounds: 8,
  pairs: FROM_APIS,
  brief: true,
  run: raceWithRecords,
};

async function raceWithRecords(arena: Arena<ApiPair>): Promise<string> {
  const { random, tally } = arena;
  const pair = await arena.open(API_STREAMS);
  const api = pair.from;
  api.fill(random);
  const naive = new NaiveClient(api);
  // Mostly what is read right now.
  api.beforeAnswer = (name) => {
    for (let n = random.int(0, CHANGES); n > 0; n--)
      api.change(random, random.chance(0.7) ? name : undefined);
  };
  for (let load = 0; load < (arena.brief ? LOADS_BRIEF : LOADS); load++) {
    arena.signal.throwIfAborted();
    const before = api.copy();
    const load = pair.run().then(() => expectWhole(pair, api.still(before)));
    await Promise.all([load, naive.read()]);
  }
  api.beforeAnswer = () => undefined;
  await naive.read();
  const naiveRowsLost = naive.lost();
  if (naiveRowsLost === 0) throw new Error('the naive reader lost nothing: there was no race');
  tally.races++;
  tally.naiveRowsLost += naiveRowsLost;
  await pair.run();
  await arena.verify(pair, Object.keys(API_TABLES));
  return 'works';
}

/** Each of these records has its row, and no row is there twice, whatever else has changed. */
export async function expectWhole(
  pair: ApiPair,
  still: ApiCopy,
  tables: readonly string[] = Object.keys(API_TABLES),
): Promise<void> {
  for (const table of tables) {
    const key = API_TABLES[table]!;
    const schema = (await pair.to.schema(table))!;
    const current = new Set(await pair.to.lines(table, 'current'));
    const missing = (await pair.from.lines(table, schema, still)).filter((line) => !current.has(line));
    if (missing.length > 0)
      throw new Error(`${table}: ${missing.length} that stood still are not there:\n${missing.join('\n')}`);
    // What is appended is never changed here, so that each has one version.
    const keys = await pair.to.lines(table, table === 'events' ? 'history' : 'current', key);
    const twice = keys.filter((line, i) => line === keys[i - 1]);
    if (twice.length > 0) throw new Error(`${table}: twice: ${twice.join(', ')}`);
  }
}

/** What many programs do: page after page, and from then on what is above the greatest time that was seen. */
class NaiveClient {
  readonly #api: ApiSide;
  readonly #versions = new Map<number, string>();
  #last = '1970-01-01T00:00:00.000Z';

  constructor(api: ApiSide) {
    this.#api = api;
  }

  async read(): Promise<void> {
    const since = new Date(Date.parse(this.#last) + 1).toISOString();
    for (let page = 1, more = true; more; page++) {
      const answer = await fetch(
        `${this.#api.url}/accounts?${String(new URLSearchParams({ since, page: String(page), size: '3' }))}`,
      );
      const { data } = (await answer.json()) as { data: { id: number; at: string }[] };
      for (const { id, at } of data) {
        this.#versions.set(id, at);
        if (at > this.#last) this.#last = at;
      }
      more = data.length > 0;
    }
  }

  /** Records whose present version it has never read. */
  lost(): number {
    const records = [...this.#api.copy().get('accounts')!.values()];
    return records.filter(({ id, at }) => this.#versions.get(id) !== at).length;
  }
}
