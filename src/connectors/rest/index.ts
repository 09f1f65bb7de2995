import type { Connector } from '../../core/connector.ts';
import { type RestOptions, restOptions } from './options.ts';

export const restConnector: Connector<RestOptions> = {
  name: 'rest',
  title: 'REST API',
  summary:
    'Records of a REST API: any paging, OAuth 2, rate limits, only what has changed, children of other endpoints.',
  options: restOptions,
  capabilities: { source: true, destination: false, atomicCommit: false },
  fromUrl: () => undefined,
  openSource: async (options, context) => {
    const { RecordsSource } = await import('../shared/records/records-source.ts');
    const { RestFeed } = await import('./feed.ts');
    return new RecordsSource(new RestFeed(options, context), context);
  },
};
