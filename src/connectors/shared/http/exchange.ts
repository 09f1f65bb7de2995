/** One request and its answer, over connections that are used again. Follows nobody, and has no credentials of its own. */
import { Agent, type AgentOptions, type IncomingMessage, request as plain } from 'node:http';
import { Agent as TlsAgent, request as tls } from 'node:https';
import type { NetConnectOpts, Socket } from 'node:net';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { urlToHttpOptions } from 'node:url';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { giveBack } from '../../../core/give-back.ts';

export interface HttpRequest {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
  body?: string | undefined;
}

/** Of an answer: null where there is no such header. */
export type AnswerHeaders = Pick<Headers, 'get'>;

export interface Answer {
  status: number;
  headers: AnswerHeaders;
  /** Unpacked; each piece is gone when the next one is asked for. */
  body: AsyncIterable<Uint8Array>;
  /** Nobody reads on; the connection is closed unless all was read. */
  drop(): void;
}

/** Larger than what the kernel holds for us at a time, so that few reads are needed. */
const READ_BYTES = 256 << 10;
/** Servers close connections on which nothing comes, most of them after five seconds: we are first. */
const IDLE_MS = 4000;
/** More ways of packing, one around the other, are an attack. */
const MOST_CODINGS = 3;

export class Exchange {
  readonly #agents: { plain: Agent; tls: TlsAgent };

  constructor() {
    // As Node's own agents do where its users ask for it.
    const proxyEnv = process.env['NODE_USE_ENV_PROXY'] === '1' ? process.env : undefined;
    const options: AgentOptions = { keepAlive: true, timeout: IDLE_MS, ...(proxyEnv && { proxyEnv }) };
    this.#agents = { plain: reading(new Agent(options)), tls: reading(new TlsAgent(options)) };
  }

  /** Resolves with the head of the answer. Throws what Node throws. */
  async send({ method, url, headers, body }: HttpRequest, signal: AbortSignal): Promise<Answer> {
    const { auth: _, ...place } = urlToHttpOptions(url);
    const secure = url.protocol === 'https:';
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = (secure ? tls : plain)({
        ...place,
        method,
        headers: { accept: '*/*', 'accept-encoding': 'gzip, br', ...headers },
        agent: secure ? this.#agents.tls : this.#agents.plain,
        signal,
      });
      request.once('response', resolve);
      // What comes after the head shows to those who read the body.
      request.on('error', reject);
      request.end(body);
    });
    const { statusCode: status = 0 } = message;
    const packed = method !== 'HEAD' && status !== 204 && status !== 304;
    return {
      status,
      headers: headersOf(message),
      body: packed ? unpacked(message) : givenBack(message),
      drop: () => void (message.readableEnded || message.destroy()),
    };
  }

  /** Never throws; what is under way goes on. */
  close(): void {
    this.#agents.plain.destroy();
    this.#agents.tls.destroy();
  }
}

function headersOf({ headers }: IncomingMessage): AnswerHeaders {
  return {
    get: (name) => {
      const value = headers[name];
      return value === undefined ? null : String(value);
    },
  };
}

/**
 * Connections that read into one buffer each, again and again, instead of allocating one for each read: the parser of HTTP copies
 * what it hands on.
 */
function reading<T extends Agent>(agent: T): T {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, done) => {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const onread = { buffer, callback: handOn };
    return connect({ ...options, onread } as NetConnectOpts, done);
  };
  return agent;
}

function handOn(this: Socket, bytes: number, buffer: Uint8Array): boolean {
  this.emit('data', Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
  return true;
}

async function* unpacked(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  const unpackers = codingsOf(message.headers['content-encoding']).map((open) => open());
  const [first] = unpackers;
  if (!first) return yield* givenBack(message);
  // What goes wrong in any of them is thrown by the last one.
  pipeline([message, ...unpackers] as unknown as [Readable, Packed], () => undefined);
  try {
    yield* unpackers.at(-1)!;
  } catch (error) {
    // No body at all is packed in no way.
    if (first.bytesWritten > 0 || !message.complete) throw error;
  }
}

async function* givenBack(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    yield piece;
    giveBack(piece);
  }
}

type Packed = Transform & { bytesWritten: number };

const UNPACKERS: Readonly<Record<string, () => Packed>> = {
  gzip: () => createGunzip({ chunkSize: READ_BYTES }),
  'x-gzip': () => createGunzip({ chunkSize: READ_BYTES }),
  deflate: () => createInflate({ chunkSize: READ_BYTES }),
  br: () => createBrotliDecompress({ chunkSize: READ_BYTES }),
};

/** In the order of their undoing; none where we do not know all of them: it is what it is. */
function codingsOf(written: string | undefined = ''): (() => Packed)[] {
  const names = written
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const own = names.filter((name) => name !== '' && name !== 'identity');
  const found = own.map((name) => UNPACKERS[name]).filter((open) => open !== undefined);
  return found.length === own.length && own.length <= MOST_CODINGS ? found.toReversed() : [];
}
