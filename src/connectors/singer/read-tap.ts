/** Reads what a tap writes: records of one stream go to disk, up to the last of its STATE messages what they say is certain. */
import { DataError, type SluiceError, TransientError } from '../../core/errors.ts';
import type { SurveyNote } from '../../core/source.ts';
import type { LogicalType } from '../../core/types.ts';
import type { FetchRequest, Shape } from '../shared/records/feed.ts';
import { readBatch } from './batch-files.ts';
import type { CatalogEntry } from './catalog.ts';
import { type BatchMessage, type Message, MessageReader } from './message-reader.ts';
import { type Position, renderPosition } from './position.ts';
import { RecordFiles } from './record-files.ts';
import { StreamSchema } from './stream-schema.ts';
import type { TapProcess } from './tap-process.ts';
import { ToldOnce } from './told-once.ts';

export interface TapRead {
  /** Of the last schema; undefined: there was none. */
  key: readonly string[] | undefined;
  types: Record<string, LogicalType>;
  position: string | undefined;
  /** Of its rows, that the tap has said is the one that counts. */
  version: number | undefined;
  problem: SluiceError | undefined;
  notes: SurveyNote[];
  /** Only the first records were read. */
  cut: boolean;
}

interface ReadJob extends FetchRequest {
  /** What is known of it before the first schema. */
  shape: Shape;
  entry: CatalogEntry | undefined;
  extracted: boolean;
  before: Position;
}

const PREVIEW_RECORDS = 1000;
/** Of a tap that may come further another time. */
const STOPPED: readonly string[] = ['singer.tap_failed', 'singer.silent'];

export function readTap(tap: TapProcess, job: ReadJob): Promise<TapRead> {
  return new TapReading(tap, job).read();
}

class TapReading {
  readonly #tap: TapProcess;
  readonly #job: ReadJob;
  readonly #reader = new MessageReader();
  readonly #schema: StreamSchema;
  #version: number | undefined;
  readonly #files: RecordFiles;
  readonly #names: ReadonlySet<string>;
  #state: string | undefined;
  #problem: SluiceError | undefined;
  /** Of streams that nobody has asked for. */
  readonly #others = new Map<string, number>();
  readonly #told = new ToldOnce();

  constructor(tap: TapProcess, job: ReadJob) {
    this.#tap = tap;
    this.#job = job;
    this.#names = new Set([job.stream.name, ...(job.entry?.names ?? [])]);
    this.#files = new RecordFiles(job.spool, job.stream.name, job.extracted);
    this.#schema = new StreamSchema(job.extracted);
  }

  async read(): Promise<TapRead> {
    try {
      const cut = await this.#all();
      const failed = await this.#tap.result();
      this.#problem ??= failed;
      if (this.#problem) await this.#files.cut();
      else await this.#files.end();
      if (this.#problem && this.#files.records === 0) throw this.#problem;
      return {
        key: this.#schema.key,
        types: this.#schema.types,
        version: this.#version,
        position: this.#position,
        problem: this.#problem && this.#worthAnother(this.#problem),
        notes: this.#notes(),
        cut,
      };
    } finally {
      await this.#files.discard();
    }
  }

  /** Whether only the first records were read. */
  async #all(): Promise<boolean> {
    const reader = this.#reader;
    const { preview } = this.#job;
    for await (const bytes of this.#tap.output()) {
      reader.add(bytes);
      const before = this.#files.records;
      await this.#messages();
      this.#job.tally.add({ records: this.#files.records - before, bytes: bytes.length });
      if (this.#problem || (preview && this.#files.records >= PREVIEW_RECORDS)) {
        this.#tap.stop();
        return !this.#problem;
      }
      if (this.#files.full) await this.#files.flush();
    }
    reader.end();
    await this.#messages();
    return false;
  }

  async #messages(): Promise<void> {
    const reader = this.#reader;
    for (let message = reader.next(); message; message = reader.next()) {
      if (message.kind === 'record') this.#record();
      else if (message.kind === 'batch') await this.#batch(message);
      else this.#message(message);
      if (this.#problem) return;
    }
  }

  async #batch(message: BatchMessage): Promise<void> {
    if (!this.#names.has(message.stream)) return;
    try {
      await readBatch(message, { files: this.#files, signal: this.#job.signal });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      this.#problem = error;
    }
  }

  #record(): void {
    const { record } = this.#reader;
    if (!this.#names.has(record.stream)) {
      this.#others.set(record.stream, (this.#others.get(record.stream) ?? 0) + 1);
      return;
    }
    if (this.#schema.key === undefined)
      this.#tell({ code: 'singer.no_schema', message: 'records came before their schema' });
    this.#files.write(record);
  }

  #message(message: Exclude<Message, { kind: 'record' | 'batch' }>): void {
    switch (message.kind) {
      case 'schema':
        if (this.#names.has(message.stream)) {
          this.#schema.add(message);
          this.#job.early({ ...this.#job.shape, key: message.key, types: { ...this.#schema.types } });
        }
        break;
      case 'state':
        this.#state = message.value;
        this.#files.mark(this.#position);
        break;
      case 'activate':
        if (this.#names.has(message.stream)) this.#version = message.version;
        break;
      case 'noise':
        this.#tell({ code: 'singer.noise', message: 'lines that are no messages were left out' });
        break;
      case 'unknown':
        this.#tell({
          code: 'singer.unknown_message',
          message: `messages of the unknown type ${message.type} were left out`,
        });
        break;
      case 'broken':
        this.#problem = new DataError(
          `fetching ${this.#job.stream.name}: line ${this.#reader.line} of what the tap wrote ${message.found}`,
          {
            code: 'singer.broken_message',
            remedy: 'the tap has a fault; what came before its last STATE is loaded',
          },
        );
    }
  }

  /** Where the next run goes on, when what has come is loaded. */
  get #position(): string | undefined {
    const { before } = this.#job;
    return renderPosition({ state: this.#state ?? before.state, version: this.#version ?? before.version });
  }

  #tell(note: SurveyNote): void {
    this.#told.add(note, this.#reader.line);
  }

  #notes(): SurveyNote[] {
    const notes = this.#told.notes();
    const { lines, count } = this.#tap.serious;
    if (count > 0)
      notes.push({
        code: 'singer.said',
        message: `the tap warned ${count === 1 ? 'once' : `${count.toLocaleString('en')} times, first`}: ${lines[0]!}`,
        ...(this.#tap.log !== undefined && { remedy: `all that it said is in ${this.#tap.log}` }),
      });
    const others = [...this.#others];
    if (others.length > 0)
      notes.push({
        code: 'singer.other_streams',
        message: `the tap brought records of other streams too, which were left out: ${others.map(([other, records]) => `${other} (${records.toLocaleString('en')})`).join(', ')}`,
      });
    return notes;
  }

  /** What has come further goes on from there; the same again would most likely end the same. */
  #worthAnother(problem: SluiceError): SluiceError {
    const { before, stream } = this.#job;
    const moved = stream.load !== 'replace' && this.#state !== before.state;
    if (!moved || !STOPPED.includes(problem.code)) return problem;
    const { code, remedy } = problem;
    return new TransientError(problem.message, { code, remedy });
  }
}
