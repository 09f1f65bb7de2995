import type { Strategy } from './strategy.ts';

/** One row per key: a new version takes the place of the old one. */
export const merge: Strategy = {
  history: undefined,
  commits: () => 'each',
  misfit: (stream, schema) =>
    schema.key.length > 0
      ? undefined
      : `load: merge needs a key, and ${stream.name} has none in the catalog; name its columns with \`key\``,
  supersedes: ({ schema, survey: { group }, slices }) => {
    // Records that are read again were missing among those of their group.
    const anew = slices.every(({ range }) => range.kind !== 'quarantine');
    if (group && anew) return { kind: 'groups', columns: [...group] };
    return { kind: 'key', key: [...schema.key] };
  },
};
