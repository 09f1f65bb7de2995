import type { Connector } from '../../core/connector.ts';
import { type CustomOptions, customOptions } from './options.ts';

export const customConnector: Connector<CustomOptions> = {
  name: 'custom',
  title: 'Custom source',
  summary: 'Code of a project in TypeScript that yields records, with the guarantees of any other source.',
  options: customOptions,
  capabilities: { source: true, destination: false, atomicCommit: false },
  fromUrl: () => undefined,
  openSource: async (options, context) => {
    const { RecordsSource } = await import('../shared/records/records-source.ts');
    const { CustomFeed } = await import('./feed.ts');
    return new RecordsSource(new CustomFeed(options, context.name), context);
  },
};
