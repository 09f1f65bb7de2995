/** A way to an HTTP server on which things go wrong as a test says. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * `answer`: instead of the server. `lost-answer`: the server does what it was asked for, and the connection ends. `cut-request`: the
 * connection ends before the server has heard everything. `cut-answer`: after so many bytes of the answer.
 */
export type Fault =
  | { kind: 'answer'; status: number; code: string }
  | { kind: 'lost-answer' }
  | { kind: 'cut-request' }
  | { kind: 'cut-answer'; after: number };

export interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
}

export interface FaultProxy {
  readonly endpoint: string;
  /** What was asked for, in order. */
  readonly asked: Asked[];
  /** Called for each request. */
  fault: (asked: Asked) => Fault | undefined;
  close(): Promise<void>;
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    fault: () => undefined,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const asked: Asked = { method: incoming.method!, url: incoming.url!, headers: incoming.headers };
    proxy.asked.push(asked);
    const fault = proxy.fault(asked);
    if (fault?.kind === 'cut-request') {
      incoming.once('data', () => incoming.socket.destroy());
      return;
    }
    const body = await Array.fromAsync(incoming as AsyncIterable<Buffer>).catch(() => undefined);
    // Whoever asked is dead.
    if (!body) return;
    if (fault?.kind === 'answer') {
      const xml = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${fault.code}</Code><Message>as the test says</Message></Error>`;
      outgoing.writeHead(fault.status, { 'content-type': 'application/xml' });
      outgoing.end(asked.method === 'HEAD' ? '' : xml);
      return;
    }
    const { method, url, headers } = asked;
    const forwarded = request(new URL(url, target), { method, headers }, (answer) => {
      if (fault?.kind === 'lost-answer') {
        answer.resume().once('end', () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode!, answer.headers);
      let left = fault?.kind === 'cut-answer' ? fault.after : Infinity;
      answer.on('data', (chunk: Buffer) => {
        outgoing.write(chunk.subarray(0, Math.min(left, chunk.length)), () => {
          if (left <= 0) incoming.socket.destroy();
        });
        left = Math.max(0, left - chunk.length);
      });
      answer.on('end', () => left > 0 && outgoing.end());
    });
    forwarded.on('error', () => incoming.socket.destroy());
    forwarded.end(Buffer.concat(body));
  }
  return proxy;
}
