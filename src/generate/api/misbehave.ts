/** Answers that go wrong on purpose. */
import type { ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hostility } from './hostility.ts';

export interface Prepared {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

const HTML = '<!doctype html><title>Sign in</title><h1>Your session has expired</h1>';
const MEBIBYTE = 1 << 20;

/** Sends something else than the answer that would have been right. Resolves to the status that was sent, 0 for none. */
export async function fail(
  response: ServerResponse,
  { kind, argument }: Hostility,
  { right, here }: { right: Prepared; here: URL },
): Promise<number> {
  const send = (status: number, headers: Record<string, string>, body: string | Buffer): number => {
    response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) });
    response.end(body);
    return status;
  };
  const json = { 'content-type': 'application/json' };
  switch (kind) {
    case 'reset':
      response.writeHead(right.status, { ...right.headers, 'content-length': String(right.body.length) });
      // What was written is on its way before the connection is cut.
      await new Promise<void>((resolve) =>
        response.write(right.body.subarray(0, right.body.length >> 1), () => resolve()),
      );
      response.socket?.resetAndDestroy();
      return right.status;
    case 'refuse':
      response.socket?.resetAndDestroy();
      return 0;
    case 'hang':
      return 0;
    case 'invalid':
      return send(200, right.headers, right.body.subarray(0, Math.floor(right.body.length * 0.6)));
    case 'html':
      return send(200, { 'content-type': 'text/html' }, HTML);
    case 'empty':
      return send(200, json, '');
    case 'redirect':
      return send(302, { location: argument ?? elsewhere(here) }, '');
    case 'bomb':
      return bomb(response, Number(argument ?? 1024));
    default:
      return send(
        Number(kind),
        { ...json, ...retryAfter(argument) },
        JSON.stringify({ error: `status ${kind} as asked for` }),
      );
  }
}

/** The same server under a name that is another host to whoever compares names. */
function elsewhere(here: URL): string {
  const there = new URL(here);
  there.hostname = here.hostname === 'localhost' ? '127.0.0.1' : 'localhost';
  return there.href;
}

function retryAfter(argument: string | undefined): Record<string, string> {
  if (argument === undefined || argument === '') return {};
  return {
    'retry-after': argument === 'date' ? new Date(Date.now() + 1000).toUTCString() : argument,
  };
}

/** JSON that is small while it is packed: blanks, a thousand times as many. */
async function bomb(response: ServerResponse, mebibytes: number): Promise<number> {
  response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
  const gzip = createGzip({ level: 9 });
  gzip.on('error', () => undefined);
  gzip.pipe(response);
  const blanks = Buffer.alloc(MEBIBYTE, 0x20);
  gzip.write('[');
  for (let i = 0; i < mebibytes && !response.destroyed; i++) {
    if (!gzip.write(blanks)) await Promise.race([once(gzip, 'drain'), once(response, 'close')]);
  }
  gzip.end(']');
  return 200;
}

function once(emitter: NodeJS.EventEmitter, event: string): Promise<void> {
  return new Promise((resolve) => emitter.once(event, () => resolve()));
}

/** Sends a body in 16 pieces with pauses between them. */
export async function drip(
  response: ServerResponse,
  { status, headers, body }: Prepared,
  pauseMs: number,
): Promise<void> {
  response.writeHead(status, { ...headers, 'content-length': String(body.length) });
  const step = Math.max(1, Math.ceil(body.length / 16));
  for (let at = 0; at < body.length && !response.destroyed; at += step) {
    response.write(body.subarray(at, at + step));
    await sleep(pauseMs);
  }
  response.end();
}
