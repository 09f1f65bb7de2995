/** Messages that were taken in, as a source for one load. */
import type { Connector, ConnectorContext } from '../../core/connector.ts';
import type { Source, SourceFacts } from '../../core/source.ts';
import type { LogicalType } from '../../core/types.ts';
import type { Fetched, FeedStream, FetchRequest, RecordFeed } from '../shared/records/feed.ts';
import { RecordsSource } from '../shared/records/records-source.ts';
import type { FieldForm } from '../shared/text/records.ts';
import type { BatchStream, MessageBatch } from './message-intake.ts';
import { formOf, renderPosition } from './position.ts';
import { messagesOptions } from './options.ts';

class BatchFeed implements RecordFeed {
  readonly unlisted = true;
  readonly #streams: ReadonlyMap<string, BatchStream>;

  constructor({ streams }: MessageBatch) {
    this.#streams = new Map(streams.map((stream) => [stream.name, stream]));
  }

  async check(): Promise<SourceFacts> {
    return { title: 'Singer messages', warnings: [] };
  }

  async streams(): Promise<FeedStream[]> {
    return [...this.#streams.values()].map(({ name, key }) => ({ name, key, fields: [] }));
  }

  async fetch({ stream, checkpoint, spool }: FetchRequest): Promise<Fetched> {
    const { key, types, version, spool: own } = this.#streams.get(stream.name)!;
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

/** A connector whose source is this batch. */
export function messagesConnector(batch: MessageBatch | undefined): Connector<Record<string, never>> {
  return {
    name: 'singer-messages',
    title: 'Singer messages',
    summary: 'What came on standard input.',
    options: messagesOptions,
    capabilities: { source: true, destination: false, atomicCommit: false },
    fromUrl: () => undefined,
    openSource: async (_options: Record<string, never>, context: ConnectorContext): Promise<Source> =>
      new RecordsSource(
        new BatchFeed(batch ?? { streams: [], state: undefined, records: 0, notes: [] }),
        context,
      ),
  };
}
