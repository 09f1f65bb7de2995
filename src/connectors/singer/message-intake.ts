/**
 * Takes messages of all streams in, batch by batch: records go to disk, and STATE messages wait until all that came before
 * them is loaded.
 */
import path from 'node:path';
import { DataError } from '../../core/errors.ts';
import type { SurveyNote } from '../../core/source.ts';
import type { LogicalType } from '../../core/types.ts';
import { Spool } from '../shared/records/spool.ts';
import { readBatch } from './batch-files.ts';
import { type Message, MessageReader } from './message-reader.ts';
import { RecordFiles } from './record-files.ts';
import { StreamSchema } from './stream-schema.ts';
import { ToldOnce } from './told-once.ts';

export interface IntakeOptions {
  /** Of the project: records lie in its `.sluice/spool`. */
  directory: string;
  /** Records get a column with the time at which the tap has read them. */
  extracted: boolean;
  wanted: (stream: string) => boolean;
  /** The version that the rows of a table have, as a load before has said. */
  versionOf: (stream: string) => Promise<number | undefined>;
  signal: AbortSignal;
}

/** What is to be loaded at once. */
export interface MessageBatch {
  streams: BatchStream[];
  /** To be handed on once all of it is loaded. */
  state: string | undefined;
  records: number;
  notes: SurveyNote[];
}

export interface BatchStream {
  name: string;
  spool: Spool;
  key: readonly string[];
  types: Readonly<Record<string, LogicalType>>;
  /** Of its rows. */
  version: number | undefined;
  /** Nothing of what was there before stays. */
  replaces: boolean;
}

/** Streams whose records are in memory on their way to disk: each has a buffer. */
const MOST_OPEN = 32;

/** Records of one stream and version. */
interface Part {
  spool: Spool;
  files: RecordFiles;
}

interface OpenStream {
  name: string;
  schema: StreamSchema;
  /** A schema came since the last batch. */
  touched: boolean;
  current: Part | undefined;
  /** Rows of this version count, and no others; undefined: they have none. */
  active: number | undefined;
  asked: boolean;
  /** Versions that do not count yet. */
  held: Map<number, Part>;
  replaces: boolean;
}

export class MessageIntake {
  readonly #options: IntakeOptions;
  readonly #reader = new MessageReader();
  readonly #streams = new Map<string, OpenStream>();
  /** The last ones that records came for, the latest last. */
  readonly #open = new Map<RecordFiles, true>();
  #last: OpenStream | undefined;
  /** The files that the last record went to. */
  #files: RecordFiles | undefined;
  #told = new ToldOnce();
  /** The last STATE, and the last one that does not wait for a version. */
  #state: string | undefined;
  #free: string | undefined;
  /** That can be loaded now. */
  records = 0;
  bytes = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Whether there is anything to load, or to hand on. */
  get pending(): boolean {
    return this.records > 0 || this.#free !== undefined;
  }

  /** The same once nothing comes any more. */
  get left(): boolean {
    const streams = [...this.#streams.values()];
    return (
      this.#state !== undefined || streams.some((each) => each.touched || each.current || each.held.size > 0)
    );
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#reader.add(bytes);
    await this.#messages();
  }

  async end(): Promise<void> {
    this.#reader.end();
    await this.#messages();
  }

  async #messages(): Promise<void> {
    const reader = this.#reader;
    for (let message = reader.next(); message; message = reader.next()) {
      const wait = message.kind === 'record' ? this.#record() : this.#message(message);
      if (wait) await wait;
    }
    for (const files of this.#open.keys()) if (files.full) await files.flush();
  }

  #record(): Promise<void> | undefined {
    const { record } = this.#reader;
    let stream = this.#last;
    if (stream?.name !== record.stream) {
      stream = this.#streamOf(record.stream);
      this.#last = stream;
      this.#files = undefined;
    }
    if (!stream) return undefined;
    if (record.version !== undefined && (!stream.asked || record.version !== stream.active))
      return this.#versioned(stream, record.version);
    this.#write(stream);
    return this.#open.size > MOST_OPEN ? this.#closeSome() : undefined;
  }

  #write(stream: OpenStream): void {
    const { record } = this.#reader;
    if (stream.schema.key === undefined)
      this.#told.add(
        { code: 'singer.no_schema', message: `${stream.name}: records came before their schema` },
        this.#reader.line,
      );
    stream.current ??= this.#part(stream.name);
    this.#writeTo(stream.current.files);
    this.records++;
    this.bytes += record.end - record.start;
  }

  #writeTo(files: RecordFiles): void {
    if (this.#files !== files) {
      this.#open.delete(files);
      this.#open.set(files, true);
      this.#files = files;
    }
    files.write(this.#reader.record);
  }

  /** Of a version that may not be the one that counts. */
  async #versioned(stream: OpenStream, version: number): Promise<void> {
    await this.#ask(stream);
    if (stream.active === version) {
      this.#write(stream);
    } else {
      let part = stream.held.get(version);
      if (!part) stream.held.set(version, (part = this.#part(stream.name)));
      this.#writeTo(part.files);
    }
    await this.#closeSome();
  }

  async #ask(stream: OpenStream): Promise<void> {
    if (stream.asked) return;
    stream.active = await this.#options.versionOf(stream.name);
    stream.asked = true;
  }

  #part(name: string): Part {
    const spool = new Spool(path.join(this.#options.directory, '.sluice', 'spool'));
    return { spool, files: new RecordFiles(spool, name, this.#options.extracted) };
  }

  async #closeSome(): Promise<void> {
    for (const files of this.#open.keys()) {
      if (this.#open.size <= MOST_OPEN) return;
      this.#open.delete(files);
      await files.end();
    }
  }

  /** Undefined: it is left out. */
  #streamOf(name: string): OpenStream | undefined {
    if (!this.#options.wanted(name)) return undefined;
    let stream = this.#streams.get(name);
    if (!stream) {
      stream = {
        name,
        schema: new StreamSchema(this.#options.extracted),
        touched: false,
        current: undefined,
        active: undefined,
        asked: false,
        held: new Map(),
        replaces: false,
      };
      this.#streams.set(name, stream);
    }
    return stream;
  }

  async #message(message: Exclude<Message, { kind: 'record' }>): Promise<void> {
    const { line } = this.#reader;
    switch (message.kind) {
      case 'schema': {
        const stream = this.#streamOf(message.stream);
        stream?.schema.add(message);
        if (stream) stream.touched = true;
        return;
      }
      case 'state':
        this.#state = message.value;
        if (!this.#waits) this.#free = message.value;
        return;
      case 'activate': {
        const stream = this.#streamOf(message.stream);
        if (stream) await this.#activate(stream, message.version);
        return;
      }
      case 'batch': {
        const stream = this.#streamOf(message.stream);
        if (!stream) return;
        const { files } = (stream.current ??= this.#part(stream.name));
        const before = files.records;
        await readBatch(message, { files, signal: this.#options.signal });
        this.records += files.records - before;
        return;
      }
      case 'noise':
        return this.#told.add(
          { code: 'singer.noise', message: 'lines that are no messages were left out' },
          line,
        );
      case 'unknown':
        return this.#told.add(
          {
            code: 'singer.unknown_message',
            message: `messages of the unknown type ${message.type} were left out`,
          },
          line,
        );
      case 'broken':
        throw new DataError(`reading Singer messages: line ${line} ${message.found}`, {
          code: 'singer.broken_message',
          remedy: 'the tap has a fault; what came before the last STATE that was printed is loaded',
        });
    }
  }

  /** Rows of other versions are gone: those that are loaded, and those that are on their way. */
  async #activate(stream: OpenStream, version: number): Promise<void> {
    await this.#ask(stream);
    if (stream.active === version) return;
    for (const [other, part] of stream.held) if (other !== version) await this.#drop(part);
    if (stream.current) {
      this.records -= stream.current.files.records;
      await this.#drop(stream.current);
    }
    stream.current = stream.held.get(version);
    this.records += stream.current?.files.records ?? 0;
    stream.held.clear();
    stream.active = version;
    stream.replaces = true;
    stream.touched = true;
    this.#free = this.#waits ? this.#free : this.#state;
  }

  async #drop({ files, spool }: Part): Promise<void> {
    this.#open.delete(files);
    if (this.#files === files) this.#files = undefined;
    await files.discard();
    await spool.close();
  }

  /** Whether there are records that cannot be loaded yet. */
  get #waits(): boolean {
    return [...this.#streams.values()].some(({ held }) => held.size > 0);
  }

  /** All that is to be loaded now. With `final` nothing comes any more; there may be more to take. */
  async take(final: boolean): Promise<MessageBatch> {
    const batch: MessageBatch = { streams: [], state: undefined, records: 0, notes: this.#told.notes() };
    for (const stream of this.#streams.values()) {
      if (final && !stream.current && stream.held.size > 0) this.#release(stream, batch);
      if (stream.touched || stream.current) batch.streams.push(await this.#taken(stream));
    }
    batch.records = batch.streams.reduce((sum, { spool }) => sum + spool.records, 0);
    batch.state = this.#waits ? this.#free : this.#state;
    if (!this.#waits) this.#state = undefined;
    this.#free = undefined;
    this.records = this.bytes = 0;
    this.#told = new ToldOnce();
    this.#last = this.#files = undefined;
    return batch;
  }

  /** Nobody has said that a version counts: its rows are rows like others. */
  #release(stream: OpenStream, batch: MessageBatch): void {
    const version = Math.min(...stream.held.keys());
    stream.current = stream.held.get(version);
    stream.held.delete(version);
    batch.notes.push({
      code: 'singer.open_version',
      message: `${stream.name}: the messages ended before all rows of a version had come; those of older ones stay`,
    });
  }

  async #taken(stream: OpenStream): Promise<BatchStream> {
    const { name, schema, active: version, replaces } = stream;
    const { files, spool } = stream.current ?? this.#part(name);
    this.#open.delete(files);
    await files.end();
    stream.current = undefined;
    stream.schema = schema.next();
    stream.touched = stream.replaces = false;
    return { name, spool, key: schema.key ?? [], types: schema.types, version, replaces };
  }

  /** Never throws. */
  async close(): Promise<void> {
    for (const { current, held } of this.#streams.values())
      for (const part of [...held.values(), ...(current ? [current] : [])]) {
        await part.files.discard();
        await part.spool.close();
      }
    this.#streams.clear();
  }
}
