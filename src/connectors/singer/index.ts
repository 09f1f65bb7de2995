import type { Connector } from '../../core/connector.ts';
import type { MessageBatch } from './message-intake.ts';
import { messagesOptions, type SingerOptions, singerOptions } from './options.ts';

export const singerConnector: Connector<SingerOptions> = {
  name: 'singer',
  title: 'Singer tap',
  summary: 'Any Singer tap, old or new: its catalog, its types, its state kept with the rows.',
  options: singerOptions,
  capabilities: { source: true, destination: false, atomicCommit: false },
  fromUrl: () => undefined,
  openSource: async (options, context) => {
    const { RecordsSource } = await import('../shared/records/records-source.ts');
    const { TapFeed } = await import('./tap-feed.ts');
    return new RecordsSource(new TapFeed(options, context), context);
  },
};

/** What `sluice singer-target` has taken in: a batch while it is loaded; without one, what was put aside of others can be read again. */
export function messagesConnector(batch?: MessageBatch): Connector<Record<string, never>> {
  return {
    name: 'singer-messages',
    title: 'Singer messages',
    summary: 'What `sluice singer-target` takes from standard input.',
    options: messagesOptions,
    capabilities: { source: true, destination: false, atomicCommit: false },
    fromUrl: () => undefined,
    openSource: async (_options, context) => {
      const { RecordsSource } = await import('../shared/records/records-source.ts');
      const { BatchFeed } = await import('./batch-feed.ts');
      return new RecordsSource(new BatchFeed(batch), context);
    },
  };
}
