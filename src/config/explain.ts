/** What the schemas refuse, in words for the person who wrote the file. */
import type { z } from 'zod';
import { OWN_OPTIONS } from './schema.ts';
import { hint } from './suggest.ts';
import { type Finding, isPlainObject, type Path, type Tree, valueAt } from './tree.ts';

type Schema<T> = z.ZodType<T>;
type Issue = z.core.$ZodIssue;

export interface Checked<T> {
  /** Undefined when there are findings. */
  data: T | undefined;
  findings: Finding[];
}

/** Checks the part of the tree at `base`; `omit` names a key of it that the schema does not know of. */
export function check<T>(schema: Schema<T>, tree: Tree, base: Path, omit?: string): Checked<T> {
  let flat: FlatIssue[] = [];
  // A second time when the first showed where the schema wants a number and an environment variable gave text.
  for (let attempt = 0; attempt < 2; attempt++) {
    const value = valueAt(tree.value, base);
    const input = omit !== undefined && isPlainObject(value) ? without(value, omit) : value;
    const result = schema.safeParse(input, { error: explain, reportInput: true });
    const unknown = unknownKeys(schema, input);
    if (result.success && unknown.length === 0) return { data: result.data, findings: [] };
    flat = [...(result.error?.issues ?? []).flatMap((issue) => flatten(issue, [])), ...unknown];
    const converted = flat.map((issue) => convertFilled(tree, issue, base));
    if (!converted.includes(true)) break;
  }
  return {
    data: undefined,
    findings: flat.map(({ path, message, onKey }) => ({ path: [...base, ...path], message, onKey })),
  };
}

interface FlatIssue {
  path: Path;
  message: string;
  onKey: boolean;
  expected?: string;
}

/** What comes from the environment is text; numbers and switches are read from it where the schema wants them. */
function convertFilled(tree: Tree, issue: FlatIssue, base: Path): boolean {
  const path = [...base, ...issue.path];
  const filled = tree.filled.find((item) => JSON.stringify(item.path) === JSON.stringify(path));
  const parent = valueAt(tree.value, path.slice(0, -1)) as Record<string | number, unknown> | undefined;
  const key = path.at(-1);
  if (!filled || !parent || key === undefined) return false;
  const value = convert(filled.text.trim(), issue.expected);
  if (value === undefined) return false;
  parent[key] = value;
  return true;
}

function convert(text: string, expected: string | undefined): number | boolean | undefined {
  if (expected === 'number' || expected === 'int')
    return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
  if (expected === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return undefined;
}

/** A connector's schema may be lenient about unknown keys; a project file is not, for they are misspelt options. */
function unknownKeys(schema: Schema<unknown>, value: unknown): FlatIssue[] {
  const { def } = unwrap(schema)._zod as { def: { type: string; shape?: object; catchall?: unknown } };
  if (def.type !== 'object' || def.catchall !== undefined || !isPlainObject(value)) return [];
  const known = Object.keys(def.shape ?? {});
  const extra = Object.keys(value).filter((key) => !known.includes(key));
  return extra.map((key) => ({ path: [key], message: unknownOption(key, known), onKey: true }));
}

/** Paths of the options that the schema marks as secret. */
export function secretPaths(schema: Schema<unknown>, path: Path): Path[] {
  if (schema.meta()?.['secret'] === true || unwrap(schema).meta()?.['secret'] === true) return [path];
  const { def } = unwrap(schema)._zod as { def: { shape?: Record<string, Schema<unknown>> } };
  return Object.entries(def.shape ?? {}).flatMap(([key, inner]) => secretPaths(inner, [...path, key]));
}

/** The schema inside of `.optional()`, `.default()`, `.transform()` and the like. */
function unwrap(schema: Schema<unknown>): Schema<unknown> {
  const { def } = schema._zod as { def: { innerType?: Schema<unknown>; in?: Schema<unknown> } };
  const inner = def.innerType ?? def.in;
  return inner === undefined ? schema : unwrap(inner);
}

function without(value: Record<string, unknown>, key: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
}

function flatten(issue: Issue, base: Path): FlatIssue[] {
  const path = [...base, ...(issue.path as Path)];
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n');
    return issue.keys.map((key, index) => ({
      path: [...path, key],
      message: misplaced(path, key) ?? messages[index] ?? issue.message,
      onKey: true,
    }));
  }
  if (issue.code === 'invalid_key') {
    return [{ path, message: issue.issues[0]?.message ?? issue.message, onKey: true }];
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const meant = meantBranch(issue.errors);
    if (meant) return meant.flatMap((inner) => flatten(inner, path));
    return [
      {
        path,
        message: `expected ${alternatives(issue.errors)}, found ${describe(issue.input)}`,
        onKey: false,
      },
    ];
  }
  const expected = issue.code === 'invalid_type' ? { expected: issue.expected } : {};
  return [{ path, message: issue.message, onKey: false, ...expected }];
}

function misplaced(path: Path, key: string): string | undefined {
  if (path.at(-1) !== 'defaults' || !OWN_OPTIONS.includes(key)) return undefined;
  return 'belongs to one stream, it cannot be a default of all';
}

/** Of the forms that a value may have, the one that it looks like: its kind fits, only its inside does not. */
function meantBranch(branches: readonly Issue[][]): Issue[] | undefined {
  const alike = branches.filter(
    (issues) => !issues.some((issue) => issue.path.length === 0 && isOtherKind(issue)),
  );
  return alike.toSorted((a, b) => a.length - b.length)[0];
}

function isOtherKind(issue: Issue): boolean {
  return (
    issue.code === 'invalid_type' ||
    issue.code === 'invalid_value' ||
    (issue.code === 'custom' && issue.params?.['kind'] !== undefined) ||
    (issue.code === 'invalid_union' && issue.errors.length > 0)
  );
}

function alternatives(branches: readonly Issue[][]): string {
  const forms = branches.flat().flatMap((issue): string[] => {
    if (issue.code === 'invalid_type') return [noun(issue.expected)];
    if (issue.code === 'invalid_value') return issue.values.map((value) => describe(value));
    return [];
  });
  const unique = [...new Set(forms)];
  return unique.length < 2 ? unique.join('') : `${unique.slice(0, -1).join(', ')} or ${unique.at(-1)}`;
}

/** One line for an issue; for unknown keys one line each, in their order. Undefined leaves it to the library. */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  const { input } = issue;
  switch (issue.code) {
    case 'invalid_type':
      return input === undefined ? 'missing' : `expected ${noun(issue.expected)}, found ${describe(input)}`;
    case 'invalid_value':
      return input === undefined ? 'missing' : noneOf(input, issue.values);
    case 'invalid_union':
      // Without inner errors it is the `type` of an object that decides.
      if ((issue.errors ?? []).length > 0) return undefined;
      return explainKind(issue);
    case 'unrecognized_keys': {
      const shape = (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape;
      return (issue.keys ?? []).map((key) => unknownOption(key, Object.keys(shape ?? {}))).join('\n');
    }
    case 'too_small':
    case 'too_big':
      return explainSize(issue.code === 'too_small' ? 'least' : 'most', issue, input);
    default:
      return undefined;
  }
}

function explainKind(issue: z.core.$ZodRawIssue): string | undefined {
  const { discriminator, options, input } = issue as {
    discriminator?: string;
    options?: unknown[];
    input: unknown;
  };
  if (discriminator === undefined || options === undefined) return undefined;
  const found = isPlainObject(input) ? input[discriminator] : undefined;
  return found === undefined ? 'missing' : noneOf(found, options);
}

function explainSize(
  bound: 'least' | 'most',
  issue: z.core.$ZodRawIssue,
  input: unknown,
): string | undefined {
  const { origin, minimum, maximum } = issue as { origin?: string; minimum?: unknown; maximum?: unknown };
  const limit = bound === 'least' ? minimum : maximum;
  if (origin === 'string')
    return limit === 1 ? 'must not be empty' : `must have at ${bound} ${String(limit)} characters`;
  if (origin === 'array') return `needs at ${bound} ${String(limit)} ${limit === 1 ? 'entry' : 'entries'}`;
  return `must be at ${bound} ${String(limit)}, found ${describe(input)}`;
}

function noneOf(found: unknown, values: readonly unknown[]): string {
  const names = values.map(String);
  if (names.length === 1) return `expected ${describe(values[0])}, found ${describe(found)}`;
  const meant = typeof found === 'string' ? hint(found, names) : '';
  const list = `${describe(found)} is none of ${names.join(', ')}`;
  return meant.includes('did you mean') ? `${list}${meant}` : list;
}

function unknownOption(key: string, known: readonly string[]): string {
  return `unknown option${hint(
    key,
    known.filter((name) => name !== key),
  )}`;
}

function noun(expected: string): string {
  const nouns: Partial<Record<string, string>> = {
    string: 'text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    object: 'a map of options',
    record: 'a map',
    array: 'a list',
    null: 'nothing',
  };
  return nouns[expected] ?? expected;
}

/** A value in a message. Never cut short, or a secret in it could no longer be found and hidden. */
function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string')
    return value.length > 80 || /[\n\r]/.test(value) ? `text of ${value.length} characters` : `"${value}"`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : `a ${typeof value}`;
}
