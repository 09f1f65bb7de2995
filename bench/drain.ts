/**
 * A program of its own: `node drain.ts <url> <statement>` runs a COPY … TO STDOUT and throws away what comes, without
 * looking at more than the border of each message. For servers that trust us.
 * Messages: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { Socket } from 'node:net';

const READ_BYTES = 256 << 10;
const HEADER = 5;
const [ERROR, READY] = [0x45, 0x5a]; // 'E', 'Z'

const [, , target = '', statement = ''] = process.argv;
const url = new URL(target);

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.from(`${type}\0\0\0\0`);
  head.writeInt32BE(body.length + 4, type.length);
  return Buffer.concat([head, body]);
}

const version = Buffer.from([0, 3, 0, 0]);
const parameters = [
  text('user'),
  text(url.username),
  text('database'),
  text(url.pathname.slice(1)),
  Buffer.from([0]),
];

let header = Buffer.alloc(0);
/** Bytes of the current message that are still to come. */
let left = 0;
let ready = 0;

function receive(chunk: Buffer): void {
  let at = 0;
  while (at < chunk.length) {
    if (left === 0) {
      const take = Math.min(HEADER - header.length, chunk.length - at);
      header = Buffer.concat([header, chunk.subarray(at, at + take)]);
      at += take;
      if (header.length < HEADER) return;
      left = header.readInt32BE(1) - 4;
      begin(header[0]!);
      header = Buffer.alloc(0);
    }
    const skip = Math.min(left, chunk.length - at);
    at += skip;
    left -= skip;
  }
}

function begin(type: number): void {
  if (type === ERROR) throw new Error(`the server refused: ${statement}`);
  if (type !== READY) return;
  ready++;
  if (ready === 1) socket.write(message('Q', text(statement)));
  else socket.end(message('X', Buffer.alloc(0)));
}

const socket = new Socket({
  onread: {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (length: number, buffer: Uint8Array): boolean => {
      receive(Buffer.from(buffer.buffer, buffer.byteOffset, length));
      return true;
    },
  },
});
socket.on('close', () => {
  if (ready < 2) throw new Error('the server closed the connection before the end');
});
socket.connect(Number(url.port), url.hostname, () =>
  socket.write(message('', Buffer.concat([version, ...parameters]))),
);
