import type { Socket } from 'node:net';
import type pg from 'pg';
import type { ByteSink } from '../../core/byte-ring.ts';
import { COPY_DATA, FILE_HEADER, MESSAGE_HEADER } from './copy-wire.ts';
import type { LoadStamp } from './load-stamp.ts';

/** The parts of pg's connection that a COPY … FROM STDIN takes; not in its published types. */
interface WireConnection {
  stream: Socket;
  query(text: string): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** The count of fields that a row begins with, and which the trailer is instead of a row. */
const COUNT = 2;
/** What goes to the socket at a time, as one message; the buffers go round. */
const PIECE_BYTES = 256 << 10;
/** Pieces on their way before the producer has to wait. */
const PIECES = 4;

/** What each row ends with, and how many fields it has then. */
type RowStamp = Pick<LoadStamp, 'bytes'> & { fields: number };

/**
 * A COPY … FROM STDIN as a sink for CopyData messages, framing included: what comes from another server's COPY … TO STDOUT
 * goes on as it is, but for its framing. A server sends one message per row, and takes them the better the larger they are: a
 * message per row cost it a sixth more time. To be passed to `client.query`.
 */
export class CopyIn implements ByteSink, pg.Submittable {
  readonly #sql: string;
  readonly #stamp: RowStamp | undefined;
  readonly #opened = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  readonly #free: Buffer[] = [];
  #connection: WireConnection | undefined;
  #under = 0;
  /** The piece that is being filled, up to `#filled`. */
  #piece: Buffer | undefined;
  #filled = 0;
  /** Bytes still to come of the message that is being read, and a header that was cut. */
  #left = 0;
  readonly #header: Buffer = Buffer.alloc(MESSAGE_HEADER);
  #headerBytes = 0;
  #wake: (() => void) | undefined;
  #error: Error | undefined;
  #rows = 0;
  /** Bytes of a message up to the end of the count of fields, which are those of the file's header as well at first. */
  #head = FILE_HEADER + COUNT;
  /** Of the row that is being read: how many of these are still to come, and whether it is one. */
  #toCount = 0;
  #isRow = false;

  /**
   * `stamp` is for messages that are a row each, but for the first one, which has the header of the file as well, and for the trailer:
   * it is put behind each row.
   */
  constructor(sql: string, stamp?: RowStamp) {
    this.#sql = sql;
    this.#stamp = stamp;
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
    while (at < to && !this.abandoned) {
      if (this.#left === 0) {
        at = this.#readHeader(source, at, to);
        if (this.#stamp && this.#left > 0) this.#beginRow();
        continue;
      }
      const piece = (this.#piece ??= this.#newPiece());
      if (!piece) break;
      const size = Math.min(this.#left, to - at, PIECE_BYTES - this.#filled);
      // A call costs more than a short loop.
      if (size < 48) for (let k = 0; k < size; k++) piece[this.#filled + k] = source[at + k]!;
      else source.copy(piece, this.#filled, at, at + size);
      this.#filled += size;
      this.#left -= size;
      at += size;
      if (this.#isRow) this.#stampRow(piece, size);
      if (this.#filled >= PIECE_BYTES) this.#send();
    }
    return at - from;
  }

  #beginRow(): void {
    this.#isRow = this.#left > this.#head;
    this.#toCount = this.#head;
    this.#head = COUNT;
    // It is changed where it lies.
    if (this.#piece && PIECE_BYTES - this.#filled < this.#toCount) this.#send();
  }

  /** After so many more bytes of it: changes its count once that is there, and ends it. */
  #stampRow(piece: Buffer, size: number): void {
    const { fields, bytes } = this.#stamp!;
    if (this.#toCount > 0) {
      this.#toCount -= size;
      if (this.#toCount <= 0) piece.writeInt16BE(fields, this.#filled + this.#toCount - COUNT);
    }
    if (this.#left > 0) return;
    for (let k = 0; k < bytes.length; k++) piece[this.#filled + k] = bytes[k]!;
    this.#filled += bytes.length;
    this.#isRow = false;
  }

  /** Takes the header of a message, or as much of it as there is; where reading goes on. */
  #readHeader(source: Buffer, from: number, to: number): number {
    if (this.#headerBytes === 0 && to - from >= MESSAGE_HEADER) {
      this.#left = source.readInt32BE(from + 1) - 4;
      return from + MESSAGE_HEADER;
    }
    const size = Math.min(MESSAGE_HEADER - this.#headerBytes, to - from);
    source.copy(this.#header, this.#headerBytes, from, from + size);
    this.#headerBytes += size;
    if (this.#headerBytes === MESSAGE_HEADER) {
      this.#left = this.#header.readInt32BE(1) - 4;
      this.#headerBytes = 0;
    }
    return from + size;
  }

  #newPiece(): Buffer | undefined {
    if (this.#under >= PIECES) return undefined;
    this.#filled = MESSAGE_HEADER;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES + (this.#stamp?.bytes.length ?? 0));
  }

  #send(): void {
    const piece = this.#piece;
    if (!piece) return;
    this.#piece = undefined;
    piece[0] = COPY_DATA;
    piece.writeInt32BE(this.#filled - 1, 1);
    this.#under++;
    this.#connection!.stream.write(piece.subarray(0, this.#filled), () => {
      this.#free.push(piece);
      this.#under--;
      this.#wake?.();
    });
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
    if (!this.#error) {
      this.#send();
      this.#connection!.endCopyFrom();
    }
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
