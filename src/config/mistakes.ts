/** Findings → the one error that tells all of them. */
import { isAbsolute, relative } from 'node:path';
import { ConfigError } from '../core/errors.ts';
import { redactUrl } from '../core/redact.ts';
import { type Finding, type Path, type Tree, valueAt, within } from './tree.ts';

/** One entry of `details.mistakes`. Line and column start at 1; a TypeScript file has none. */
export interface Mistake {
  file: string;
  line: number | undefined;
  column: number | undefined;
  /** `pipelines.shop_to_lake.streams.public.orders.load`; empty for the file as a whole. */
  path: string;
  message: string;
}

interface Located {
  mistake: Mistake;
  steps: Path;
}

/** `secrets` are the paths of options that must not be repeated. */
export function invalidProject(
  file: string,
  tree: Tree,
  findings: readonly Finding[],
  secrets: readonly Path[],
): ConfigError {
  const hidden = hiddenValues(tree, secrets);
  // What is wrong with the environment explains whatever else is wrong at the same place.
  const explained = new Set(tree.findings.map(({ path }) => JSON.stringify(path)));
  const others = findings.filter(({ path }) => !explained.has(JSON.stringify(path)));
  // What reading found says nothing of values; the checks may.
  const told = [
    ...tree.findings,
    ...others.map((item) => ({ ...item, message: conceal(item.message, item.path, hidden) })),
  ];
  const located = told.map(({ path, message, onKey, spot }): Located => {
    const { line, column } = spot ?? tree.locate(path, onKey ?? false) ?? {};
    return { mistake: { file, line, column, path: pathText(path), message }, steps: path };
  });
  const order = (a: Located, b: Located): number =>
    (a.mistake.line ?? 0) - (b.mistake.line ?? 0) ||
    (a.mistake.column ?? 0) - (b.mistake.column ?? 0) ||
    tree.rank(a.steps) - tree.rank(b.steps);
  const unique = new Map(located.toSorted(order).map((item) => [JSON.stringify(item.mistake), item]));
  const mistakes = [...unique.values()];
  return new ConfigError(render(file, mistakes), {
    code: 'config.invalid',
    details: { file, mistakes: mistakes.map(({ mistake }) => mistake) },
  });
}

/** `sluice.yaml has 2 mistakes:` and a line for each. */
function render(file: string, mistakes: readonly Located[]): string {
  const spots = mistakes.map(({ mistake: { line, column } }) =>
    line === undefined ? '' : `${line}:${column}`,
  );
  const width = Math.max(...spots.map((spot) => spot.length));
  const lines = mistakes.map(({ steps, mistake: { message } }, index) => {
    const path = shortPath(steps, mistakes[index - 1]?.steps);
    return `  ${width > 0 ? `${(spots[index] ?? '').padEnd(width)}  ` : ''}${path === '' ? '' : `${path}: `}${message}`;
  });
  const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
  return `${displayName(file)} has ${count}:\n${lines.join('\n')}`;
}

/** A path that goes on where the one above it was is not spelt out again. */
function shortPath(path: Path, before: Path | undefined): string {
  const shared = before?.slice(0, -1) ?? [];
  const goesOn = shared.length >= 2 && path.length > shared.length && within(path, shared);
  return goesOn ? `…${pathText(path.slice(shared.length))}` : pathText(path);
}

function pathText(path: Path): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${step}`))
    .join('');
}

/** Relative to where the user is, when it is below. */
export function displayName(file: string): string {
  const near = relative(process.cwd(), file);
  return near === '' || near.startsWith('..') || isAbsolute(near) ? file : near;
}

interface Hidden {
  path: Path;
  value: string;
  shown: string;
}

/** Values that came from the environment are shown as they are written in the file, secrets not at all. */
function hiddenValues(tree: Tree, secrets: readonly Path[]): Hidden[] {
  const fromSecrets = secrets.flatMap((path): Hidden[] => {
    const value = valueAt(tree.value, path);
    return typeof value === 'string' || typeof value === 'number'
      ? [{ path, value: String(value), shown: '***' }]
      : [];
  });
  const fromEnvironment = tree.filled.flatMap(({ path, text, written, values }): Hidden[] => [
    { path, value: text, shown: written },
    ...values.map(({ value, placeholder }) => ({ path, value, shown: placeholder })),
  ]);
  const longestFirst = (a: Hidden, b: Hidden): number => b.value.length - a.value.length;
  return [...fromSecrets, ...fromEnvironment].filter(({ value }) => value !== '').toSorted(longestFirst);
}

function conceal(message: string, path: Path, hidden: readonly Hidden[]): string {
  // A connector's check of one option may speak of another option of the same connection.
  const scope = path[0] === 'connections' ? path.slice(0, 2) : path;
  let concealed = message;
  for (const item of hidden) {
    if (!within(item.path, scope) && !within(scope, item.path)) continue;
    // Very short values are part of every other word; on their own they stand in quotes.
    const [value, shown] =
      item.value.length < 3 ? [`"${item.value}"`, `"${item.shown}"`] : [item.value, item.shown];
    // By a function: a replacement text has meanings for $ of its own.
    concealed = concealed.replaceAll(value, () => shown);
  }
  return redactUrl(concealed);
}
