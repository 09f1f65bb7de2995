/**
 * Which way rows go to a table, chosen by what was read of them. A slice of few bytes is converted in this thread: a thread of
 * its own takes longer to start than such rows take.
 */
import type { Batch } from '../../../core/batch.ts';
import { type ByteSink, RingConsumer, RingProducer, sendAll } from '../../../core/byte-ring.ts';
import type { DecoderFactory } from '../../../core/decoder.ts';
import type { LoadedBy, LoadSizes } from '../../../core/destination.ts';
import type { Encoder, EncoderFactory, EncoderSpec } from '../../../core/encoder.ts';
import { CancelledError, throwIfAborted } from '../../../core/errors.ts';
import type { BytesReader, DecodeFacts } from '../../../core/source.ts';
import type { LoadMethod } from '../../../core/stream.ts';
import { codec, withCoerced } from '../codec.ts';
import { firstBytes } from '../first-bytes.ts';
import { giveRing, takeRing } from '../idle-rings.ts';
import type { OnProgress } from '../task-thread.ts';
import type { ThreadPool } from '../thread-pool.ts';
import type { Transcoder } from '../transcoder.ts';

/**
 * Bytes of the wire up to which rows are converted in this thread. A run of 10 records of CSV takes 0.51 s of CPU without another
 * thread and 0.59 with one, of 1,000 (0.1 MB) 0.69 and 0.72; of 10,000 both take the same, and two threads are done sooner.
 */
const HERE_BYTES = 256 << 10;

export interface RowsToLoad {
  reader: BytesReader;
  /** What the user wants. */
  asked: LoadMethod | undefined;
  sizes: LoadSizes;
  pool: ThreadPool<Transcoder>;
  /** The reader's form that goes on as it is. */
  direct?: string;
  /** Called once, when it is known which way: what takes the rows, and makes of batches what it takes. */
  open(method: LoadMethod): Promise<{ sink: ByteSink; encoder: EncoderSpec }>;
  onRows: OnProgress;
  signal: AbortSignal;
}

/** Resolves when all rows are in the sink. */
export async function loadRows(job: RowsToLoad): Promise<{ facts: DecodeFacts; by: LoadedBy }> {
  const { reader, sizes } = job;
  const fixed = fixedWay(job);
  if (reader.direct && reader.direct.format === job.direct) {
    if (fixed) return { facts: await pumpDirect(job, reader, fixed.method), by: fixed };
    return firstBytes(reader, sizes.bytes, {
      whole: async (bytes) => {
        const method = reader.direct!.facts().rows <= sizes.rows ? 'statements' : 'bulk';
        const { sink } = await job.open(method);
        await send(sink, bytes);
        return { facts: directFacts(reader, bytes.length), by: { method, why: 'size' } };
      },
      more: async (rest) => ({
        facts: await pumpDirect(job, rest, 'bulk'),
        by: { method: 'bulk', why: 'size' },
      }),
    });
  }
  return firstBytes(reader, HERE_BYTES, {
    whole: (bytes) => convertHere(job, bytes, fixed),
    more: async (rest) => {
      const by = fixed ?? ({ method: 'bulk', why: 'size' } as const);
      const { sink, encoder } = await job.open(by.method);
      const { onRows, signal } = job;
      const convert = (thread: Transcoder): Promise<DecodeFacts> =>
        thread.run({ reader: rest, encoder, sink, onRows }, signal);
      return { facts: await job.pool.use(convert), by };
    },
  });
}

/** What nobody has to look at rows for. */
function fixedWay({ asked, sizes }: RowsToLoad): LoadedBy | undefined {
  if (asked) return { method: asked, why: 'asked' };
  return sizes.noBulk === undefined ? undefined : { method: 'statements', why: 'server' };
}

async function send(sink: ByteSink, bytes: Uint8Array): Promise<void> {
  if (await sendAll(sink, bytes)) return;
  throw new CancelledError('the destination stopped reading', { code: 'sql.sink_closed' });
}

async function pumpDirect(job: RowsToLoad, reader: BytesReader, method: LoadMethod): Promise<DecodeFacts> {
  const { sink } = await job.open(method);
  let bytes = 0;
  await reader.pump(sink, (more) => job.onRows(0, (bytes += more)));
  if (sink.abandoned)
    throw new CancelledError('the destination stopped reading', { code: 'sql.sink_closed' });
  return directFacts(reader, bytes);
}

function directFacts(reader: BytesReader, bytes: number): DecodeFacts {
  return { ...reader.direct!.facts(), bytes };
}

async function convertHere(
  job: RowsToLoad,
  bytes: Buffer,
  fixed: LoadedBy | undefined,
): Promise<{ facts: DecodeFacts; by: LoadedBy }> {
  const { reader, sizes, onRows, signal } = job;
  throwIfAborted(signal);
  // It holds all of them, so the decoder never waits.
  const ring = takeRing();
  const producer = new RingProducer(ring);
  producer.write(bytes, 0, bytes.length);
  producer.end();
  const { decoder: spec, schema } = reader;
  const decoder = (await codec<DecoderFactory>(spec))(new RingConsumer(ring), schema, spec.options);
  const rows = new RowsHere(job);
  let by = fixed ?? (bytes.length > sizes.bytes ? ({ method: 'bulk', why: 'size' } as const) : undefined);
  for (let batch = decoder.next(); batch; batch = decoder.next()) {
    if (!by && rows.held + batch.rows > sizes.rows) by = { method: 'bulk', why: 'size' };
    if (by) await rows.send(batch, by.method);
    else rows.hold(batch);
  }
  by ??= { method: 'statements', why: 'size' };
  const coerced = await rows.end(by.method);
  const facts = withCoerced(decoder.facts(), coerced);
  giveRing(ring);
  onRows(facts.rows, facts.bytes);
  return { facts, by };
}

/** Batches until it is known which way they go. */
class RowsHere {
  readonly #job: RowsToLoad;
  #batches: Batch[] = [];
  #to: { sink: ByteSink; encoder: Encoder } | undefined;
  held = 0;

  constructor(job: RowsToLoad) {
    this.#job = job;
  }

  hold(batch: Batch): void {
    this.#batches.push(batch.copy());
    this.held += batch.rows;
  }

  async send(batch: Batch, method: LoadMethod): Promise<void> {
    const { sink, encoder } = await this.#open(method);
    throwIfAborted(this.#job.signal);
    await send(sink, encoder.encode(batch));
  }

  /** Values that were changed, by column. */
  async end(method: LoadMethod): Promise<Record<string, number>> {
    return (await this.#open(method)).encoder.coerced();
  }

  async #open(method: LoadMethod): Promise<{ sink: ByteSink; encoder: Encoder }> {
    if (this.#to) return this.#to;
    const { sink, encoder: spec } = await this.#job.open(method);
    const encoder = (await codec<EncoderFactory>(spec))(this.#job.reader.schema, spec.options);
    this.#to = { sink, encoder };
    for (const batch of this.#batches) await send(sink, encoder.encode(batch));
    this.#batches = [];
    return this.#to;
  }
}
