/** A source of records that are fetched first, kept on disk, and loaded from there: whatever a feed brings becomes rows in the same way. */
import path from 'node:path';
import type { ByteSink } from '../../../core/byte-ring.ts';
import type { ConnectorContext } from '../../../core/connector.ts';
import { throwIfAborted } from '../../../core/errors.ts';
import type { FilePart } from '../../../core/ledger.ts';
import type {
  BytesReader,
  FilesForm,
  Loaded,
  SliceReader,
  SliceToRead,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from '../../../core/source.ts';
import type { Checkpoint, RunWindow, StreamConfig } from '../../../core/stream.ts';
import type { LogicalType } from '../../../core/types.ts';
import { backBy, greaterCursor, lesserCursor, parseCursor, renderCursor } from '../cursor-value.ts';
import { filesForm, PLAIN_FILES, type PlainFile, readsAlike } from '../look/direct-files.ts';
import { keptLayout, layoutOf } from '../look/read-form.ts';
import { sniffThreads, type SniffThreads } from '../look/sniffer.ts';
import { sendDocument, sendKept } from '../text/document-input.ts';
import type { DocumentLayout } from '../text/text-decoder.ts';
import { textDecoding } from '../text/text-decoding.ts';
import { type TextForm, textOf } from '../text/text-stream.ts';
import { discoverRecords } from './discover-records.ts';
import type { Fetched, RecordFeed } from './feed.ts';
import { type ChildStream, ChildStreams, parentConfig } from './child-stream.ts';
import { HeldRecords, ROUND_BYTES, SLICE_BYTES } from './held-records.ts';
import {
  type FormOf,
  keptSurvey,
  type Looked,
  type RecordDocument,
  type RecordsSurvey,
  surveyOf,
} from './records-survey.ts';
import { bytesOf } from './spool.ts';
import { askedBy, type Feeding, type FetchJob, SharedFetch } from './shared-fetch.ts';

export class RecordsSource implements Source {
  readonly #feed: RecordFeed;
  readonly #context: ConnectorContext;
  readonly #roundBytes: number;
  #expected: readonly string[] = [];

  /** `roundBytes`: of records that are loaded while more are fetched. */
  constructor(feed: RecordFeed, context: ConnectorContext, roundBytes: number = ROUND_BYTES) {
    this.#feed = feed;
    this.#context = context;
    this.#roundBytes = roundBytes;
  }

  check(signal: AbortSignal): Promise<SourceFacts> {
    return this.#feed.check(signal);
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    return discoverRecords(this.#feed, signal);
  }

  expect(streams: readonly StreamConfig[]): void {
    this.#expected = streams.map(({ name }) => name);
  }

  async open(signal: AbortSignal, accepts: readonly string[] = []): Promise<Snapshot> {
    throwIfAborted(signal);
    const place = {
      feed: this.#feed,
      roundBytes: this.#roundBytes,
      expected: this.#expected,
      direct: accepts.includes(PLAIN_FILES),
    };
    return new RecordsSnapshot(place, this.#context);
  }

  close(): Promise<void> {
    return this.#feed.close();
  }
}

interface SnapshotPlace {
  feed: RecordFeed;
  roundBytes: number;
  /** Streams of this run. */
  expected: readonly string[];
  /** Whoever writes reads plain files by itself. */
  direct: boolean;
}

/** Records have no common moment: what was fetched for a stream stays as it is until it is loaded. */
class RecordsSnapshot implements Snapshot {
  readonly at = `${new Date().toISOString().slice(0, -1)}000+00`;
  readonly #feed: RecordFeed;
  readonly #context: ConnectorContext;
  readonly #place: SnapshotPlace;
  /** By stream, with what it was fetched for. */
  readonly #held = new Map<string, { after: string; records: HeldRecords }>();
  /** By the stream of the feed: what was fetched last, for whoever needs it too. */
  readonly #fetches = new Map<string, SharedFetch>();
  readonly #children: ChildStreams;
  readonly #threads: SniffThreads = sniffThreads(1);
  /** Streams whose records have to be read by us. */
  readonly #odd = new Set<string>();

  constructor(place: SnapshotPlace, context: ConnectorContext) {
    this.#feed = place.feed;
    this.#context = context;
    this.#place = place;
    this.#children = new ChildStreams(place.feed);
  }

  readonly #form = (type: LogicalType): ReturnType<NonNullable<FormOf>> => this.#feed.form?.(type);

  async survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<RecordsSurvey> {
    if (window.replay) {
      const key = await this.#children.keyOf(stream, signal);
      return keptSurvey(stream, checkpoint, { key, form: this.#form });
    }
    const records = await this.#records(stream, checkpoint, window, signal);
    const survey = (looked: Looked): RecordsSurvey => {
      const place = { stream, before: checkpoint, apart: records.apart, form: this.#form };
      const found = surveyOf(looked, { ...place, partBytes: SLICE_BYTES });
      // A round at once, where nobody has to take it apart.
      const direct = looked.unseen.size === 0 && this.#mayBeDirect(stream, found);
      return direct ? surveyOf(looked, { ...place, partBytes: ROUND_BYTES }) : found;
    };
    const committed = checkpoint?.round;
    const found = records.failed(committed) ? undefined : survey(await records.round(committed, signal));
    // A sample was not enough: for types that have to be found out, or for what was read after it.
    if (!found || found.guess === 'impossible') return survey(await records.lookAtAll(signal));
    // Of all that were looked at, the keys are kept in memory.
    const few = bytesOf(found.looked?.documents ?? []) <= 2 * ROUND_BYTES;
    if (!this.#mayBeDirect(stream, found) || (found.guess && !few)) return found;
    const whole = found.guess ? survey(await records.lookFurther(signal)) : found;
    records.lookAhead();
    return whole;
  }

  /** To look at all of them takes less time than to read them. */
  #mayBeDirect(stream: StreamConfig, survey: RecordsSurvey): boolean {
    return this.#place.direct && !this.#odd.has(stream.name) && !survey.group && readsAlike(survey);
  }

  /** A stream may be surveyed twice, and again after a failure: what is here already is not fetched again. */
  async #records(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<HeldRecords> {
    const after = JSON.stringify([checkpoint?.watermark, checkpoint?.position, window]);
    const held = this.#held.get(stream.name);
    const goesOn = held && (held.after === after || held.records.knows(checkpoint?.round));
    if (goesOn && !held.records.finished && !held.records.broken) return held.records;
    this.#held.delete(stream.name);
    await held?.records.close();
    const scratch = path.join(this.#context.directory, '.sluice', 'spool');
    const child = await this.#children.of(stream.name, signal);
    const feeding = await this.#feeding({ stream, child, checkpoint, window, scratch, signal });
    const { roundBytes } = this.#place;
    const threads = this.#threads;
    const records = new HeldRecords({ feeding, scratch, stream, child, window, roundBytes, threads, signal });
    this.#held.set(stream.name, { after, records });
    return records;
  }

  /** What was fetched for another stream, where this one would ask for the same; else it is fetched now, for the others too. */
  async #feeding({
    stream,
    child,
    ...rest
  }: Omit<FetchJob, 'feed'> & { child: ChildStream | undefined }): Promise<Feeding> {
    const name = child?.parent ?? stream.name;
    const job = { ...rest, feed: this.#feed, stream: child ? parentConfig(child, stream) : stream };
    const there = this.#fetches.get(name);
    const same = there?.asked === askedBy(job) ? there.take(stream.name) : undefined;
    if (same) return same;
    const others = this.#place.expected.filter((each) => each !== stream.name && !this.#held.has(each));
    const related: string[] = [];
    for (const each of others)
      if (((await this.#children.of(each, rest.signal))?.parent ?? each) === name) related.push(each);
    const fetch = new SharedFetch(job, [stream.name, ...related]);
    // At once: it may have failed already when something else was waited for.
    const feeding = fetch.take(stream.name)!;
    this.#fetches.set(name, fetch);
    await there?.close();
    return feeding;
  }

  async read(
    stream: StreamConfig,
    surveyed: Survey,
    slice: SliceToRead,
    signal: AbortSignal,
  ): Promise<SliceReader> {
    const survey = surveyed as RecordsSurvey;
    const { kept } = slice;
    if (!kept) this.#held.get(stream.name)?.records.reading();
    const all = slice.range.kind === 'files' ? slice.range.files : [];
    const rows = all.filter((part) => !isNamed(survey, part));
    const at =
      stream.cursor[0] === undefined ? -1 : survey.read.findIndex(({ name }) => name === stream.cursor[0]);
    // Parents without rows have been read as well, and what comes after them is new.
    const parts = at < 0 ? rows : all;
    const decoder = textDecoding({
      documents: kept
        ? kept.documents.map((document) => keptLayout(survey, document, undefined))
        : parts.map((part) => documentLayout(survey, part)),
      aside: slice.aside,
      batchBytes: this.#context.batchBytes,
      cursor: at < 0 ? undefined : at,
      guess: survey.guess === 'impossible' || kept ? undefined : survey.guess,
    });
    return {
      format: 'bytes',
      schema: survey.schema,
      decoder,
      direct: await this.#direct(stream, survey, slice),
      groups: survey.group && !kept ? this.#groups(survey, survey.group, all, signal) : undefined,
      pump: (sink, onBytes) =>
        kept ? sendKept(kept, sink, onBytes) : pump(survey, parts, { sink, onBytes, signal }),
      close: async () => {},
    };
  }

  /** Undefined: nobody but us reads them. */
  async #direct(
    stream: StreamConfig,
    survey: RecordsSurvey,
    slice: SliceToRead,
  ): Promise<FilesForm | undefined> {
    if (survey.guess || slice.range.kind !== 'files' || !this.#mayBeDirect(stream, survey)) return undefined;
    const files = plainFiles(survey, slice.range.files);
    const onRefused = (): void => void this.#odd.add(stream.name);
    const high = files && highOf(files, survey.cursorType);
    const direct = files && (await filesForm({ slice, files, survey, high, onRefused }));
    if (!direct) onRefused();
    return direct;
  }

  /** Parents whose rows are replaced. What cannot be read as their key is in no table. */
  #groups(
    survey: RecordsSurvey,
    group: readonly string[],
    all: readonly FilePart[],
    signal: AbortSignal,
  ): BytesReader {
    const parts = all.filter((part) => isNamed(survey, part));
    const { fields } = survey.schema;
    const wanted = group.map((name) => fields.findIndex((field) => field.name === name));
    const form = {
      ...survey,
      read: wanted.map((i) => survey.read[i]!),
      forms: wanted.map((i) => survey.forms[i]),
    };
    const documents = parts.map((part): DocumentLayout => ({
      ...documentLayout(form, part),
      unread: undefined,
      lenient: true,
    }));
    return {
      format: 'bytes',
      schema: { fields: wanted.map((i) => fields[i]!), key: [...group] },
      decoder: textDecoding({ documents, aside: undefined, batchBytes: this.#context.batchBytes }),
      pump: (sink, onBytes) => pump(survey, parts, { sink, onBytes, signal }),
      close: async () => {},
    };
  }

  advance({ stream, survey: surveyed, before, loads, last }: Loaded): Checkpoint {
    const { contract, looked, before: begun, cursorType: type } = surveyed as RecordsSurvey;
    const since = before ?? begun;
    const next: Checkpoint = { ...since, cursor: stream.cursor, ledger: { contract, files: {} } };
    if (type) {
      let { high } = next;
      for (const { facts } of loads) high = greaterCursor(high, facts.high, type);
      next.high = high;
      if (last && looked?.fetched && !looked.fetched.problem)
        next.watermark = watermarkAfter(looked.fetched, next, type);
    }
    if (last && looked) Object.assign(next, wentOn(looked, next));
    this.#held.get(stream.name)?.records.loaded(loads, last);
    return next;
  }

  async alive(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#held.values()].map(({ records }) => records.close()));
    await Promise.all([...this.#fetches.values()].map((fetch) => fetch.close()));
    await this.#threads.close();
    this.#held.clear();
    this.#fetches.clear();
  }
}

/** What a round says of how far fetching has come. */
function wentOn({ fetched, documents, round }: Looked, { position }: Checkpoint): Partial<Checkpoint> {
  if (fetched) return { round: undefined, position: fetched.position };
  return { round, position: documents.at(-1)?.position ?? position };
}

async function pump(
  { looked: all }: RecordsSurvey,
  parts: readonly FilePart[],
  { sink, onBytes, signal }: { sink: ByteSink; onBytes: (bytes: number) => void; signal: AbortSignal },
): Promise<void> {
  const { spool, config } = all!;
  const form: TextForm = { packing: 'none', encoding: 'utf-8', skip: config.skip ?? 0 };
  for (const [number, part] of parts.entries()) {
    await sendDocument(sink, number, textOf(spool.storage, part, form, { signal }), onBytes);
  }
}

/** Greatest cursor value of all, in the form of a checkpoint. */
function highOf(files: readonly PlainFile[], type: LogicalType | undefined): string | undefined {
  if (!type) return undefined;
  let high: string | undefined;
  for (const { plain } of files) high = greaterCursor(high, plain.high, type);
  return high === undefined ? undefined : renderCursor(parseCursor(high, type), type);
}

/** Undefined when there are others among them. */
function plainFiles({ layouts, looked }: RecordsSurvey, parts: readonly FilePart[]): PlainFile[] | undefined {
  const files: PlainFile[] = [];
  for (const { path: key, size, range } of parts) {
    const { fields, places, plain, superseded } = layouts.get(key)!;
    if (range || !plain || superseded) return undefined;
    files.push({ path: looked!.spool.storage.localPath(key), bytes: size, fields, places, plain });
  }
  return files;
}

function isNamed({ layouts }: RecordsSurvey, { path: key }: FilePart): boolean {
  return layouts.get(key)?.document.groups === true;
}

function documentLayout(survey: RecordsSurvey, { path: key, range }: FilePart): DocumentLayout {
  const { document, fields, places, superseded }: RecordDocument = survey.layouts.get(key)!;
  const first = range === undefined || range.from === 0;
  const layout = layoutOf(
    survey,
    { name: document.name, fields, places },
    { skip: survey.form.header && first ? 1 : 0, line: range?.line ?? 1, superseded },
  );
  return document.groups ? { ...layout, unread: true } : layout;
}

const INSTANT: LogicalType = { kind: 'timestamp', zone: true };

/**
 * What is written while records are fetched may lie on a page that was fetched before: the watermark stays below the moment when
 * fetching began. A record with a time in the future does not lift it either. Where nobody says what time it is there, it stays
 * as far behind the highest value as fetching took.
 */
function watermarkAfter(
  { began, seconds }: Fetched,
  { watermark, high }: Checkpoint,
  type: LogicalType,
): string | undefined {
  if (high === undefined) return watermark;
  if (type.kind !== 'timestamp' && type.kind !== 'date') return greaterCursor(watermark, high, type);
  let rises = backBy(high, seconds + 1, type);
  if (began !== undefined && type.kind === 'timestamp' && type.zone) {
    const moment = renderCursor(BigInt(Date.parse(began)) * 1000n, INSTANT);
    rises = lesserCursor(high, moment, type);
  }
  return greaterCursor(watermark, rises, type);
}
