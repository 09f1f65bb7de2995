import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../../core/byte-ring.ts';
import type { Client } from './client.ts';
import { packets, row, text } from './row-wire.fixture.ts';
import { rowsOut } from './rows-out.ts';

/** A socket, and a driver that collects what it is given and is content with an end or an error. */
function fake(chunks: Buffer[]): { client: Client; seen: Buffer } {
  const socket = new EventEmitter();
  const state = { seen: Buffer.alloc(0) };
  let settle: (error: Error | null) => void = () => undefined;
  socket.on('data', (chunk: Buffer) => {
    state.seen = Buffer.concat([state.seen, chunk]);
    const first = chunk[4];
    if (first === 0xff) settle(new Error('the server says no'));
    if (first === 0xfe && state.seen.filter((byte) => byte === 0xfe).length === 2) settle(null);
  });
  Object.assign(socket, { pause: () => socket, resume: () => socket, destroyed: false });
  const connection = {
    prepare: (_sql: string, done: (error: null, statement: object) => void) =>
      done(null, {
        columns: [],
        execute: (_values: unknown[], finished: typeof settle) => {
          settle = finished;
          for (const chunk of chunks) socket.emit('data', chunk);
        },
      }),
    unprepare: () => undefined,
  };
  const client = { connection, socket, waiting: 0, alive: true } as unknown as Client;
  return {
    client,
    get seen() {
      return state.seen;
    },
  };
}

const EOF = Buffer.from([0xfe, 0, 0, 2, 0]);

function answer(rows: Buffer[], end: Buffer): { head: Buffer; body: Buffer; tail: Buffer } {
  return {
    head: Buffer.concat([
      packets(Buffer.from([2]), 1),
      packets(Buffer.from('column one'), 2),
      packets(Buffer.from('column two'), 3),
      packets(EOF, 4),
    ]),
    body: Buffer.concat(rows.map((payload, i) => packets(payload, 5 + i))),
    tail: packets(end, 5 + rows.length),
  };
}

async function run(chunks: Buffer[]): Promise<{ rows: Buffer; seen: Buffer; error: unknown; bytes: number }> {
  const memory = createRing(1 << 12, 64);
  const ring = new RingProducer(memory);
  const made = fake(chunks);
  let bytes = 0;
  let error: unknown;
  await rowsOut({
    client: made.client,
    sql: 'SELECT',
    expect: () => undefined,
    ring,
    onBytes: (more) => (bytes += more),
    stop: () => undefined,
  }).catch((thrown: unknown) => (error = thrown));
  ring.end();
  const consumer = new RingConsumer(memory);
  const parts: Buffer[] = [];
  for (let block = consumer.next(); block; block = consumer.next())
    parts.push(Buffer.from(consumer.memory.slice(block.start, block.end)));
  return { rows: Buffer.concat(parts), seen: made.seen, error, bytes };
}

describe('rows out of the socket', () => {
  const rows = [row([text('a'), null]), row([null, null]), row([text('b'.repeat(260)), text('')])];

  it('parts rows from the rest wherever the stream is cut, and renumbers the end for the driver', async () => {
    const { head, body, tail } = answer(rows, EOF);
    const wire = Buffer.concat([head, body, tail]);
    const rest = Buffer.concat([head, packets(EOF, 5)]);
    for (let cut = 1; cut < wire.length; cut++) {
      const result = await run([wire.subarray(0, cut), wire.subarray(cut)]);
      expect(result.error).toBeUndefined();
      expect(result.rows.equals(body)).toBe(true);
      expect(result.seen.equals(rest)).toBe(true);
      expect(result.bytes).toBe(body.length);
    }
    const single = await run(Array.from(wire, (_, i) => wire.subarray(i, i + 1)));
    expect(single.rows.equals(body)).toBe(true);
    expect(single.seen.equals(rest)).toBe(true);
  });

  it('hands on an error in the middle of the rows', async () => {
    const { head, body, tail } = answer(
      rows,
      Buffer.concat([Buffer.from([0xff, 0x25, 0x05]), Buffer.from('#70100interrupted')]),
    );
    const wire = Buffer.concat([head, body, tail]);
    for (let cut = 1; cut < wire.length; cut += 3) {
      const result = await run([wire.subarray(0, cut), wire.subarray(cut)]);
      expect(String(result.error)).toContain('the server says no');
      expect(result.rows.equals(body)).toBe(true);
    }
  });

  it('hands on a refusal before any column', async () => {
    const result = await run([packets(Buffer.from([0xff, 1, 0]), 1)]);
    expect(String(result.error)).toContain('the server says no');
    expect(result.rows.length).toBe(0);
  });
});
