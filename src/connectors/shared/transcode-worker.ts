/** The thread between two wires: it decodes the bytes of a source and encodes them for a destination. */
import { parentPort } from 'node:worker_threads';
import { RingConsumer, type RingMemory, RingProducer } from '../../core/byte-ring.ts';
import type { DecoderFactory } from '../../core/decoder.ts';
import type { EncoderFactory, EncoderSpec } from '../../core/encoder.ts';
import { errorToJson } from '../../core/error-json.ts';
import { schemaFromJson, type SchemaJson } from '../../core/schema.ts';
import type { DecodeFacts, DecoderSpec } from '../../core/source.ts';
import { codec, withCoerced } from './codec.ts';
import { collectGarbage, keepShapes } from '../../core/collect-garbage.ts';
import { sourceFailed } from './feed-thread.ts';
import type { ThreadReply } from './task-thread.ts';

export interface TranscodeTask {
  input: RingMemory;
  output: RingMemory;
  schema: SchemaJson;
  decoder: DecoderSpec;
  encoder: EncoderSpec;
}

export interface Transcoded {
  id: number;
  facts: DecodeFacts;
}

const PROGRESS_MS = 200;

const port = parentPort!;
const reply = (message: ThreadReply | Transcoded): void => port.postMessage(message);

port.on('message', (task: TranscodeTask & { id: number }) => {
  void transcode(task)
    .catch((error: unknown) =>
      reply({ kind: 'failed', id: task.id, error: errorToJson(error, 'converting rows') }),
    )
    .then(collectGarbage);
});
reply({ kind: 'ready' });

async function transcode(task: TranscodeTask & { id: number }): Promise<void> {
  const input = new RingConsumer(task.input);
  const output = new RingProducer(task.output);
  try {
    const schema = schemaFromJson(task.schema);
    const createDecoder = await codec<DecoderFactory>(task.decoder);
    const createEncoder = await codec<EncoderFactory>(task.encoder);
    const decoder = createDecoder(input, schema, task.decoder.options);
    const encoder = createEncoder(schema, task.encoder.options);
    let reported = 0;
    for (let batch = decoder.next(); batch; batch = decoder.next()) {
      // Whoever empties the ring knows why it stopped.
      if (!output.writeAll(encoder.encode(batch))) break;
      const now = performance.now();
      if (now - reported < PROGRESS_MS) continue;
      reported = now;
      const { rows, bytes } = decoder.facts();
      reply({ kind: 'progress', id: task.id, rows, bytes });
    }
    if (input.end !== 'ended') throw sourceFailed();
    output.end();
    reply({ id: task.id, facts: withCoerced(decoder.facts(), encoder.coerced()) });
    keepShapes(decoder, encoder);
  } catch (error) {
    input.abandon();
    output.end('failed');
    throw error;
  }
}
