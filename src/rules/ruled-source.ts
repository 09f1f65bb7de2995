/**
 * A source whose streams have rules is a source: with more columns, and with fewer rows, since those that do not meet a check go
 * aside. Nobody else knows of rules.
 */
import { BATCH_DECODER, withFacts } from '../core/batch-wire.ts';
import type { Comparable } from '../core/compare.ts';
import { ConfigError } from '../core/errors.ts';
import { BATCH_BYTES, RULES_MEMORY } from '../core/memory.ts';
import type { Loaded, SliceReader, SliceToRead, Snapshot, Source, Survey } from '../core/source.ts';
import { type Checkpoint, renamed, type RowRules, type StreamConfig } from '../core/stream.ts';
import { ThreadPool } from '../connectors/shared/thread-pool.ts';
import { areRows, readKeptRows } from './kept-rows.ts';
import { type ReadyRules, ruledFields, sameName } from './rule-sql.ts';
import { RulesThread } from './rules-thread.ts';

export interface RulesPlace {
  /** Slices that are read at once. */
  threads: number;
  /** What the DuckDB of the lane has that a slice goes to: no row is larger than it can take. */
  laneBytes: number;
  /** For what DuckDB spills. */
  tempDirectory: string;
  /** Bytes of the wire that close a batch; undefined: as usual. */
  batchBytes: number | undefined;
}

/** Threads start when the first stream with rules is looked at. */
export function ruledSource(source: Source, place: RulesPlace): Source {
  let started = 0;
  const threads = new ThreadPool(
    () =>
      new RulesThread({
        memoryBytes: RULES_MEMORY,
        tempDirectory: `${place.tempDirectory}-${started++}`,
        threads: 1,
      }),
    Math.max(1, place.threads),
  );
  return {
    check: (signal) => source.check(signal),
    discover: (signal) => source.discover(signal),
    expect: (streams) => source.expect?.(streams),
    open: async (signal, accepts) => new RuledSnapshot(await source.open(signal, accepts), threads, place),
    close: async () => {
      await Promise.all([source.close(), threads.close()]);
    },
  };
}

/** What the survey of a stream with rules is made of; copies of the survey have it too. */
const RULED: unique symbol = Symbol('ruled');

interface Ruled {
  /** As the source has made it. */
  survey: Survey;
  rules: ReadyRules;
}

interface RuledSurvey extends Survey {
  readonly [RULED]?: Ruled;
}

class RuledSnapshot implements Snapshot {
  readonly at: string;
  readonly compare?: NonNullable<Snapshot['compare']>;
  readonly diagnose?: NonNullable<Snapshot['diagnose']>;
  readonly #snapshot: Snapshot;
  readonly #threads: ThreadPool<RulesThread>;
  readonly #place: RulesPlace;

  constructor(snapshot: Snapshot, threads: ThreadPool<RulesThread>, place: RulesPlace) {
    this.at = snapshot.at;
    this.#snapshot = snapshot;
    this.#threads = threads;
    this.#place = place;
    if (snapshot.compare)
      this.compare = (stream, survey) =>
        withoutComputed(snapshot.compare!(stream, ofSource(survey)), (survey as RuledSurvey)[RULED]);
    if (snapshot.diagnose)
      this.diagnose = (stream, survey, request, signal) =>
        snapshot.diagnose!(stream, ofSource(survey), request, signal);
  }

  async survey(...asked: Parameters<Snapshot['survey']>): Promise<Survey> {
    const [stream] = asked;
    const survey = await this.#snapshot.survey(...asked);
    const { schema } = survey;
    const wanted = stream.rules;
    if (!wanted) return survey;
    refuseReplaced(stream, wanted, survey);
    const { mistakes, ...rules } = await this.#threads.use((thread) => thread.read(schema, wanted));
    if (mistakes.length > 0) throw wrongRules(stream, mistakes);
    const fields = ruledFields(schema.fields, rules.computed);
    const ruled: RuledSurvey = { ...survey, schema: { ...schema, fields }, [RULED]: { survey, rules } };
    return ruled;
  }

  async read(
    stream: StreamConfig,
    survey: Survey,
    slice: SliceToRead,
    signal: AbortSignal,
  ): Promise<SliceReader> {
    const ruled = (survey as RuledSurvey)[RULED];
    const reader = await this.#readSource(stream, ofSource(survey), slice, { ruled, signal });
    if (!ruled) return reader;
    const bytes = reader.format === 'bytes' ? reader : withFacts(reader);
    const { aside } = slice;
    const { rules } = ruled;
    return {
      format: 'bytes',
      schema: { ...bytes.schema, fields: ruledFields(bytes.schema.fields, rules.computed) },
      decoder: BATCH_DECODER,
      groups: bytes.groups,
      pump: async (sink) => {
        const task = { name: stream.name, rules, aside, laneBytes: this.#place.laneBytes };
        await this.#threads.use((thread) => thread.apply(task, bytes, sink, signal));
      },
      close: () => bytes.close(),
    };
  }

  /** What the target takes is asked of what rows become, and rows that it has refused are among those that pass. */
  async #readSource(
    stream: StreamConfig,
    survey: Survey,
    slice: SliceToRead,
    { ruled, signal }: { ruled: Ruled | undefined; signal: AbortSignal },
  ): Promise<SliceReader> {
    const { kept } = slice;
    const aside = ruled && slice.aside ? { ...slice.aside, limits: [], refused: [] } : slice.aside;
    if (kept && areRows(kept, stream.name)) {
      const batchBytes = this.#place.batchBytes ?? BATCH_BYTES.usual;
      return readKeptRows(kept, survey.schema, { aside, batchBytes });
    }
    const wanted = { ...slice, aside };
    return this.#snapshot.read(stream, survey, wanted, signal);
  }

  advance(loaded: Loaded): Checkpoint {
    return this.#snapshot.advance({ ...loaded, survey: ofSource(loaded.survey) });
  }

  alive(): Promise<boolean> {
    return this.#snapshot.alive();
  }

  close(): Promise<void> {
    return this.#snapshot.close();
  }
}

function ofSource(survey: Survey): Survey {
  return (survey as RuledSurvey)[RULED]?.survey ?? survey;
}

/** The source knows nothing of these columns. */
function withoutComputed(rows: Comparable, ruled: Ruled | undefined): Comparable {
  if (!ruled || ruled.rules.computed.length === 0) return rows;
  const without = new Set([...(rows.without ?? []), ...ruled.rules.computed.map(({ name }) => name)]);
  return {
    without,
    buckets: (request, signal) => rows.buckets(request, signal),
    rows: (request, buckets, signal) => rows.rows(request, buckets, signal),
    values: (request, named, signal) => rows.values(request, named, signal),
    least: (column, signal) => rows.least(column, signal),
    count: (range, signal) => rows.count(range, signal),
    ...(rows.among && { among: (...asked: Parameters<typeof rows.among>) => rows.among!(...asked) }),
  };
}

/** Rows are found by these columns, in the source and in the table: both have to hold the same. */
function refuseReplaced(stream: StreamConfig, { compute }: RowRules, { schema }: Survey): void {
  const { cursor, date, lookback } = stream;
  const ofSource = [...cursor, date?.column, lookback?.column].filter((column) => column !== undefined);
  const fixed = [...schema.key, ...ofSource.map((column) => renamed(stream, column))];
  const taken = Object.keys(compute).filter((name) => fixed.some((column) => sameName(column, name)));
  const told = taken.map(
    (name) => `compute.${name}: rows are found by this column, which has to stay as it is`,
  );
  if (told.length > 0) throw wrongRules(stream, told);
}

function wrongRules({ name }: StreamConfig, mistakes: readonly string[]): ConfigError {
  return new ConfigError(`planning ${name}: ${mistakes.join('; ')}`, {
    code: 'stream.rules',
    remedy: 'docs/concepts/checks.md says what checks and computed columns can be',
    details: { stream: name, mistakes },
  });
}
