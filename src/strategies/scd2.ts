import type { Strategy } from './strategy.ts';

/** Every version of a row stays, with the times between which it was valid. Only who reads everything sees what is gone. */
export const scd2: Strategy = {
  history: 'versions',
  commits: ({ cursor, files }) => (cursor.length === 0 && files === undefined ? 'together' : 'each'),
  misfit: (stream, schema) =>
    schema.key.length > 0
      ? undefined
      : `load: scd2 needs a key, and ${stream.name} has none in the catalog; name its columns with \`key\``,
  supersedes: ({ schema, whole }) => ({ kind: 'versions', key: [...schema.key], gone: whole }),
};
