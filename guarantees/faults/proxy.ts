/** A TCP proxy that does to connections what networks do: cuts them, resets them, swallows what is sent, is slow. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** `up` is what the client sends, `down` what the server answers. */
type Direction = 'up' | 'down';

/** What happens to one connection once `after` bytes have gone in a direction; nothing after that byte arrives. */
export interface Cut {
  kind: 'cut';
  direction: Direction;
  after: number;
  /** `end`: both sides are told that the connection is over. `reset`: it breaks. `silence`: nobody is told anything. */
  how: 'end' | 'reset' | 'silence';
}

/** A pause after every so many bytes of a direction. */
interface Slow {
  kind: 'slow';
  bytes: number;
  pauseMs: number;
}

/** Stops once after some bytes of answers until something has been done. */
interface Hold {
  kind: 'hold';
  after: number;
  meanwhile: () => Promise<void>;
}

/** Once what the client says holds the text, and `isIt` says so, it goes on its way, and the answer is lost with the connection. */
interface Deaf {
  kind: 'deaf';
  text: string;
  isIt: () => boolean;
}

export type Treatment = Cut | Slow | Hold | Deaf | { kind: 'pass' };

const PASS: Treatment = { kind: 'pass' };

export class Proxy implements AsyncDisposable {
  /** Connections so far. */
  connections = 0;
  /** Treatments that have struck. */
  struck = 0;
  /** Chooses what happens to the connection with a number, counted from 0. */
  treat: (connection: number) => Treatment = () => PASS;
  readonly #target: { host: string; port: number };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async open(target: { host: string; port: number }): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The URL, led through the proxy. */
  url(url: string): string {
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String(this.port);
    return through.href;
  }

  /** Lets everything through from now on, also on connections that are open. */
  heal(): void {
    this.treat = () => PASS;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(client: Socket): void {
    const treatment = this.treat(this.connections++);
    const server = connect({ ...this.#target, allowHalfOpen: true });
    const pair: Way['pair'] = { client, server };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    }
    void this.#carry({ pair, treatment, direction: 'up' });
    void this.#carry({ pair, treatment, direction: 'down' });
  }

  /** Moves bytes of one direction until they end. */
  async #carry(way: Way): Promise<void> {
    const { pair, treatment, direction } = way;
    const [from, to] = direction === 'up' ? [pair.client, pair.server] : [pair.server, pair.client];
    const deaf = treatment.kind === 'deaf' && direction === 'down';
    const cut = treatment.kind === 'cut' && treatment.direction === direction ? treatment : undefined;
    let left = cut ? cut.after : Infinity;
    let passed = 0;
    let held = false;
    try {
      for await (const data of from as AsyncIterable<Buffer>) {
        // A side that was silenced goes on reading, so that the other one's kernel is content.
        if (left === 0) continue;
        if (deaf && pair.deaf) {
          this.#strike(pair, { kind: 'cut', direction, after: 0, how: 'reset' });
          return;
        }
        const piece = data.subarray(0, Math.min(left, data.length));
        left -= piece.length;
        if (treatment.kind === 'deaf') this.#hear(way, piece, treatment);
        if (treatment.kind === 'slow') await trickle(piece, to, treatment, passed);
        else await send(piece, to);
        passed += piece.length;
        if (cut && left === 0) this.#strike(pair, cut);
        if (direction === 'up' || treatment.kind !== 'hold' || held || passed < treatment.after) continue;
        held = true;
        await treatment.meanwhile();
      }
      if (left > 0) to.end();
    } catch {
      to.destroy();
    }
  }

  #hear({ pair, direction }: Way, said: Buffer, { text, isIt }: Deaf): void {
    if (direction === 'up' && said.includes(text) && isIt()) pair.deaf = true;
  }

  #strike(pair: Way['pair'], cut: Cut): void {
    this.struck++;
    if (cut.how === 'silence') return;
    for (const socket of [pair.client, pair.server]) {
      if (cut.how === 'reset') socket.resetAndDestroy();
      else socket.end(() => socket.destroy());
    }
  }
}

interface Way {
  pair: { client: Socket; server: Socket; deaf?: boolean };
  treatment: Treatment;
  direction: Direction;
}

async function send(data: Buffer, to: Socket): Promise<void> {
  if (!to.write(data)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
}

/** `passed` bytes went before. */
async function trickle(data: Buffer, to: Socket, slow: Slow, passed: number): Promise<void> {
  for (let at = 0; at < data.length;) {
    const end = Math.min(data.length, at + slow.bytes - ((passed + at) % slow.bytes));
    await send(data.subarray(at, end), to);
    at = end;
    if ((passed + at) % slow.bytes === 0) await sleep(slow.pauseMs);
  }
}
