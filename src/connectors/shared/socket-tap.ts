import type { Socket } from 'node:net';
import type { ByteSink } from '../../core/byte-ring.ts';
import { setCopies } from './reusing-socket.ts';

export interface TapJob {
  sink: ByteSink;
  /** Looks at what has come and calls {@link SocketTap.deliver} or {@link SocketTap.hand} for all of it. */
  receive(chunk: Buffer): void;
  onBytes(bytes: number): void;
  /** Nobody takes bytes any more; may be called more than once. */
  abandoned(): void;
}

/**
 * Takes the bytes that a socket brings away from a driver: rows go to a sink, as fast as that takes them, everything else back
 * to the driver's own parser.
 */
export class SocketTap {
  readonly #socket: Socket;
  readonly #job: TapJob;
  readonly #others: ((chunk: Buffer) => void)[];
  readonly #listener: (chunk: Buffer) => void;
  /** Pieces that did not fit the sink, in order. */
  #waiting: Buffer[] = [];
  #flushing: Promise<void> | undefined;

  constructor(socket: Socket, job: TapJob) {
    this.#socket = socket;
    this.#job = job;
    this.#others = socket.listeners('data') as ((chunk: Buffer) => void)[];
    this.#listener = (chunk) => job.receive(chunk);
    socket.removeAllListeners('data');
    setCopies(socket, true);
    socket.on('data', this.#listener);
  }

  /** Gives the socket back to the driver. */
  remove(): void {
    this.#socket.removeListener('data', this.#listener);
    setCopies(this.#socket, false);
    for (const other of this.#others)
      if (!this.#socket.listeners('data').includes(other)) this.#socket.on('data', other);
    this.#socket.resume();
  }

  /** Resolves when everything delivered is in the sink, or nobody reads it any more. */
  async drained(): Promise<void> {
    await this.#flushing;
  }

  /** To the driver's parser, which keeps what it is given. */
  hand(piece: Buffer): void {
    for (const other of this.#others) other.call(this.#socket, piece);
  }

  /** To the sink; what it has no room for waits, and with it the socket. */
  deliver(chunk: Buffer, from: number, to: number): void {
    if (from === to) return;
    const { sink } = this.#job;
    this.#job.onBytes(to - from);
    if (sink.abandoned) {
      this.#job.abandoned();
      return;
    }
    const written = this.#flushing ? 0 : sink.write(chunk, from, to);
    if (written === to - from) return;
    this.#waiting.push(Buffer.from(chunk.subarray(from + written, to)));
    this.#flushing ??= this.#flush();
  }

  async #flush(): Promise<void> {
    const { sink } = this.#job;
    this.#socket.pause();
    while (this.#waiting.length > 0 && !sink.abandoned) {
      await sink.room();
      const piece = this.#waiting[0]!;
      const written = sink.write(piece, 0, piece.length);
      if (written === piece.length) this.#waiting.shift();
      else this.#waiting[0] = piece.subarray(written);
    }
    this.#waiting = [];
    this.#flushing = undefined;
    if (sink.abandoned) this.#job.abandoned();
    this.#socket.resume();
  }
}
