/** What was read from a project file, in a form that remembers where each part was written and what came from outside. */
import { type Environment, expand, hasPlaceholder } from './environment.ts';

export type Path = readonly (string | number)[];

/** Position in the file, both from 1. */
export interface Spot {
  line: number;
  column: number;
}

/** Something to report about a part of the tree. */
export interface Finding {
  path: Path;
  message: string;
  /** The mistake is the key itself, not its value. */
  onKey?: boolean;
  /** Only where the path does not tell, for example for the second of two equal keys. */
  spot?: Spot;
}

/** A string that held placeholders. */
interface Filled {
  path: Path;
  text: string;
  values: { value: string; placeholder: string }[];
  written: string;
}

export interface Tree {
  /** Plain data with all placeholders filled in. */
  value: unknown;
  filled: Filled[];
  findings: Finding[];
  /** Where a path, or else the nearest thing around it, was written; undefined when the file has no positions. */
  locate(path: Path, onKey: boolean): Spot | undefined;
  /** The order in which things were written, for files without positions. */
  rank(path: Path): number;
}

/** The tree of a value that a TypeScript or JavaScript file made. */
export function readValue(root: unknown, environment: Environment): Tree {
  const ranks = new Map<string, number>();
  const rank = (path: Path): number =>
    ranks.get(JSON.stringify(path)) ?? (path.length > 0 ? rank(path.slice(0, -1)) : 0);
  const tree: Tree = { value: undefined, filled: [], findings: [], locate: () => undefined, rank };
  const open = new Set<object>();

  const walk = (value: unknown, path: Path): unknown => {
    ranks.set(JSON.stringify(path), ranks.size);
    if (typeof value === 'string') return fill(tree, value, path, environment);
    // Whatever is no plain data is left for the schema to refuse.
    if (!Array.isArray(value) && !isPlainObject(value)) return value;
    if (open.has(value)) {
      tree.findings.push({ path, message: 'contains itself' });
      return undefined;
    }
    open.add(value);
    const copy = Array.isArray(value)
      ? value.map((item: unknown, index) => walk(item, [...path, index]))
      : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]));
    open.delete(value);
    return copy;
  };

  tree.value = walk(root, []);
  return tree;
}

/** Fills the placeholders of a string and notes down that there were some. */
export function fill(tree: Tree, written: string, path: Path, environment: Environment): string {
  if (!hasPlaceholder(written)) return written;
  const { text, values, mistakes } = expand(written, environment);
  tree.findings.push(...mistakes.map((message) => ({ path, message })));
  tree.filled.push({ path, text, values, written });
  return text;
}

/** The part of a tree's value that `path` names. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether `path` is `start` or lies inside of it. */
export function within(path: Path, start: Path): boolean {
  return start.length <= path.length && start.every((step, index) => path[index] === step);
}
