/**
 * Streams of what lies in arrays within the records of another stream: `orders.lines` has the elements of `lines` of each record
 * of `orders`, `orders.lines.taxes` those of `taxes` of each of these. Pure.
 */
import { ConfigError } from '../../../core/errors.ts';
import type { StreamConfig } from '../../../core/stream.ts';
import type { LogicalType } from '../../../core/types.ts';
import type { FeedStream, RecordFeed, Shape } from './feed.ts';

export interface ChildStream {
  /** The stream of the feed whose records have them. */
  parent: string;
  /** Names of the members that lead to the elements. */
  path: readonly string[];
}

/** A field of the parent that its elements get as a column. */
export interface Carried {
  field: string;
  column: string;
}

/** What the elements of one parent are told by, and what else they get of it. */
export interface ChildColumns {
  carried: readonly Carried[];
  /** For each name of the path: the place of an element in its array, from 0. */
  indexes: readonly string[];
  /** Columns of the key that are the parent's: rows that have the same are of one record. */
  group: readonly string[];
}

/** Asks a feed for the names of its streams, once, and only where a name may be that of a child. */
export class ChildStreams {
  readonly #feed: RecordFeed;
  #streams: Promise<FeedStream[]> | undefined;

  constructor(feed: RecordFeed) {
    this.#feed = feed;
  }

  async of(name: string, signal: AbortSignal): Promise<ChildStream | undefined> {
    if (!name.includes('.') || this.#feed.unlisted === true) return undefined;
    return childOf(name, await this.#all(signal));
  }

  /** Of a stream, as far as its source knows it. */
  async keyOf(stream: StreamConfig, signal: AbortSignal): Promise<readonly string[]> {
    if (stream.key || this.#feed.unlisted === true) return [];
    const child = await this.of(stream.name, signal);
    const all = await this.#all(signal);
    const { key = [] } = all.find(({ name }) => name === (child?.parent ?? stream.name)) ?? {};
    return child ? keyOf(childColumns(child, stream, key), key) : key;
  }

  #all(signal: AbortSignal): Promise<FeedStream[]> {
    this.#streams ??= this.#feed.streams(signal).catch((error: unknown) => {
      this.#streams = undefined;
      throw error;
    });
    return this.#streams;
  }
}

/** Undefined: the feed has it itself, or nothing that it could be within. */
export function childOf(name: string, streams: readonly Pick<FeedStream, 'name'>[]): ChildStream | undefined {
  if (streams.some((each) => each.name === name)) return undefined;
  const [parent] = streams
    .filter((each) => name.startsWith(`${each.name}.`))
    .toSorted((a, b) => b.name.length - a.name.length);
  if (!parent) return undefined;
  const path = partsOf(name.slice(parent.name.length + 1));
  return path.includes('') ? undefined : { parent: parent.name, path };
}

/** The name under which a project has it; the opposite of {@link childOf}. */
export function childName({ parent, path }: ChildStream): string {
  return [
    parent,
    ...path.map((part) => (/["*.]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part)),
  ].join('.');
}

function partsOf(text: string): string[] {
  const parts = [...text.matchAll(/(?:^|\.)(?:"((?:[^"]|"")*)"|([^".]*))/g)];
  return parts.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!);
}

/** How its columns begin that come from the parent. */
function prefixOf({ parent }: ChildStream): string {
  return `${parent.replace(/[^\p{L}\p{N}_]+/gu, '_')}_`;
}

/** Names of arrays that lie in one of the same name tell the way to it. */
function indexesOf({ path }: ChildStream): string[] {
  return path.map((part, level) =>
    path.indexOf(part) === level ? `${part}_index` : `${path.slice(0, level + 1).join('_')}_index`,
  );
}

/** `key`: of the parent, where it is known. */
export function childColumns(child: ChildStream, stream: StreamConfig, key: readonly string[]): ChildColumns {
  const prefix = prefixOf(child);
  const indexes = indexesOf(child);
  const own = stream.key ?? key.map((field) => prefix + field);
  const named = [...own, ...stream.cursor, ...(stream.partitionBy ? [stream.partitionBy.column] : [])];
  const columns = new Set([...key.map((field) => prefix + field), ...named]);
  const carried = [...columns]
    .filter((column) => column.startsWith(prefix) && column !== prefix && !indexes.includes(column))
    .map((column) => ({ field: column.slice(prefix.length), column }));
  const group = own.filter((column) => carried.some((each) => each.column === column));
  return { carried, indexes, group };
}

/** Without a key of the parent there is none. */
function keyOf({ group, indexes }: ChildColumns, key: readonly string[]): string[] {
  return key.length > 0 ? [...group, ...indexes] : [];
}

/** What the parent's feed is asked for, so that it brings what the child needs. */
export function parentConfig(child: ChildStream, stream: StreamConfig): StreamConfig {
  const prefix = prefixOf(child);
  const wrong = stream.cursor.find((column) => !column.startsWith(prefix));
  if (wrong !== undefined)
    throw new ConfigError(`planning ${stream.name}: cursor: "${wrong}" is no column of ${child.parent}`, {
      code: 'stream.invalid',
      remedy: `records come with their parents: write ${prefix}${wrong} for its field "${wrong}"`,
    });
  const { name: _, columns: __, key, rules: ___, ...asked } = stream;
  const indexes = indexesOf(child);
  const own = key?.filter((column) => column.startsWith(prefix) && !indexes.includes(column));
  return {
    ...asked,
    ...(own && own.length > 0 && { key: own.map((column) => column.slice(prefix.length)) }),
    name: child.parent,
    cursor: stream.cursor.map((column) => column.slice(prefix.length)),
    rename: {},
    types: {},
  };
}

/** `shape`: of the parent's records. */
export function childShape(child: ChildStream, stream: StreamConfig, shape: Shape): Shape {
  const columns = childColumns(child, stream, shape.key);
  const { carried, indexes, group } = columns;
  const { types = {} } = shape;
  const known = carried.filter(({ field }) => Object.hasOwn(types, field));
  if (shape.config?.format === 'csv')
    throw new ConfigError(`planning ${stream.name}: records of CSV have no arrays in them`, {
      code: 'stream.invalid',
      remedy: 'name the stream as the source calls it',
    });
  refuseStrategy(child, stream, group);
  return {
    key: stream.key ?? keyOf(columns, shape.key),
    group,
    config: shape.config,
    types: Object.fromEntries<LogicalType>([
      ...known.map(({ field, column }) => [column, types[field]!] as const),
      ...indexes.map((column) => [column, { kind: 'int64' }] as const),
    ]),
    window: shape.window,
    asked: `${shape.asked}, of each record ${child.path.join('.')}`,
  };
}

/** What comes again takes the place of what its parent had. */
function refuseStrategy(child: ChildStream, { name, load }: StreamConfig, group: readonly string[]): void {
  const prefix = prefixOf(child);
  if (load === 'scd2')
    throw new ConfigError(`planning ${name}: elements of records have no versions of their own`, {
      code: 'stream.strategy',
      remedy: 'load them with merge, replace or append',
    });
  if (load !== 'merge' || group.length > 0) return;
  throw new ConfigError(
    `planning ${name}: load: merge needs the key of ${child.parent}, and nobody says it`,
    {
      code: 'stream.strategy',
      remedy: `name the key where the source is described, or here: key: [${prefix}id, ${indexesOf(child).join(', ')}] for its field "id"; without one load it with replace`,
    },
  );
}
