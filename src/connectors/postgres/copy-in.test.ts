import { EventEmitter } from 'node:events';
import type pg from 'pg';
import { expect, it } from 'vitest';
import { CopyIn } from './copy-in.ts';
import { message } from './copy-wire.fixture.ts';

/** Takes what is written, at once or when it is told to. */
class FakeSocket extends EventEmitter {
  readonly written: Buffer[] = [];
  readonly callbacks: (() => void)[] = [];
  destroyed = false;
  slow = false;

  write(bytes: Buffer, done: () => void): boolean {
    this.written.push(Buffer.from(bytes));
    if (this.slow) this.callbacks.push(done);
    else done();
    return true;
  }
}

function open(): { copy: CopyIn; socket: FakeSocket; ended: () => number } {
  const socket = new FakeSocket();
  let ends = 0;
  const connection = {
    stream: socket,
    query: () => undefined,
    endCopyFrom: () => ends++,
    sendCopyFail: () => undefined,
  };
  const copy = new CopyIn('COPY t FROM STDIN');
  copy.submit(connection as unknown as pg.Connection);
  return { copy, socket, ended: () => ends };
}

function payload(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes[at]).toBe(100);
    const size = bytes.readInt32BE(at + 1);
    parts.push(bytes.subarray(at + 5, at + 1 + size));
    at += 1 + size;
  }
  return Buffer.concat(parts);
}

const BODIES = [Buffer.from('first row'), Buffer.alloc(0), Buffer.alloc(300, 1), Buffer.from('x')];
const BYTES = Buffer.concat(BODIES.map(message));

it('sends the same bytes in other messages, wherever they are cut', async () => {
  for (let cut = 0; cut <= BYTES.length; cut++) {
    const { copy, socket } = open();
    expect(copy.write(BYTES, 0, cut) + copy.write(BYTES, cut, BYTES.length)).toBe(BYTES.length);
    copy.handleCommandComplete({ text: 'COPY 4' });
    copy.handleReadyForQuery();
    expect(await copy.finish()).toBe(4);
    expect(payload(Buffer.concat(socket.written)), `cut at ${cut}`).toEqual(Buffer.concat(BODIES));
  }
});

it('sends one message for many small ones, and several for a large one', async () => {
  const { copy, socket } = open();
  const many = Buffer.concat(Array.from({ length: 1000 }, () => message(Buffer.alloc(20, 7))));
  expect(copy.write(many, 0, many.length)).toBe(many.length);
  copy.handleReadyForQuery();
  await copy.finish();
  expect(socket.written).toHaveLength(1);
  const large = message(Buffer.alloc(1_000_000, 3));
  const other = open();
  for (let at = 0; at < large.length;) {
    at += other.copy.write(large, at, large.length);
    await other.copy.room();
  }
  other.copy.handleReadyForQuery();
  await other.copy.finish();
  expect(other.socket.written.length).toBeGreaterThan(3);
  expect(payload(Buffer.concat(other.socket.written))).toEqual(Buffer.alloc(1_000_000, 3));
});

it('takes no more than what is on its way, until the socket has taken some', async () => {
  const { copy, socket } = open();
  socket.slow = true;
  const large = message(Buffer.alloc(5_000_000));
  const taken = copy.write(large, 0, large.length);
  expect(taken).toBeLessThan(1_200_000);
  expect(copy.write(large, taken, large.length)).toBe(0);
  let free = false;
  const waiting = copy.room().then(() => (free = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(free).toBe(false);
  socket.callbacks.shift()!();
  await waiting;
  expect(copy.write(large, taken, large.length)).toBeGreaterThan(0);
});

it('ends when the server refuses rows, also for who waits for room', async () => {
  const { copy, socket, ended } = open();
  socket.slow = true;
  const large = message(Buffer.alloc(5_000_000));
  copy.write(large, 0, large.length);
  const waiting = copy.room();
  copy.handleError(new Error('refused'));
  await waiting;
  expect(copy.abandoned).toBe(true);
  expect(copy.write(large, 0, large.length)).toBe(0);
  await expect(copy.finish()).rejects.toThrow('refused');
  expect(ended()).toBe(0);
});
