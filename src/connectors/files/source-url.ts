/** A path to files, such as `./landing/tenants_*.csv.gz`: where they are, and what stream they make. */
import { isData } from './discover.ts';
import { parseGlob } from './glob.ts';

export interface FilesUrl {
  /** Folder or prefix. */
  path: string;
  /** Which files below it. */
  pattern: string;
  /** For the table. */
  name: string;
}

/** Undefined for paths that do not end like files that can be read. */
export function filesFromUrl(url: string): FilesUrl | undefined {
  if (!isData(url) || (/^[a-z][a-z0-9+.-]+:\/\//i.test(url) && !/^(file|s3):\/\//i.test(url)))
    return undefined;
  const whole = url.replace(/^file:\/\//i, '');
  const at = parseGlob(whole).prefix.lastIndexOf('/') + (whole.startsWith('./') ? 2 : 0);
  const path = at < 0 ? '.' : whole.slice(0, at) || '/';
  const pattern = whole.slice(at + 1);
  return {
    path,
    pattern,
    name: nameOf(pattern.split('/').at(-1)!) ?? nameOf(path.split('/').at(-1)!) ?? 'files',
  };
}

/** `tenants_*.csv.gz` becomes `tenants`; undefined when nothing is left. */
function nameOf(pattern: string): string | undefined {
  const name = pattern
    .replace(/\.(csv|tsv|txt|jsonl?|ndjson|parquet|zip)(\.(gz|zst|bz2))?$/i, '')
    .replace(/[*?]|\[[^\]]*\]|\{[^}]*\}/g, '')
    .replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');
  return name === '' ? undefined : name;
}
