import type { Socket } from 'node:net';
import type pg from 'pg';
import type { ByteSink } from '../../core/byte-ring.ts';

/** The parts of pg's connection that a COPY … FROM STDIN takes; not in its published types. */
interface WireConnection {
  stream: Socket;
  query(text: string): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** What goes to the socket at a time; the buffers go round. */
const PIECE_BYTES = 256 << 10;
/** Pieces on their way before the producer has to wait. */
const PIECES = 4;

/**
 * A COPY … FROM STDIN as a sink for CopyData messages, framing included: what comes from another server's COPY … TO STDOUT
 * goes on as it is. To be passed to `client.query`.
 */
export class CopyIn implements ByteSink, pg.Submittable {
  readonly #sql: string;
  readonly #opened = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  readonly #free: Buffer[] = [];
  #connection: WireConnection | undefined;
  #under = 0;
  #wake: (() => void) | undefined;
  #error: Error | undefined;
  #rows = 0;

  constructor(sql: string) {
    this.#sql = sql;
    // Nobody may be waiting yet.
    this.#opened.promise.catch(() => undefined);
    this.#done.promise.catch(() => undefined);
  }

  /** Resolves when the server waits for rows. */
  opened(): Promise<void> {
    return this.#opened.promise;
  }

  get abandoned(): boolean {
    return this.#error !== undefined || this.#connection!.stream.destroyed;
  }

  write(source: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to && this.#under < PIECES && !this.abandoned) {
      const piece = this.#free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
      const size = source.copy(piece, 0, at, Math.min(to, at + PIECE_BYTES));
      at += size;
      this.#under++;
      this.#connection!.stream.write(piece.subarray(0, size), () => {
        this.#free.push(piece);
        this.#under--;
        this.#wake?.();
      });
    }
    return at - from;
  }

  async room(): Promise<void> {
    const { stream } = this.#connection!;
    while (this.#under >= PIECES && !this.abandoned) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      // A connection that ends calls nobody back.
      stream.once('close', resolve);
      await promise;
      stream.removeListener('close', resolve);
    }
  }

  /** Ends the copy; the number of rows that the server has taken. */
  async finish(): Promise<number> {
    if (!this.#error) this.#connection!.endCopyFrom();
    await this.#done.promise;
    return this.#rows;
  }

  /** Makes the server forget the copy; resolves when it has. */
  async fail(): Promise<void> {
    if (!this.abandoned) this.#connection!.sendCopyFail('stopped by the client');
    await this.#done.promise.catch(() => undefined);
  }

  /** Of the server, or of the connection; undefined while all is well. */
  get error(): Error | undefined {
    return this.#error;
  }

  submit(connection: pg.Connection): void {
    this.#connection = connection as unknown as WireConnection;
    this.#connection.query(this.#sql);
  }

  handleCopyInResponse(): void {
    this.#opened.resolve();
  }

  handleCommandComplete(message: { text: string }): void {
    this.#rows = Number(/^COPY (\d+)/.exec(message.text)?.[1] ?? 0);
  }

  handleReadyForQuery(): void {
    if (!this.#error) this.#done.resolve();
  }

  handleError(error: Error): void {
    this.#error = error;
    this.#opened.reject(error);
    this.#done.reject(error);
    this.#wake?.();
  }
}
