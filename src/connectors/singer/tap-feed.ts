/** Runs a tap once for each stream, and keeps what it brings. */
import path from 'node:path';
import type { ConnectorContext } from '../../core/connector.ts';
import { ConfigError } from '../../core/errors.ts';
import type { SourceFacts, SurveyNote } from '../../core/source.ts';
import type { Checkpoint, StreamConfig } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import type { FieldForm } from '../shared/text/records.ts';
import type { Fetched, FeedStream, FetchRequest, RecordFeed, Shape } from '../shared/records/feed.ts';
import { type Catalog, type CatalogEntry, selectStream } from './catalog.ts';
import { arraysOf, typesOf } from './json-schema.ts';
import type { SingerOptions } from './options.ts';
import { formOf, parsePosition, type Position } from './position.ts';
import { Tap } from './tap.ts';
import { readTap } from './read-tap.ts';
import { Turns } from './turns.ts';

export class TapFeed implements RecordFeed {
  /** Without a catalog. */
  readonly unlisted: boolean;
  readonly #options: SingerOptions;
  readonly #tap: Tap;
  readonly #turns: Turns;
  #catalog: Promise<Catalog | undefined> | undefined;

  constructor(options: SingerOptions, context: ConnectorContext) {
    this.#options = options;
    this.unlisted = !options.discover && options.catalog === undefined;
    this.#tap = new Tap(options, context);
    this.#turns = new Turns(options.concurrency);
  }

  async check(signal: AbortSignal): Promise<SourceFacts> {
    const catalog = await this.#catalogNow(signal);
    const program = path.basename(this.#options.command[0]!);
    const title = catalog
      ? `Singer tap ${program}, streams: ${catalog.entries.length}`
      : `Singer tap ${program}`;
    return { title, warnings: [] };
  }

  async streams(signal: AbortSignal): Promise<FeedStream[]> {
    const catalog = await this.#catalogNow(signal);
    if (!catalog)
      throw new ConfigError('listing the streams of a tap: it has no catalog, as `discover: false` says', {
        code: 'singer.no_catalog',
        remedy: 'name the streams in the pipeline, as the messages of the tap do',
      });
    return catalog.entries.map(streamOf);
  }

  async fetch(request: FetchRequest): Promise<Fetched> {
    const { stream, signal } = request;
    const catalog = await this.#catalogNow(signal);
    const entry = catalog?.entries.find(({ id }) => id === stream.name);
    if (catalog && !entry) throw noStream(stream.name, catalog);
    const before = positionOf(stream, request.checkpoint);
    return this.#turns.take(signal, async () => {
      const files = {
        state: before.state,
        catalog: catalog && selectStream(catalog, stream, this.#options.metadata ?? {}),
      };
      const shape: Shape = {
        key: entry?.key ?? [],
        config: { format: 'json' },
        window: before.state === undefined ? 'all' : 'from the state of the tap',
        asked: this.#tap.shown(files),
      };
      const started = performance.now();
      const job = { ...request, shape, entry, extracted: this.#options.extracted_at, before };
      const read = await this.#tap.run(
        `fetching ${stream.name}`,
        { files, log: stream.name, signal },
        (tap) => readTap(tap, job),
      );
      const { key = shape.key, types, position, problem, version, cut } = read;
      return {
        ...shape,
        key,
        types,
        position,
        seconds: (performance.now() - started) / 1000,
        problem,
        notes: [...read.notes, ...olderRows(stream, before, version)],
        ...(cut && { window: `${shape.window}, of which the first records were looked at` }),
      };
    });
  }

  /** Who replaces all is brought all, and columns are chosen by the tap. */
  asksBy({ load, columns }: StreamConfig): unknown {
    return [load === 'replace', columns];
  }

  form(type: LogicalType): FieldForm | undefined {
    return formOf(type);
  }

  async close(): Promise<void> {}

  /** Asked for once. */
  #catalogNow(signal: AbortSignal): Promise<Catalog | undefined> {
    this.#catalog ??= this.#tap.catalog(signal).catch((error: unknown) => {
      this.#catalog = undefined;
      throw error;
    });
    return this.#catalog;
  }
}

/** What takes the place of everything needs everything. */
function positionOf({ load }: StreamConfig, checkpoint: Checkpoint | undefined): Position {
  return load === 'replace' || !checkpoint ? {} : parsePosition(checkpoint);
}

/** Rows of older versions are gone where the tap reads from. */
function olderRows({ load }: StreamConfig, before: Position, version: number | undefined): SurveyNote[] {
  if (
    load === 'replace' ||
    version === undefined ||
    before.version === undefined ||
    before.version === version
  )
    return [];
  return [
    {
      code: 'singer.older_rows',
      message: `the tap has brought all rows anew, and says that those of its version ${before.version} are gone; they stay`,
      remedy: 'a stream that the tap brings as a whole is best loaded with `load: replace`',
    },
  ];
}

function noStream(name: string, { entries }: Catalog): ConfigError {
  return new ConfigError(`fetching ${name}: the tap has no such stream`, {
    code: 'stream.invalid',
    remedy: `its catalog has ${entries.map(({ id }) => id).join(', ') || 'none'}`,
  });
}

function fieldsOf(types: ReturnType<typeof typesOf>): { name: string; type: LogicalType }[] {
  return [...types].map(([name, type]) => ({ name, type: type ?? { kind: 'json' } }));
}

function streamOf({ id, key, schema, replicationKeys, method }: CatalogEntry): FeedStream {
  const types = typesOf(schema);
  return {
    name: id,
    key,
    fields: fieldsOf(types),
    arrays: arraysOf(schema).map(({ path: way, types: own }) => ({ path: way, fields: fieldsOf(own) })),
    cursors: replicationKeys,
    proposal: {
      load:
        method === 'FULL_TABLE' || (key.length === 0 && replicationKeys.length === 0)
          ? 'replace'
          : key.length > 0
            ? 'merge'
            : 'append',
    },
    notes: method === undefined ? undefined : [`replication method ${method}`],
  };
}
