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

function open(stamp?: ConstructorParameters<typeof CopyIn>[1]): {
  copy: CopyIn;
  socket: FakeSocket;
  ended: () => number;
} {
  const socket = new FakeSocket();
  let ends = 0;
  const connection = {
    stream: socket,
    query: () => undefined,
    endCopyFrom: () => ends++,
    sendCopyFail: () => undefined,
  };
  const copy = new CopyIn('COPY t FROM STDIN', stamp);
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

/** Rows of one field, with the count of fields that they have then, and what they end with. */
function rowsOf(sizes: readonly number[], fields: number, end: Buffer): Buffer[] {
  return sizes.map((size, i) => {
    const row = Buffer.alloc(6 + size, i % 251);
    row.writeInt16BE(fields, 0);
    row.writeInt32BE(size, 2);
    return Buffer.concat([row, end]);
  });
}

const FILE_HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);
const STAMP = { columns: ['b'], bytes: Buffer.from('\0\0\0\x08a stamp!', 'latin1'), fields: 2 };
const NONE = Buffer.alloc(0);

/** As a server sends rows, and what another one is to get. */
function stampedRows(sizes: readonly number[], headerAlone: boolean): { sent: Buffer; wanted: Buffer } {
  const [first, ...others] = rowsOf(sizes, 1, NONE);
  const begin = first && !headerAlone ? [Buffer.concat([FILE_HEADER, first])] : [FILE_HEADER, first ?? NONE];
  const sent = Buffer.concat([...begin, ...others, TRAILER].map(message));
  return { sent, wanted: Buffer.concat([FILE_HEADER, ...rowsOf(sizes, 2, STAMP.bytes), TRAILER]) };
}

async function throughPieces(bytes: Buffer, pieces: readonly number[]): Promise<Buffer> {
  const { copy, socket } = open(STAMP);
  let at = 0;
  for (const end of [...pieces, bytes.length])
    while (at < end) {
      at += copy.write(bytes, at, end);
      await copy.room();
    }
  copy.handleReadyForQuery();
  await copy.finish();
  return payload(Buffer.concat(socket.written));
}

it('puts a stamp behind each row, wherever the bytes are cut', async () => {
  for (const headerAlone of [false, true]) {
    const { sent, wanted } = stampedRows([3, 0, 40, 1], headerAlone);
    for (let cut = 0; cut <= sent.length; cut++)
      expect(await throughPieces(sent, [cut, Math.min(cut + 1, sent.length)]), `cut at ${cut}`).toEqual(
        wanted,
      );
  }
});

it('puts none where there are no rows', async () => {
  const { sent, wanted } = stampedRows([], false);
  expect(await throughPieces(sent, [])).toEqual(wanted);
  const together = message(Buffer.concat([FILE_HEADER, TRAILER]));
  expect(await throughPieces(together, [4, 9])).toEqual(wanted);
});

it('puts stamps behind rows that fill messages of the server to their last byte, or are larger than one', async () => {
  const sizes = Array.from({ length: 300 }, (_, i) => 200_000 - i * 997 + (i % 7)).filter((size) => size > 0);
  // One after the other they end at each place near the end of a message.
  const ends = Array.from({ length: 60 }, (_, i) => 262_144 - 19 - 5 - 6 - 30 + i);
  for (const list of [sizes, ...ends.map((size) => [size, 5, 700_000])]) {
    const { sent, wanted } = stampedRows(list, false);
    expect((await throughPieces(sent, [])).equals(wanted)).toBe(true);
  }
});
