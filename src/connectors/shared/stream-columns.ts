/** Which columns of a table a stream reads, and what can be wrong with its configuration. */
import { DELETED_AT } from '../../core/destination.ts';
import { FILE_COLUMN } from '../../core/ledger.ts';
import { ConfigError } from '../../core/errors.ts';
import type { StreamConfig } from '../../core/stream.ts';

/** What Sluice has added to tables that it wrote: it tells of that copy, and a copy of the copy has its own. */
const OURS: ReadonlySet<string> = new Set([
  '_sluice_load_id',
  '_sluice_loaded_at',
  '_sluice_op',
  DELETED_AT,
  FILE_COLUMN,
  '_sluice_xmin',
]);

/** The columns that the stream reads; names that are not there become mistakes. Columns of ours are read when they are asked for. */
export function chosenColumns<C extends { name: string }>(
  stream: StreamConfig,
  all: C[],
  mistakes: string[],
): C[] {
  const { include, exclude } = stream.columns ?? {};
  for (const name of include ?? []) checkColumn(name, 'columns', all, mistakes);
  for (const name of exclude ?? []) checkColumn(name, 'columns.exclude', all, mistakes);
  for (const name of Object.keys(stream.rename)) checkColumn(name, 'rename', all, mistakes);
  for (const name of Object.keys(stream.types)) checkColumn(name, 'types', all, mistakes);
  const wanted = ({ name }: C): boolean =>
    include ? include.includes(name) : !OURS.has(name) || Object.hasOwn(stream.rename, name);
  return all.filter((column) => wanted(column) && !exclude?.includes(column.name));
}

/** Columns that need not be among those that are read. */
export function checkNamed(stream: StreamConfig, all: { name: string }[], mistakes: string[]): void {
  for (const [option, name] of [
    ['lookback', stream.lookback?.column],
    ['date', stream.date?.column],
    ...(stream.sliceBy ?? []).map((column) => ['slice_by', column] as const),
  ] as const)
    if (name !== undefined) checkColumn(name, option, all, mistakes);
}

export function checkColumn(name: string, option: string, all: { name: string }[], mistakes: string[]): void {
  if (all.some((column) => column.name === name)) return;
  mistakes.push(
    `${option}: there is no column "${name}" (there are ${all
      .map((column) => `"${column.name}"`)
      .slice(0, 20)
      .join(', ')})`,
  );
}

/** Whether the key of the catalog says that no two rows have the same key of the stream. */
export function isUnique({ key, types }: StreamConfig, catalog: readonly string[]): boolean {
  return (
    catalog.length > 0 &&
    catalog.every((name) => (key ?? catalog).includes(name) && !Object.hasOwn(types, name))
  );
}

/** Throws one ConfigError with all mistakes; those of the destination's names are added first. `ours` is a name that may begin with _sluice_. */
export function refuseMistakes(
  stream: StreamConfig,
  names: string[],
  mistakes: string[],
  ours?: string,
): void {
  const double = names.find((name, i) => names.indexOf(name) !== i);
  if (double !== undefined) mistakes.push(`two columns would be called "${double}"`);
  if (names.length === 0) mistakes.push('no column is left to read');
  for (const name of names) {
    if (/^_sluice_/i.test(name) && name !== ours)
      mistakes.push(
        `a column is called "${name}", and names with _sluice_ are ours; give it another one with \`rename\``,
      );
  }
  if (mistakes.length > 0) {
    throw new ConfigError(`planning ${stream.name}: ${mistakes.join('; ')}`, {
      code: 'stream.invalid',
      remedy: 'correct the stream in the project, or leave it out by `false` in place of its options',
      details: { mistakes },
    });
  }
}
