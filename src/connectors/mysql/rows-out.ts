import type { Socket } from 'node:net';
import type { Connection } from 'mysql2';
import type { ByteSink } from '../../core/byte-ring.ts';
import { SocketTap } from '../shared/socket-tap.ts';
import type { Client } from './client.ts';

/** A column of a result as the driver read it from the server's answer to a prepare. */
export interface ResultColumn {
  name: string;
  /** Number of its type on the wire. */
  columnType: number;
  columnLength: number;
  characterSet: number;
  flags: number;
  decimals: number;
  /** What MariaDB calls a type that travels as another one: `uuid`, `inet6`, `json`. */
  extendedTypeName?: string;
  extendedFormat?: string;
}

/** What the driver gives for a prepared statement; not all of it is in its published types. */
interface Statement {
  columns: ResultColumn[];
  parameters: unknown[];
  execute(values: unknown[], done: (error: Error | null) => void): void;
}

/** The columns of a query, without running it. */
export async function describeColumns(client: Client, sql: string): Promise<ResultColumn[]> {
  const { columns } = await prepare(client.connection, sql);
  client.connection.unprepare(sql);
  return columns;
}

function prepare(connection: Connection, sql: string): Promise<Statement> {
  return new Promise((resolve, reject) => {
    connection.prepare(sql, (error, statement) => {
      if (error) reject(error);
      else resolve(statement as unknown as Statement);
    });
  });
}

export interface RowsOut {
  client: Client;
  sql: string;
  /** Looks at the columns before anything is read; throws when they are not those that were expected. */
  expect(columns: ResultColumn[]): void;
  ring: ByteSink;
  onBytes(bytes: number): void;
  /** Called once when nobody reads the ring any more: ends the statement, whose answer is still awaited. */
  stop(): void;
}

/**
 * Runs a query by the binary protocol and moves the packets of its rows, headers included, from the socket into the ring in
 * large pieces; every other packet goes to the driver's own parser, so results and errors arrive as for any query. Nothing
 * happens here per row but one step over the packet's length.
 */
export async function rowsOut(job: RowsOut): Promise<void> {
  const { client, sql } = job;
  const statement = await prepare(client.connection, sql);
  client.waiting++;
  let tap: RowTap | undefined;
  try {
    job.expect(statement.columns);
    tap = new RowTap(client.socket, {
      ring: job.ring,
      onBytes: (bytes) => job.onBytes(bytes),
      stop: () => job.stop(),
    });
    const taps = tap;
    await new Promise<void>((resolve, reject) => {
      statement.execute([], (error) => {
        if (error) reject(error);
        else resolve(taps.drained());
      });
    });
  } finally {
    client.waiting--;
    tap?.remove();
    if (client.alive) client.connection.unprepare(sql);
  }
}

const HEADER = 4;
/** A packet of this length goes on in the next one. */
const LONGEST = 0xff_ffff;

/** What the next packet is: the answer, a column, the mark after the columns, or a row. */
type Phase = 'answer' | 'columns' | 'rows';

class RowTap {
  readonly #tap: SocketTap;
  #phase: Phase = 'answer';
  #columns = 0;
  /** Bytes still to come of the packet that the last chunk ended in, and whether it goes on in the next packet. */
  #left = 0;
  #continues = false;
  /** The number that the driver expects on the next packet it is given: it does not see the rows. */
  #number = 1;
  /** The beginning of a packet that the chunk border cut, as far as it has come. */
  #begun: Buffer = Buffer.alloc(0);
  #stopped = false;

  constructor(socket: Socket, { ring, onBytes, stop }: Pick<RowsOut, 'ring' | 'onBytes' | 'stop'>) {
    this.#tap = new SocketTap(socket, {
      sink: ring,
      receive: (chunk) => this.#receive(chunk),
      onBytes,
      // Whoever read the ring has failed. The rest of the table is not wanted, but the connection and its snapshot are.
      abandoned: () => {
        if (!this.#stopped) stop();
        this.#stopped = true;
      },
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
    if (this.#begun.length > 0) {
      chunk = Buffer.concat([this.#begun, input]);
      this.#begun = Buffer.alloc(0);
    }
    let at = 0;
    while (at < chunk.length) {
      const next = this.#phase === 'rows' ? this.#rows(chunk, at) : this.#packet(chunk, at);
      if (next === at) {
        this.#begun = Buffer.from(chunk.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** One packet for the driver; all of them are small. Returns `at` when it is not all there. */
  #packet(chunk: Buffer, at: number): number {
    if (chunk.length - at < HEADER) return at;
    const end = at + HEADER + chunk.readUIntLE(at, 3);
    if (end > chunk.length) return at;
    const first = chunk[at + HEADER]!;
    if (this.#phase === 'answer') {
      // Anything else is an error, or a statement without a result.
      if (first > 0 && first < 0xfb) this.#enter(first);
      else if (first === 0xfc) this.#enter(chunk.readUInt16LE(at + HEADER + 1));
    } else if (this.#columns > 0) this.#columns--;
    else this.#phase = 'rows';
    this.#hand(chunk, at, end);
    return end;
  }

  #enter(columns: number): void {
    this.#phase = 'columns';
    this.#columns = columns;
  }

  /** Takes the longest run of rows from `at` and returns where it ends: `at` when a packet's beginning is cut. */
  #rows(chunk: Buffer, at: number): number {
    const size = chunk.length;
    let end = at;
    let left = this.#left;
    while (end < size) {
      if (left === 0) {
        if (size - end <= HEADER) break;
        // A row begins with a zero; what follows a packet of the greatest length belongs to it, whatever it begins with.
        if (chunk[end + HEADER] !== 0 && !this.#continues) {
          this.#left = 0;
          this.#tap.deliver(chunk, at, end);
          return end > at ? end : this.#packet(chunk, at);
        }
        const length = chunk[end]! | (chunk[end + 1]! << 8) | (chunk[end + 2]! << 16);
        this.#continues = length === LONGEST;
        left = HEADER + length;
      }
      const take = Math.min(left, size - end);
      left -= take;
      end += take;
    }
    this.#left = left;
    this.#tap.deliver(chunk, at, end);
    return end;
  }

  #hand(chunk: Buffer, from: number, to: number): void {
    const piece = Buffer.from(chunk.subarray(from, to));
    piece[3] = this.#number;
    this.#number = (this.#number + 1) & 0xff;
    this.#tap.hand(piece);
  }
}
