/** What a tap has, as it says itself, and what it is asked for. */
import { ConfigError } from '../../core/errors.ts';
import type { StreamConfig } from '../../core/stream.ts';

type Json = Record<string, unknown>;

export interface Catalog {
  entries: readonly CatalogEntry[];
}

export interface CatalogEntry {
  /** How a project calls the stream. */
  id: string;
  /** How messages may call it. */
  names: readonly string[];
  schema: unknown;
  key: readonly string[];
  /** Columns that could be asked by, and the one that is. */
  replicationKeys: readonly string[];
  method: string | undefined;
  /** As the tap has written it. */
  own: Json;
}

export function parseCatalog(text: string, from: string): Catalog {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw notCatalog(from, 'is no JSON');
  }
  const streams = objectOf(found)['streams'];
  if (!Array.isArray(streams)) throw notCatalog(from, 'has no list `streams`');
  return { entries: streams.map((each) => entryOf(objectOf(each), from)) };
}

function notCatalog(from: string, found: string): ConfigError {
  return new ConfigError(`reading the catalog of a tap: ${from} ${found}`, {
    code: 'singer.catalog',
    remedy: 'a catalog is what `<tap> --discover` prints: {"streams": […]}',
  });
}

function entryOf(own: Json, from: string): CatalogEntry {
  const id = own['tap_stream_id'] ?? own['stream'];
  if (typeof id !== 'string' || id === '') throw notCatalog(from, 'has a stream without `tap_stream_id`');
  const { stream, stream_alias: alias } = own;
  const names = [id, stream, alias].filter((name) => typeof name === 'string');
  const about = metadataOf(own, []);
  const key =
    textsOf(own['key_properties']) ??
    textsOf(about['table-key-properties']) ??
    textsOf(about['view-key-properties']);
  const asked = own['replication_key'] ?? about['replication-key'];
  const valid = textsOf(about['valid-replication-keys']) ?? [];
  const method =
    own['replication_method'] ?? about['replication-method'] ?? about['forced-replication-method'];
  return {
    id,
    names: [...new Set(names)],
    schema: own['schema'],
    key: key ?? [],
    replicationKeys: [...new Set([...(typeof asked === 'string' ? [asked] : []), ...valid])],
    method: typeof method === 'string' ? method : undefined,
    own,
  };
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function textsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string')
    ? value
    : undefined;
}

interface Metadata {
  breadcrumb: string[];
  metadata: Json;
}

function listOf(own: Json): Metadata[] {
  const list = Array.isArray(own['metadata']) ? own['metadata'] : [];
  return list.map((each) => {
    const { breadcrumb, metadata } = objectOf(each);
    return {
      breadcrumb: Array.isArray(breadcrumb) ? (breadcrumb as string[]) : [],
      metadata: objectOf(metadata),
    };
  });
}

function metadataOf(own: Json, breadcrumb: readonly string[]): Json {
  return listOf(own).find((each) => each.breadcrumb.join('\0') === breadcrumb.join('\0'))?.metadata ?? {};
}

/** The catalog that asks for one stream, and for nothing else; `metadata` is what the project says of streams. */
export function selectStream(
  { entries }: Catalog,
  stream: StreamConfig,
  metadata: Readonly<Record<string, Json>>,
): string {
  const streams = entries.map((entry) =>
    selected(entry, { stream, wanted: entry.id === stream.name, more: metadata[entry.id] }),
  );
  return JSON.stringify({ streams });
}

interface Selection {
  stream: StreamConfig;
  wanted: boolean;
  more: Json | undefined;
}

/** Taps look for it in three places, the oldest ones in the schema. */
function selected({ own, schema }: CatalogEntry, { stream, wanted, more = {} }: Selection): Json {
  const before = metadataOf(own, []);
  const about: Json = { ...before, ...(wanted && methodOf(stream, before)), selected: wanted, ...more };
  const noted = listOf(own).filter(({ breadcrumb }) => breadcrumb.length > 0);
  const known = new Set(noted.map(({ breadcrumb }) => breadcrumb.join('\0')));
  const unnoted = Object.keys(objectOf(objectOf(schema)['properties']))
    .filter((name) => !known.has(`properties\0${name}`))
    .map((name): Metadata => ({ breadcrumb: ['properties', name], metadata: {} }));
  const columns = columnsOf(stream);
  const metadata = [...noted, ...unnoted].map((each) => (wanted ? withColumn(each, columns) : each));
  return {
    ...own,
    ...(wanted && {
      replication_method: about['replication-method'] ?? own['replication_method'],
      replication_key: about['replication-key'] ?? own['replication_key'],
    }),
    selected: about['selected'],
    schema: { ...objectOf(schema), selected: about['selected'] },
    metadata: [{ breadcrumb: [], metadata: about }, ...metadata],
  };
}

/** Who replaces a table wants all of it. */
function methodOf({ load, cursor }: StreamConfig, before: Json): Json {
  if (load !== 'replace')
    return cursor.length > 0 ? { 'replication-method': 'INCREMENTAL', 'replication-key': cursor[0] } : {};
  const method = before['replication-method'] ?? before['forced-replication-method'];
  return method === undefined ? { 'replication-method': 'FULL_TABLE' } : {};
}

/** Whether a column is wanted; undefined: as the tap thinks. */
function columnsOf({ columns }: StreamConfig): (name: string) => boolean | undefined {
  const { include, exclude = [] } = columns ?? {};
  return (name) => (exclude.includes(name) ? false : include ? include.includes(name) : undefined);
}

function withColumn(
  { breadcrumb, metadata }: Metadata,
  wanted: (name: string) => boolean | undefined,
): Metadata {
  const [kind, name] = breadcrumb;
  const { inclusion } = metadata;
  if (kind !== 'properties' || breadcrumb.length !== 2 || inclusion === 'unsupported')
    return { breadcrumb, metadata };
  const usual = metadata['selected'] ?? metadata['selected-by-default'] ?? true;
  const selected = inclusion === 'automatic' ? true : (wanted(name!) ?? usual);
  return { breadcrumb, metadata: { ...metadata, selected } };
}
