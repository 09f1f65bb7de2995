import type { Socket } from 'node:net';
import type pg from 'pg';
import type { ByteSink } from '../../core/byte-ring.ts';
import { SocketTap } from '../shared/socket-tap.ts';
import { COPY_DATA, MESSAGE_HEADER } from './copy-wire.ts';

/** The form of bytes that a COPY … FROM STDIN of another server takes as they are. */
export const COPY_FORM = 'postgres-copy';

/** The parts of pg's client that carry the wire; not in its published types. */
interface WireClient {
  connection: { stream: Socket };
}

/**
 * Runs a COPY … TO STDOUT and moves its CopyData messages, framing included, from the socket into the ring in
 * large pieces; every other message goes to pg's own parser, so results and errors arrive as for any query.
 * Nothing happens here per row but one step over the message's length. Returns how many rows the server says it has sent.
 */
export async function copyOut(
  client: pg.Client,
  sql: string,
  ring: ByteSink,
  onBytes: (bytes: number) => void,
): Promise<number> {
  const socket = (client as unknown as WireClient).connection.stream;
  const tap = new CopyTap(socket, ring, onBytes);
  try {
    const { rowCount } = await client.query(sql);
    await tap.drained();
    return rowCount ?? 0;
  } finally {
    tap.remove();
  }
}

class CopyTap {
  readonly #tap: SocketTap;
  /** Bytes still to come of the message that the last chunk ended in, and whether it is CopyData. */
  #left = 0;
  #isData = false;
  /** A header that the chunk border cut, as far as it has come. */
  #header: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, sink: ByteSink, onBytes: (bytes: number) => void) {
    this.#tap = new SocketTap(socket, {
      sink,
      receive: (chunk) => this.#receive(chunk),
      onBytes,
      // Whoever read the sink has failed: end the connection instead of reading the rest of the table.
      abandoned: () => void socket.destroy(),
    });
  }

  remove(): void {
    this.#tap.remove();
  }

  drained(): Promise<void> {
    return this.#tap.drained();
  }

  #receive(input: Buffer): void {
    let chunk = input;
    if (this.#header.length > 0) {
      chunk = Buffer.concat([this.#header, input]);
      this.#header = Buffer.alloc(0);
    }
    let at = 0;
    while (at < chunk.length) at = this.#segment(chunk, at);
  }

  /** Takes the longest run of messages of one sort from `at` and returns where it ends. */
  #segment(chunk: Buffer, at: number): number {
    let end = at;
    let left = this.#left;
    const data = left === 0 ? chunk[at] === COPY_DATA : this.#isData;
    const size = chunk.length;
    while (end < size) {
      if (left === 0) {
        if ((chunk[end] === COPY_DATA) !== data) break;
        if (size - end < MESSAGE_HEADER) {
          // The length of a message is known only with its whole header: keep the cut one for the next chunk.
          this.#header = Buffer.from(chunk.subarray(end));
          this.#left = 0;
          this.#deliver(chunk, at, end, data);
          return size;
        }
        left =
          1 + ((chunk[end + 1]! << 24) | (chunk[end + 2]! << 16) | (chunk[end + 3]! << 8) | chunk[end + 4]!);
      }
      const take = Math.min(left, size - end);
      left -= take;
      end += take;
    }
    this.#left = left;
    this.#isData = data;
    this.#deliver(chunk, at, end, data);
    return end;
  }

  #deliver(chunk: Buffer, from: number, to: number, data: boolean): void {
    if (data) this.#tap.deliver(chunk, from, to);
    else if (from < to) this.#tap.hand(Buffer.from(chunk.subarray(from, to)));
  }
}
