/** Files whose names differ in digits only are one stream. */
import type { StreamInfo } from '../../core/source.ts';
import type { StoredObject } from '../../core/storage.ts';
import { OWN_FOLDER } from '../shared/object-names.ts';

const DATA = /\.(csv|tsv|txt|jsonl?|ndjson|parquet)(\.(gz|zst|bz2))?$|\.zip$/i;

/** Whether a name is that of a file that can be read. */
export function isData(name: string): boolean {
  return DATA.test(name);
}

export function discoverFiles(objects: readonly StoredObject[]): StreamInfo[] {
  const found = Map.groupBy(
    objects.filter(({ key }) => isData(key) && !isHidden(key)),
    ({ key }) => patternOf(key),
  );
  return [...found].map(([pattern, files]): StreamInfo => {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return {
      name: pattern,
      kind: 'files',
      schema: { fields: [], key: [] },
      estimatedRows: undefined,
      bytes,
      cursors: [],
      proposal: { load: 'append', files: pattern },
      notes: files.length === 1 ? [] : [`${files.length} files`],
    };
  });
}

function isHidden(key: string): boolean {
  return `/${key}`.includes(`/${OWN_FOLDER}`) || key.split('/').some((part) => part.startsWith('.'));
}

/** `tenants_20260209.csv` becomes `tenants_*.csv`; what would stand for others stands for itself. */
function patternOf(key: string): string {
  return key
    .replace(/[*?[{]/g, '[$&]')
    .replace(/\d+(?:[-_.]\d+)*/g, '*')
    .replace(/\*{2,}/g, '*');
}
