import { createHash } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Answer, Exchange } from './exchange.ts';

interface Peer extends AsyncDisposable {
  ask(path: string): Promise<Answer>;
  connections: number;
}

async function peer(listener: RequestListener): Promise<Peer> {
  const server = createServer(listener);
  const exchange = new Exchange();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const signal = AbortSignal.timeout(20_000);
  const ask = (path: string): Promise<Answer> =>
    exchange.send({ method: 'GET', url: new URL(`http://127.0.0.1:${port}${path}`), headers: {} }, signal);
  const found: Peer = {
    ask,
    connections: 0,
    async [Symbol.asyncDispose]() {
      exchange.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on('connection', () => found.connections++);
  return found;
}

async function textOf({ body }: Answer): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

test('pieces of a body are what was sent while more is read over the same connection', async () => {
  const bodies = Array.from({ length: 4 }, (_, i) =>
    Buffer.from(Uint32Array.from({ length: 1_000_000 }, (__, at) => at * (i + 3)).buffer),
  );
  await using server = await peer(({ url }, response) => response.end(bodies[Number(url!.slice(1))]));
  const digests = (all: Buffer[]): string[] =>
    all.map((each) => createHash('sha256').update(each).digest('hex'));
  const first = await Promise.all([0, 1, 2, 3].map(async (i) => textOf(await server.ask(`/${i}`))));
  expect(server.connections).toBe(4);
  const again: Buffer[] = [];
  for (const i of [0, 1, 2, 3]) again.push(await textOf(await server.ask(`/${i}`)));
  expect(server.connections).toBe(4);
  expect(digests(first)).toEqual(digests(bodies));
  expect(digests(again)).toEqual(digests(bodies));
});

test.each([
  ['gzip', gzipSync],
  ['X-GZip', gzipSync],
  ['br', brotliCompressSync],
  ['deflate', deflateSync],
  ['identity', (bytes: Buffer) => bytes],
  ['gzip, br', (bytes: Buffer) => brotliCompressSync(gzipSync(bytes))],
] as const)('a body that is packed as %s is unpacked', async (coding, pack) => {
  const text = Buffer.from('all of it, '.repeat(100_000));
  await using server = await peer((_, response) => {
    response.setHeader('content-encoding', coding);
    response.end(pack(text));
  });
  expect((await textOf(await server.ask('/'))).equals(text)).toBe(true);
});

test('no body is packed in no way', async () => {
  await using server = await peer(({ url }, response) => {
    response.writeHead(url === '/none' ? 204 : 200, { 'content-encoding': 'gzip' });
    response.end();
  });
  expect(await textOf(await server.ask('/none'))).toHaveLength(0);
  expect(await textOf(await server.ask('/chunked'))).toHaveLength(0);
});

test('what is packed and ends too early is an error', async () => {
  const packed = gzipSync(Buffer.from('all of it, '.repeat(100_000)));
  await using server = await peer((_, response) => {
    response.setHeader('content-encoding', 'gzip');
    response.end(packed.subarray(0, packed.length - 20));
  });
  await expect(server.ask('/').then(textOf)).rejects.toMatchObject({ code: 'Z_BUF_ERROR' });
});

test('a connection that is cut within a body is an error', async () => {
  await using server = await peer((_, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('half', () => response.destroy());
  });
  await expect(server.ask('/').then(textOf)).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('an answer that nobody reads takes its connection with it', async () => {
  await using server = await peer((_, response) => response.end(Buffer.alloc(10_000_000)));
  const answer = await server.ask('/');
  answer.drop();
  await textOf(await server.ask('/'));
  expect(server.connections).toBe(2);
});
