import type { SluiceError } from '../../../core/errors.ts';
import type { FilesConfig } from '../../../core/ledger.ts';
import type { Field } from '../../../core/schema.ts';
import type { SourceFacts, StreamInfo, SurveyNote } from '../../../core/source.ts';
import type { Checkpoint, RunWindow, StreamConfig } from '../../../core/stream.ts';
import type { LogicalType } from '../../../core/types.ts';
import type { FieldForm } from '../text/records.ts';
import type { Spool } from './spool.ts';
import type { Tally } from './tally.ts';

/**
 * Whatever records come from that cannot be asked for the same ones twice: an API, a tap, a program. It brings them; how they
 * become rows is the same for all ({@link RecordsSource}). Methods throw SluiceErrors only.
 */
export interface RecordFeed {
  check(signal: AbortSignal): Promise<SourceFacts>;
  /** What it has, as far as is known without asking. */
  streams(signal: AbortSignal): Promise<FeedStream[]>;
  /** Brings what is new since the checkpoint into the spool. Called again only after that was loaded, or is lost. */
  fetch(request: FetchRequest): Promise<Fetched>;
  /** Nobody knows the names of its streams before they come: none can be of arrays within another one. */
  readonly unlisted?: boolean;
  /** What of a stream it is asked by beside its cursor, checkpoint and window: streams with the same are brought the same. */
  asksBy?(stream: StreamConfig): unknown;
  /** How values of a type are written, where it is not the usual way. */
  form?(type: LogicalType): FieldForm | undefined;
  /** Called once; never throws. */
  close(): Promise<void>;
}

export interface FeedStream {
  name: string;
  /** Columns that tell records apart, where that is known. */
  key: readonly string[];
  /** Its columns, where they are known without a look at records. */
  fields?: readonly Pick<Field, 'name' | 'type'>[] | undefined;
  /** Objects in arrays of its records, where they are known: the names that lead to them, and their columns. */
  arrays?: readonly { path: readonly string[]; fields: NonNullable<FeedStream['fields']> }[] | undefined;
  /** Columns by which it can be asked for what is new, best first; undefined: as their names look. */
  cursors?: readonly string[] | undefined;
  /** What a stream of it begins with, see {@link StreamInfo.proposal}. */
  proposal?: StreamInfo['proposal'] | undefined;
  notes?: string[] | undefined;
}

export interface FetchRequest {
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
  spool: Spool;
  /** A look at what there is is enough: nothing will be loaded of it. */
  preview: boolean;
  /**
   * Called when the shape is known before the end: what is there can be loaded while more is fetched. Called again before records come
   * that need another one, which has to hold those before as well.
   */
  early: (shape: Shape) => void;
  /** Is told what comes. */
  tally: Tally;
  signal: AbortSignal;
}

/** What the records of a stream are, as far as the feed knows. */
export interface Shape {
  key: readonly string[];
  /** Columns of the key; records that have the same in them come together, and take the place of all that had it before. */
  group?: readonly string[] | undefined;
  /** How the documents are written; JSON when absent. */
  config?: Partial<FilesConfig> | undefined;
  /** Types that the feed knows, over what values look like. */
  types?: Readonly<Record<string, LogicalType>> | undefined;
  /** What is asked for, for people. */
  window?: string | undefined;
  asked: string;
}

export interface Fetched extends Shape {
  /** Where the next fetch goes on, once all of this is loaded; only the feed reads it. */
  position?: string | undefined;
  /** When fetching began, by the clock of whoever writes the records: ISO 8601 in UTC. Undefined: not known. */
  began?: string | undefined;
  /** How long it took, seconds: records that were written in this time may be missing. */
  seconds: number;
  /** Whether records may be among it that were loaded before; undefined: when there is a watermark, or a position. */
  again?: boolean | undefined;
  /** Why not all of it is here; the stream fails with it after the rest was loaded. */
  problem?: SluiceError | undefined;
  notes: SurveyNote[];
}
