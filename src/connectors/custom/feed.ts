/** Records that code of the project yields, into the spool. */
import { ConfigError, DataError, SluiceError, throwIfAborted, TransientError } from '../../core/errors.ts';
import type { SourceFacts } from '../../core/source.ts';
import { type LogicalType, parseType } from '../../core/types.ts';
import { exactNumber } from '../shared/records/exact-json.ts';
import type { Fetched, FeedStream, FetchRequest, RecordFeed, Shape } from '../shared/records/feed.ts';
import type { Spool, SpoolWriter } from '../shared/records/spool.ts';
import type { Tally } from '../shared/records/tally.ts';
import type { CustomOptions, CustomStream, Yielded } from './options.ts';

const DOCUMENT_BYTES = 4 << 20;
const PREVIEWED = 1000;
const LINE_FEED: Uint8Array = Buffer.from('\n');

export class CustomFeed implements RecordFeed {
  readonly #options: CustomOptions;
  readonly #name: string;

  constructor(options: CustomOptions, name: string) {
    this.#options = options;
    this.#name = name;
  }

  async check(): Promise<SourceFacts> {
    return { title: this.#options.title ?? `code of the project, "${this.#name}"`, warnings: [] };
  }

  async streams(): Promise<FeedStream[]> {
    return Object.entries(this.#options.streams).map(([name, stream]) => {
      const key = keyOf(stream);
      return { name, key, proposal: { load: key.length > 0 ? 'merge' : 'replace' } };
    });
  }

  async fetch({ stream, checkpoint, spool, preview, early, tally, signal }: FetchRequest): Promise<Fetched> {
    const { name } = stream;
    const own = Object.hasOwn(this.#options.streams, name) ? this.#options.streams[name] : undefined;
    if (!own) throw unknown(name, this.#name, Object.keys(this.#options.streams));
    const types = typesOf(name, own);
    const shape: Shape = {
      key: keyOf(own),
      config: { flatten: own.flatten },
      types,
      asked: `${name}.records()`,
      window: checkpoint?.watermark === undefined ? 'all' : `${stream.cursor[0]} ≥ ${checkpoint.watermark}`,
    };
    early(shape);
    const started = performance.now();
    const output = new Output(spool, name, tally);
    let state = checkpoint?.position;
    try {
      const since = stream.cursor.length > 0 ? checkpoint?.watermark : undefined;
      const before = state === undefined ? undefined : (JSON.parse(state) as unknown);
      for await (const yielded of own.records({ since, state: before, preview, signal })) {
        throwIfAborted(signal);
        const { records, state: after } = partsOf(yielded);
        await output.add(records);
        if (after !== undefined) state = JSON.stringify(after);
        if (preview && output.records >= PREVIEWED) break;
      }
      await output.end();
    } catch (error) {
      await output.discard();
      throwIfAborted(signal);
      throw error instanceof SluiceError ? error : failed(name, error);
    }
    return { ...shape, position: state, seconds: (performance.now() - started) / 1000, notes: [] };
  }

  async close(): Promise<void> {}
}

class Output {
  records = 0;
  readonly #spool: Spool;
  readonly #tally: Tally;
  readonly #name: string;
  #writer: SpoolWriter | undefined;
  #before = 0;

  constructor(spool: Spool, name: string, tally: Tally) {
    this.#tally = tally;
    this.#spool = spool;
    this.#name = name;
  }

  async add(records: readonly object[]): Promise<void> {
    for (const record of records) {
      if (typeof record !== 'object' || record === null || Array.isArray(record))
        throw new DataError(`reading ${this.#name}: its code has yielded what is no record`, {
          code: 'custom.record',
          remedy: 'yield an object, an array of objects, or { records, state }',
        });
      this.#writer ??= this.#spool.begin();
      const written = Buffer.from(JSON.stringify(record, plain));
      this.#writer.write(written);
      this.#tally.add({ records: 1, bytes: written.length });
      this.#writer.write(LINE_FEED);
      this.records++;
      if (this.#writer.full) await this.#writer.flush();
      if (this.#writer.bytes >= DOCUMENT_BYTES) await this.end();
    }
  }

  async end(): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    this.#writer = undefined;
    const name = `${this.#name}, from record ${this.#before + 1}`;
    await this.#spool.add(writer, { name, records: this.records - this.#before });
    this.#before = this.records;
  }

  async discard(): Promise<void> {
    await this.#writer?.discard();
  }
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return exactNumber(`${value}`);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}

function partsOf(yielded: Yielded): { records: readonly object[]; state?: unknown } {
  if (Array.isArray(yielded)) return { records: yielded as readonly object[] };
  const { records, state, ...others } = yielded as { records?: unknown; state?: unknown };
  // A record may have a field of that name.
  if (Array.isArray(records) && Object.keys(others).length === 0 && Object.hasOwn(yielded, 'state'))
    return { records: records as object[], state };
  return { records: [yielded] };
}

function keyOf({ key = [] }: CustomStream): readonly string[] {
  return typeof key === 'string' ? [key] : key;
}

function typesOf(name: string, { types = {} }: CustomStream): Record<string, LogicalType> {
  return Object.fromEntries(
    Object.entries(types).map(([field, written]) => {
      const type = written === 'text' ? ({ kind: 'utf8' } as const) : parseType(written);
      if (type) return [field, type];
      throw new ConfigError(`reading ${name}: "${written}" of its field "${field}" is no type`, {
        code: 'stream.invalid',
        remedy: 'types are for example text, int64, decimal(12,2), timestamptz, json',
      });
    }),
  );
}

function unknown(stream: string, connection: string, names: readonly string[]): ConfigError {
  return new ConfigError(`reading ${stream}: connection "${connection}" has no such stream`, {
    code: 'stream.invalid',
    remedy: `it has ${names.join(', ')}`,
  });
}

/** Most of what such code stumbles over is a network; where it is not, more attempts tell the same. */
function failed(stream: string, error: unknown): TransientError {
  const found = error instanceof Error ? error.message : String(error);
  return new TransientError(`reading ${stream}: its code has failed: ${found}`, {
    code: 'custom.failed',
    remedy: '`--verbose` shows where; an error of sluice, such as ConfigError, ends the stream at once',
    cause: error,
  });
}
