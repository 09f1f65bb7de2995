/** Columns from the names of files: a date or a number that says which snapshot a file is. */
import { ConfigError } from '../../core/errors.ts';
import type { FilesConfig } from '../../core/ledger.ts';
import { type ColumnSample, emptySample, sniffTexts } from '../shared/text/sniff-columns.ts';
import type { FoundFiles } from './found-files.ts';

/** A date of this century or the last one, between characters that are no digits. */
const DATE =
  /(?<!\d)(?<snapshot_date>(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01]))(?!\d)[^/]*$/;

export interface NameColumns {
  columns: string[];
  /** For each path. */
  values: Record<string, string | null>[];
}

/** Throws ConfigError when paths do not fit the pattern. Without one, dates count when every name has one. */
export function nameColumns(
  paths: readonly string[],
  { stream, pattern }: { stream: string; pattern: string | undefined },
): NameColumns {
  const expression = pattern === undefined ? DATE : new RegExp(pattern);
  const found = paths.map((path) => expression.exec(path)?.groups);
  const misfits = paths.filter((_, i) => found[i] === undefined);
  if (misfits.length > 0 || paths.length === 0) {
    if (pattern === undefined || paths.length === 0) return { columns: [], values: paths.map(() => ({})) };
    throw new ConfigError(
      `looking at ${stream}: ${misfits.length} of ${paths.length} names do not fit \`name\` (${pattern}), for example "${misfits[0]}"`,
      { code: 'files.name', remedy: 'correct `name`, or choose other files with `path`' },
    );
  }
  const columns = Object.keys(found[0]!);
  const dates = new Set(columns.filter((column) => found.every((groups) => isoDate(groups![column]))));
  const values = found.map((groups) =>
    Object.fromEntries(
      columns.map((column) => {
        const text = groups![column];
        return [column, text === undefined ? null : dates.has(column) ? isoDate(text)! : text];
      }),
    ),
  );
  return { columns, values };
}

/** `20260209`, `2026-02-09`, `2026_02_09` or `2026.02.09` as `2026-02-09`; undefined for what is no date. */
function isoDate(text: string | undefined): string | undefined {
  const match = /^(\d{4})([-_.]?)(\d\d)\2(\d\d)$/.exec(text ?? '');
  if (!match) return undefined;
  const iso = `${match[1]}-${match[3]}-${match[4]}`;
  const time = Date.parse(`${iso}T00:00:00Z`);
  return Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== iso ? undefined : iso;
}

/** Columns that come from names; a date found there by itself gives way to a column of that name in the files. */
export function namedColumns(config: FilesConfig, found: FoundFiles, inFiles: ReadonlySet<string>): string[] {
  const both = found.columns.filter((column) => inFiles.has(column));
  if (both.length === 0 || config.name === undefined) return both.length > 0 ? [] : found.columns;
  throw new ConfigError(`taking columns from names: "${both.join('", "')}" is in the files as well`, {
    code: 'files.name',
    remedy: 'give the group in `name` another name',
  });
}

/** What the names hold in these columns. */
export function sampleNames(found: FoundFiles, named: readonly string[]): Map<string, ColumnSample> {
  return new Map(
    named.map((name) => {
      const sample = emptySample();
      sniffTexts(
        found.files.map((file) => file.columns[name] ?? null),
        sample,
      );
      return [name, sample];
    }),
  );
}
