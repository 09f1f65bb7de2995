import type { Connector } from '../../core/connector.ts';
import { type SingerOptions, singerOptions } from './options.ts';

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
