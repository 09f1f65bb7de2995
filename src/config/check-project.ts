/**
 * A tree that was read from a file → a project, or the one error with everything that is wrong. Each check looks at what
 * is there and leaves the rest alone, so that a mistake in one place hides none in another.
 */
import type { Connector } from '../core/connector.ts';
import type { ConnectionConfig, Project, StreamOptions } from '../core/project.ts';
import { check, secretPaths } from './explain.ts';
import { invalidProject } from './mistakes.ts';
import { projectSchema } from './schema.ts';
import { clashes, gaps, mergeOptions } from './stream-options.ts';
import { isWildcard, nameMistake } from './stream-name.ts';
import { hint } from './suggest.ts';
import { type Finding, isPlainObject, type Path, type Tree, valueAt } from './tree.ts';

export interface ProjectFile {
  /** Absolute path. */
  file: string;
  /** Absolute path of the folder that relative paths start from. */
  directory: string;
  connectors: ReadonlyMap<string, Connector>;
}

export function checkProject(tree: Tree, { file, directory, connectors }: ProjectFile): Project {
  const shape = check(projectSchema, tree, []);
  const findings = [...shape.findings];
  const secrets: Path[] = [
    ['alerts', 'webhook'],
    ['alerts', 'webhook', 'url'],
  ];
  const connections: Record<string, ConnectionConfig> = {};
  for (const [name, type] of connectionTypes(tree)) {
    const connector = connectors.get(type);
    const path = ['connections', name];
    if (!connector) {
      const known = [...connectors.keys()];
      findings.push({
        path: [...path, 'type'],
        message: `"${type}" is no kind of system that sluice knows${hint(type, known)}`,
      });
      continue;
    }
    secrets.push(...secretPaths(connector.options, path));
    const options = check(connector.options, tree, path, 'type');
    findings.push(...options.findings);
    connections[name] = { type, ...(options.data as object | undefined) };
  }
  findings.push(
    ...checkReferences(tree, connectors),
    ...checkStreams(tree),
    ...checkDestinations(tree, connectors),
  );
  if (tree.findings.length > 0 || findings.length > 0 || !shape.data)
    throw invalidProject(file, tree, findings, secrets);
  const { pipelines, state, memory, batch_bytes: batchBytes, alerts, metrics } = shape.data;
  return {
    directory,
    connections,
    pipelines,
    state,
    memoryBytes: memory,
    ...(batchBytes !== undefined && { batchBytes }),
    ...(alerts && { alerts }),
    ...(metrics && { metrics }),
  };
}

/** Connections that say what they are; for the others the schema has complained. */
function connectionTypes(tree: Tree): [name: string, type: string][] {
  return mapAt(tree, ['connections']).flatMap(([name, connection]): [string, string][] =>
    isPlainObject(connection) && typeof connection['type'] === 'string' && connection['type'] !== ''
      ? [[name, connection['type']]]
      : [],
  );
}

/** Pipelines and the state store name connections; do they exist, and can they do what is wanted of them? */
function checkReferences(tree: Tree, connectors: ReadonlyMap<string, Connector>): Finding[] {
  const findings: Finding[] = [];
  const types = new Map(connectionTypes(tree));
  const names = mapAt(tree, ['connections']).map(([name]) => name);

  const refer = (path: Path, wanted: (connector: Connector) => string | undefined): void => {
    const name = valueAt(tree.value, path);
    if (typeof name !== 'string' || name === '') return;
    if (!names.includes(name)) {
      findings.push({ path, message: `there is no connection "${name}"${hint(name, names)}` });
      return;
    }
    const connector = connectors.get(types.get(name) ?? '');
    const problem = connector && wanted(connector);
    if (problem !== undefined)
      findings.push({ path, message: `"${name}" is of type ${connector?.name}, ${problem}` });
  };

  for (const [name] of mapAt(tree, ['pipelines'])) {
    const path = ['pipelines', name];
    refer([...path, 'from'], ({ capabilities }) =>
      capabilities.source ? undefined : 'from which sluice cannot read',
    );
    refer([...path, 'to'], ({ capabilities }) =>
      capabilities.destination ? undefined : 'to which sluice cannot write',
    );
  }
  refer(['state', 'connection'], (connector) =>
    connector.name === 'lake' ? undefined : 'only a lake can keep the state',
  );
  return findings;
}

/** Options that ask for something that not every destination can do. */
const ASKED: readonly {
  option: 'load' | 'export';
  asks: (options: StreamOptions) => boolean;
  able: (capabilities: Connector['capabilities']) => boolean;
  needs: string;
}[] = [
  {
    option: 'load',
    asks: ({ load }) => load === 'scd2',
    able: ({ versions }) => versions === true,
    needs: '"scd2" needs a destination that keeps versions of rows',
  },
  {
    option: 'export',
    asks: (options) => options.export !== undefined,
    able: ({ exports }) => exports === true,
    needs: 'needs a destination that writes files',
  },
];

function checkDestinations(tree: Tree, connectors: ReadonlyMap<string, Connector>): Finding[] {
  const types = new Map(connectionTypes(tree));
  return mapAt(tree, ['pipelines']).flatMap(([pipeline]) => {
    const path = ['pipelines', pipeline];
    const name = String(valueAt(tree.value, [...path, 'to']));
    const to = connectors.get(types.get(name) ?? '');
    if (!to) return [];
    const places = [
      [...path, 'defaults'],
      ...mapAt(tree, [...path, 'streams']).map(([stream]) => [...path, 'streams', stream]),
    ];
    return ASKED.flatMap(({ option, asks, able, needs }) => {
      if (able(to.capabilities)) return [];
      const list = [...connectors.values()]
        .filter((each) => able(each.capabilities))
        .map((each) => each.name);
      return places
        .filter((place) => asks(optionsAt(tree, place)))
        .map((place) => ({
          path: [...place, option],
          message: `${needs} (${list.join(', ')}), and "${name}" is of type ${to.name}`,
        }));
    });
  });
}

function checkStreams(tree: Tree): Finding[] {
  return mapAt(tree, ['pipelines']).flatMap(([pipeline]) => {
    const path = ['pipelines', pipeline];
    const defaults = optionsAt(tree, [...path, 'defaults']);
    const ofDefaults = clashes(defaults).map(({ option, message }): Finding => ({
      path: [...path, 'defaults', option],
      message,
      onKey: true,
    }));
    const streams = mapAt(tree, [...path, 'streams']);
    return [
      ...ofDefaults,
      ...streams.flatMap(([name]) => checkStream(tree, [...path, 'streams', name], name, defaults)),
    ];
  });
}

function checkStream(tree: Tree, path: Path, name: string, defaults: StreamOptions): Finding[] {
  const findings: Finding[] = [];
  const problem = nameMistake(name);
  if (problem !== undefined) findings.push({ path, message: problem, onKey: true });
  const own = optionsAt(tree, path);
  if (isWildcard(name)) {
    for (const option of ['sql', 'table'] as const) {
      if (own[option] === undefined) continue;
      findings.push({
        path: [...path, option],
        message: 'belongs to one stream, but the name has a *',
        onKey: true,
      });
    }
  }
  for (const { option, message } of [...clashes(own), ...gaps(own, mergeOptions(defaults, own))]) {
    // What only the defaults say is reported where the stream begins.
    const at = own[option] === undefined ? path : [...path, option];
    findings.push({
      path: at,
      message: own[option] === undefined ? `${option}: ${message}` : message,
      onKey: true,
    });
  }
  return findings;
}

/** Entries of a map in the tree; none when there is something else. */
function mapAt(tree: Tree, path: Path): [string, unknown][] {
  const value = valueAt(tree.value, path);
  return isPlainObject(value) ? Object.entries(value) : [];
}

/** Stream options as written: only which of them are there may be relied on. */
function optionsAt(tree: Tree, path: Path): StreamOptions {
  const entries = mapAt(tree, path).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries);
}
