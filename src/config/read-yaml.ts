/** YAML text → {@link Tree}. Reads the nodes itself, for the library's own conversion forgets where things were written. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import type { Environment } from './environment.ts';
import { fill, isPlainObject, type Path, type Spot, type Tree } from './tree.ts';

/** Aliases can make a short file stand for a gigantic one. */
const MOST_NODES = 100_000;

/** The library's messages repeat what they found, which may be a password: these do not. */
const SYNTAX: Partial<Record<string, string>> = {
  BAD_ALIAS: 'a name that starts with * needs quotes',
  BAD_DQ_ESCAPE: 'there is no such escape; in "double quotes" a backslash is written \\\\',
  BAD_INDENT: 'the indentation does not fit, or a bracket is not closed',
  BAD_SCALAR_START: 'text that starts with @, ` or % needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'text with ": " in it needs quotes',
  BLOCK_IN_FLOW: 'inside { } and [ ] everything has to be in brackets as well',
  MISSING_CHAR: 'something is missing here: a closing quote or bracket, a comma, or a space after the colon',
  MULTILINE_IMPLICIT_KEY: 'a name has to be on one line, with a colon after it',
  MULTIPLE_DOCS: 'a second document begins here; a project is one document',
  TAB_AS_INDENT: 'tabs cannot indent; use spaces',
  TAG_RESOLVE_FAILED:
    'tags such as !secret have no meaning here; "${NAME}" takes a value from the environment',
  UNEXPECTED_TOKEN: 'this does not belong here; is a quote, a comma or a colon missing?',
};

export function readYaml(text: string, environment: Environment): Tree {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Not lower: it would let a second document pass.
    logLevel: 'error',
    // Found below, with its path and without ending the search for other mistakes.
    uniqueKeys: false,
  });
  const spotOf = (offset: number): Spot => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const syntax = syntaxMistakes(document, text);
  if (syntax.length > 0) {
    const findings = syntax.map(({ offset, message }) => ({ path: [], message, spot: spotOf(offset) }));
    return { value: undefined, filled: [], findings, locate: () => undefined, rank: () => 0 };
  }
  return new Reader(document, environment, spotOf).tree;
}

function syntaxMistakes(document: Document.Parsed, text: string): { offset: number; message: string }[] {
  const errors = [...document.errors, ...document.warnings];
  // After the first thing that it cannot place, the parser complains of all that follows.
  const aliases = errors.filter(({ code }) => code === 'BAD_ALIAS');
  const telling = aliases.length > 0 ? aliases : errors.filter(({ code }) => code !== 'UNEXPECTED_TOKEN');
  return (telling.length > 0 ? telling : errors.slice(0, 1)).map(({ code, pos: [offset] }) => {
    const bare = code === 'UNEXPECTED_TOKEN' && text.slice(offset - 1, offset + 1) === '${';
    const message = bare ? 'inside { } and [ ] a placeholder needs quotes: "${NAME}"' : SYNTAX[code];
    return { offset, message: message ?? 'this is not valid YAML' };
  });
}

interface Offsets {
  key: number | undefined;
  value: number | undefined;
}

class Reader {
  readonly tree: Tree;
  readonly #targets: ReadonlyMap<Alias, Node | undefined>;
  readonly #environment: Environment;
  readonly #spotOf: (offset: number) => Spot;
  readonly #offsets = new Map<string, Offsets>();
  /** Nodes that the one at hand is part of. */
  readonly #open = new Set<Node>();
  #nodes = 0;

  constructor(document: Document.Parsed, environment: Environment, spotOf: (offset: number) => Spot) {
    this.#targets = aliasTargets(document);
    this.#environment = environment;
    this.#spotOf = spotOf;
    this.tree = {
      value: undefined,
      filled: [],
      findings: [],
      locate: (path, onKey) => this.#locate(path, onKey),
      rank: () => 0,
    };
    this.tree.value = this.#read(document.contents, [], undefined);
    if (this.tree.value === null) {
      this.tree.findings.push({ path: [], message: 'the file is empty', spot: { line: 1, column: 1 } });
    }
  }

  #read(node: Node | null | undefined, path: Path, key: number | undefined): unknown {
    this.#offsets.set(JSON.stringify(path), { key, value: node?.range?.[0] });
    if (node == null) return null;
    if (++this.#nodes > MOST_NODES) {
      // Once is enough: it would be said for each of the thousands of copies.
      if (this.#nodes === MOST_NODES + 1)
        this.tree.findings.push({ path, message: 'the aliases of this file make it too large' });
      return null;
    }
    if (isScalar(node)) {
      return typeof node.value === 'string'
        ? fill(this.tree, node.value, path, this.#environment)
        : node.value;
    }
    if (isAlias(node)) return this.#readAlias(this.#targets.get(node), path, key);
    if (this.#open.has(node)) {
      this.tree.findings.push({ path, message: 'contains itself' });
      return null;
    }
    this.#open.add(node);
    const value = isMap(node)
      ? this.#readMap(node, path)
      : isSeq(node)
        ? this.#readItems(node.items as Node[], path)
        : null;
    this.#open.delete(node);
    return value;
  }

  #readAlias(target: Node | undefined, path: Path, key: number | undefined): unknown {
    if (target) return this.#read(target, path, key);
    this.tree.findings.push({ path, message: 'there is no anchor of this name above' });
    return null;
  }

  #readItems(items: readonly Node[], path: Path): unknown[] {
    return items.map((item, index) => this.#read(item, [...path, index], undefined));
  }

  #readMap(map: YAMLMap, path: Path): Record<string, unknown> {
    const pairs = map.items as Pair<Node, Node | null>[];
    const own = this.#offsets.get(JSON.stringify(path));
    const value: Record<string, unknown> = {};
    // What is merged in comes first, so that the map's own entries go over it.
    for (const pair of pairs)
      if (keyText(pair.key) === '<<') Object.assign(value, this.#readMerge(pair.value, path));
    if (own) this.#offsets.set(JSON.stringify(path), own);

    const seen = new Map<string, number>();
    for (const pair of pairs) {
      const key = keyText(pair.key);
      const offset = pair.key.range?.[0] ?? 0;
      if (key === '<<') continue;
      if (key === undefined || key === '__proto__') {
        this.tree.findings.push({ path, message: 'a name has to be plain text', spot: this.#spotOf(offset) });
        continue;
      }
      const first = seen.get(key);
      if (first !== undefined) {
        const { line, column } = this.#spotOf(first);
        const message = `is written twice; the first is at ${line}:${column}`;
        this.tree.findings.push({ path: [...path, key], message, spot: this.#spotOf(offset) });
        continue;
      }
      seen.set(key, offset);
      value[key] = this.#read(pair.value, [...path, key], offset);
    }
    return value;
  }

  /** `<<: *shared` or `<<: [*one, *two]`; of two, the first wins. */
  #readMerge(node: Node | null, path: Path): Record<string, unknown> {
    const target = isAlias(node) ? this.#targets.get(node) : node;
    const parts = isSeq(target) ? (target.items as Node[]).toReversed() : [target];
    const merged: Record<string, unknown> = {};
    for (const part of parts) {
      const value = this.#read(part, path, undefined);
      if (isPlainObject(value)) Object.assign(merged, value);
      else this.tree.findings.push({ path, message: '"<<" takes the entries of a map, written "<<: *name"' });
    }
    return merged;
  }

  #locate(path: Path, onKey: boolean): Spot | undefined {
    for (let length = path.length; length >= 0; length--) {
      const offsets = this.#offsets.get(JSON.stringify(path.slice(0, length)));
      if (!offsets) continue;
      const whole = length === path.length;
      const offset = whole && onKey ? (offsets.key ?? offsets.value) : (offsets.value ?? offsets.key);
      if (offset !== undefined) return this.#spotOf(offset);
    }
    return undefined;
  }
}

/** An alias stands for the anchor of its name that was written last before it. */
function aliasTargets(document: Document.Parsed): Map<Alias, Node | undefined> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node | undefined>();
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) targets.set(node, anchors.get(node.source));
      else if (node.anchor) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

function keyText(key: Node): string | undefined {
  if (!isScalar(key)) return undefined;
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}
