/** Messages that were taken in, as a source for one load. */
import { ConfigError } from '../../core/errors.ts';
import type { SourceFacts } from '../../core/source.ts';
import type { LogicalType } from '../../core/types.ts';
import type { Fetched, FeedStream, FetchRequest, RecordFeed } from '../shared/records/feed.ts';
import type { FieldForm } from '../shared/text/records.ts';
import type { BatchStream, MessageBatch } from './message-intake.ts';
import { formOf, renderPosition } from './position.ts';

export class BatchFeed implements RecordFeed {
  readonly unlisted = true;
  readonly #streams: ReadonlyMap<string, BatchStream>;

  /** Without a batch there is nothing but what came before. */
  constructor(batch: MessageBatch | undefined) {
    this.#streams = new Map(batch?.streams.map((stream) => [stream.name, stream]));
  }

  async check(): Promise<SourceFacts> {
    return { title: 'Singer messages', warnings: [] };
  }

  async streams(): Promise<FeedStream[]> {
    return [...this.#streams.values()].map(({ name, key }) => ({ name, key, fields: [] }));
  }

  async fetch({ stream, checkpoint, spool }: FetchRequest): Promise<Fetched> {
    const found = this.#streams.get(stream.name);
    if (!found) throw nothingToFetch(stream.name);
    const { key, types, version, spool: own } = found;
    await spool.adopt(own);
    return {
      key,
      config: { format: 'json' },
      types,
      position: version === undefined ? checkpoint?.position : renderPosition({ version }),
      // Whoever sends them knows what was loaded.
      again: false,
      seconds: 0,
      notes: [],
      asked: 'messages',
    };
  }

  form(type: LogicalType): FieldForm | undefined {
    return formOf(type);
  }

  async close(): Promise<void> {}
}

function nothingToFetch(stream: string): ConfigError {
  return new ConfigError(`fetching ${stream}: messages are not fetched, they come`, {
    code: 'singer.not_fetched',
    remedy: 'tap-x --config tap.json | sluice singer-target <connection>',
  });
}
