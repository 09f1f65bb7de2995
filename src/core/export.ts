/** How a stream becomes a file. */

export type ExportFormat = 'csv' | 'jsonl' | 'parquet';
export type ExportCompression = 'none' | 'gzip' | 'zstd' | 'snappy';

/** After defaults of the pipeline are filled in. */
export interface ExportConfig {
  /** Below the folder or prefix of the connection, with placeholders; undefined: that of the connection. */
  path?: string | undefined;
  /** Undefined: by the ending of the path. */
  format?: ExportFormat | undefined;
  /** Undefined: by the ending of the path; of Parquet, zstd. */
  compression?: ExportCompression | undefined;
  /** Of CSV. */
  delimiter?: string | undefined;
  /** Of CSV: whether the first record has the names of the columns; undefined: it has. */
  header?: boolean | undefined;
  /** Of CSV: the text that stands for NULL; undefined: nothing at all. */
  null?: string | undefined;
  /** In which days begin and end; undefined: UTC. */
  zone?: string | undefined;
}

const PLACEHOLDERS = ['table', 'date', 'time', 'year', 'month', 'day'] as const;

export type Placeholder = (typeof PLACEHOLDERS)[number];

const PLACEHOLDER = /\{([^{}]*)\}/g;

/** What is wrong with the path of an export; undefined when nothing is. */
export function exportPathMistake(path: string): string | undefined {
  const unknown = [...path.matchAll(PLACEHOLDER)]
    .map(([, name]) => name!)
    .find((name) => !PLACEHOLDERS.some((known) => known === name));
  if (unknown !== undefined) {
    const known = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');
    return `"{${unknown}}" is no placeholder; there are ${known}`;
  }
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'must be a path below the folder of the connection, without empty, "." and ".." parts';
  if (parts.some((part) => part.startsWith('.') || part.startsWith('_sluice')))
    return 'names that begin with "." or "_sluice" are taken';
  return undefined;
}

/** Puts values in the place of placeholders. */
export function fillPath(path: string, values: Readonly<Record<Placeholder, string>>): string {
  return path.replace(PLACEHOLDER, (_, name: string) => values[name as Placeholder]);
}

/** Which placeholders a path has. */
export function placeholdersOf(path: string): ReadonlySet<string> {
  return new Set([...path.matchAll(PLACEHOLDER)].map(([, name]) => name!));
}
