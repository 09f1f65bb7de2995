/** The two ways in which rows go to a server, as sinks for what the encoder makes. */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { ResultSetHeader } from 'mysql2';
import type { ByteSink } from '../../core/byte-ring.ts';
import type { Client } from './client.ts';

/** What the server says of what it took. */
export interface LoadResult {
  rows: number;
  /** Values that it has changed, or rows that it has left out. */
  warnings: number;
}

export interface LoadSink extends ByteSink {
  /** Ends the load. Rejects with what the driver threw. */
  finish(): Promise<LoadResult>;
  /** Gives the load up, with its connection. */
  fail(): void;
  /** Of the server or the connection. */
  readonly error: Error | undefined;
}

/** Parts of the driver's connection that are not in its types. */
interface WireConnection {
  stream: Socket;
  sequenceId: number;
  _bumpSequenceId(packets: number): void;
}

const PACKET_HEADER = 4;
/** Pieces on their way before the producer has to wait. */
const PIECES = 4;

/** LOAD DATA LOCAL INFILE, whose file is what is written here: a packet for each piece, and an empty one at the end. */
export class LoadFile implements LoadSink {
  readonly #client: Client;
  readonly #wire: WireConnection;
  readonly #pieceBytes: number;
  /** The driver believes that it reads a file; it sends the empty packet when that ends. */
  readonly #file = Object.assign(new EventEmitter(), { pause: () => undefined, resume: () => undefined });
  readonly #asked = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<LoadResult>();
  readonly #free: Buffer[] = [];
  #under = 0;
  #wake: (() => void) | undefined;
  #error: Error | undefined;

  /** Each piece is a packet, which the server wants to be of a certain length at most. */
  constructor(client: Client, sql: string, pieceBytes: number) {
    this.#client = client;
    this.#pieceBytes = pieceBytes;
    this.#wire = client.connection as unknown as WireConnection;
    // Nobody may be waiting yet.
    this.#asked.promise.catch(() => undefined);
    this.#done.promise.catch(() => undefined);
    client.waiting++;
    client.connection.query(
      {
        sql,
        infileStreamFactory: () => {
          // The driver listens first.
          process.nextTick(() => this.#asked.resolve());
          return this.#file as never;
        },
      },
      (error, result) => this.#ended(error, result as ResultSetHeader),
    );
  }

  #ended(error: Error | null, result: ResultSetHeader): void {
    this.#client.waiting--;
    if (error) {
      this.#error = error;
      this.#asked.reject(error);
      this.#done.reject(error);
    } else this.#done.resolve({ rows: Number(result.affectedRows), warnings: result.warningStatus });
    this.#wake?.();
  }

  /** Resolves when the server waits for rows. */
  opened(): Promise<void> {
    return this.#asked.promise;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  get abandoned(): boolean {
    return this.#error !== undefined || this.#wire.stream.destroyed;
  }

  write(source: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to && this.#under < PIECES && !this.abandoned) {
      const piece = this.#free.pop() ?? Buffer.allocUnsafeSlow(PACKET_HEADER + this.#pieceBytes);
      const size = source.copy(piece, PACKET_HEADER, at, Math.min(to, at + this.#pieceBytes));
      piece.writeUIntLE(size, 0, 3);
      piece[3] = this.#wire.sequenceId;
      this.#wire._bumpSequenceId(1);
      at += size;
      this.#under++;
      this.#wire.stream.write(piece.subarray(0, PACKET_HEADER + size), () => {
        this.#free.push(piece);
        this.#under--;
        this.#wake?.();
      });
    }
    return at - from;
  }

  async room(): Promise<void> {
    const { stream } = this.#wire;
    while (this.#under >= PIECES && !this.abandoned) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      // A connection that ends calls nobody back.
      stream.once('close', resolve);
      await promise;
      stream.removeListener('close', resolve);
    }
  }

  finish(): Promise<LoadResult> {
    if (!this.abandoned) this.#file.emit('end');
    return this.#done.promise;
  }

  /** The protocol has no word for it: a file that ends would be a load that succeeds. */
  fail(): void {
    this.#client.destroy();
  }
}

const FRAME_HEADER = 4;

/** Rows in INSERT statements, where the server takes no files. One statement is under way at a time. */
export class LoadInserts implements LoadSink {
  readonly #client: Client;
  readonly #head: string;
  #frame: Buffer = Buffer.alloc(FRAME_HEADER);
  #filled = 0;
  #sending: Promise<void> | undefined;
  #error: Error | undefined;
  readonly #result: LoadResult = { rows: 0, warnings: 0 };

  /** `head`: the statement up to its first row. */
  constructor(client: Client, head: string) {
    this.#client = client;
    this.#head = head;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  get abandoned(): boolean {
    return this.#error !== undefined || !this.#client.alive;
  }

  write(source: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to && !this.#sending && !this.abandoned) {
      const size = this.#filled < FRAME_HEADER ? FRAME_HEADER : FRAME_HEADER + this.#frame.readUInt32LE(0);
      if (this.#frame.length < size)
        this.#frame = Buffer.concat([this.#frame.subarray(0, this.#filled)], size);
      const taken = source.copy(this.#frame, this.#filled, at, Math.min(to, at + size - this.#filled));
      this.#filled += taken;
      at += taken;
      const complete =
        this.#filled > FRAME_HEADER && this.#filled === FRAME_HEADER + this.#frame.readUInt32LE(0);
      if (complete) this.#send();
    }
    return at - from;
  }

  #send(): void {
    // Without the comma behind the last row.
    const rows = this.#frame.toString('utf8', FRAME_HEADER, this.#filled - 1);
    this.#filled = 0;
    this.#sending = this.#client
      .query(this.#head + rows)
      .then(
        (answer) => {
          const { affectedRows, warningStatus } = answer as unknown as {
            affectedRows: number;
            warningStatus: number;
          };
          this.#result.rows += Number(affectedRows);
          this.#result.warnings += warningStatus;
        },
        (error: unknown) => {
          this.#error = error as Error;
        },
      )
      .finally(() => {
        this.#sending = undefined;
      });
  }

  async room(): Promise<void> {
    await this.#sending;
  }

  async finish(): Promise<LoadResult> {
    await this.#sending;
    if (this.#error) throw this.#error;
    return this.#result;
  }

  fail(): void {
    this.#client.destroy();
  }
}
