import type { Strategy } from './strategy.ts';

/** One row per key: a new version takes the place of the old one. */
export const merge: Strategy = {
  history: undefined,
  commits: () => 'each',
  misfit: (stream, schema) =>
    schema.key.length > 0
      ? undefined
      : `load: merge needs a key, and ${stream.name} has none in the catalog; name its columns with \`key\``,
  supersedes: ({ schema }) => ({ kind: 'key', key: [...schema.key] }),
};
