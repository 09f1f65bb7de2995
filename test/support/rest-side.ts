/** An API as the source of a pair under attack: records in memory, which change between two pages as a test says. */
import type { Schema } from '../../src/core/schema.ts';
import type { SourceSide } from '../../guarantees/sides.ts';
import { Api, type Answer, type Call } from './api.ts';

export interface ApiRecord {
  id: number;
  name: string;
  seq: number;
}

const SIZE = 400;

export class RestSide implements SourceSide {
  readonly type = 'rest';
  readonly api: Api;
  connection: Record<string, unknown>;
  /** Of the connection; may be changed before the first run. */
  readonly endpoint: Record<string, unknown>;
  readonly records: Map<number, ApiRecord> = new Map();
  /** Answers in the place of the records, where it has one. */
  instead: (call: Call) => Answer | undefined = () => undefined;
  /** From where on it gives records, whatever it is asked for. */
  since: number | undefined;
  /** Behind each name. */
  padding: string = '';
  #seq = 0;

  private constructor(api: Api) {
    this.api = api;
    this.endpoint = {
      path: '/t',
      records: 'data',
      key: 'id',
      paging: { by: 'offset', size: SIZE, total: 'total' },
      since: { param: 'since', format: 'number' },
    };
    this.connection = { type: 'rest', url: api.url, attempts: 2, endpoints: { t: this.endpoint } };
  }

  static async open(): Promise<RestSide> {
    const side: { now?: RestSide } = {};
    const api = await Api.open((call) => side.now!.instead(call) ?? side.now!.#page(call));
    side.now = new RestSide(api);
    return side.now;
  }

  #page({ query }: Call): Answer {
    const since = query['since'] === undefined ? 0 : (this.since ?? Number(query['since']));
    const from = Number(query['offset'] ?? 0);
    const all = [...this.records.values()].filter(({ seq }) => seq >= since).sort((a, b) => a.seq - b.seq);
    return { json: { data: all.slice(from, from + SIZE), total: all.length } };
  }

  /** New records, or new versions of those that are there. */
  write(from: number, to: number): void {
    for (let id = from; id <= to; id++) {
      const seq = ++this.#seq;
      this.records.set(id, { id, name: `n${id}:${seq}${this.padding}`, seq });
    }
  }

  nameOf(table: string): string {
    return table;
  }

  async lines(_: string, { fields }: Schema): Promise<string[]> {
    const names = fields.map(({ name }) => name as keyof ApiRecord).filter((name) => !name.startsWith('_'));
    return [...this.records.values()].map((record) => names.map((name) => record[name]).join('|')).sort();
  }

  async close(): Promise<void> {
    await this.api[Symbol.asyncDispose]();
  }
}
