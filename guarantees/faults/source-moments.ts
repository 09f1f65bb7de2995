/** Moments of a run at which something happens to its source. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunEvent } from '../../src/core/events.ts';
import type { RunOptions } from '../../src/engine/types.ts';
import type { Pair } from '../pair.ts';
import { Proxy } from './proxy.ts';

export interface Strike extends AsyncDisposable {
  /** For the next run, in which it happens once. */
  options: () => Promise<RunOptions>;
}

/** Starts the work at the first event that fits. The run goes on meanwhile. */
export function atEvent(fits: (event: RunEvent) => boolean, work: () => Promise<void>): RunOptions {
  let done: Promise<void> | undefined;
  return {
    workers: 1,
    onEvent: (event) => {
      if (fits(event)) done ??= work();
    },
  };
}

/**
 * In the midst of the rows of a table: the proxy stops there until the work is done, or with `waitMs` until it has had so
 * long to begin, for work that has to wait for our own locks.
 */
export async function duringCopy(pair: Pair, work: () => Promise<void>, waitMs?: number): Promise<Strike> {
  const proxy = await Proxy.open(pair.from.server);
  pair.from.connection = { ...pair.from.connection, url: proxy.url(String(pair.from.connection['url'])) };
  return {
    async options() {
      const first = proxy.connections;
      let under: Promise<void> | undefined;
      // The first connection holds the snapshot; more than this is sent to a connection only when it copies.
      proxy.treat = (connection) =>
        connection === first
          ? { kind: 'pass' }
          : {
              kind: 'hold',
              after: 60_000,
              meanwhile: async () => {
                under ??= work();
                await (waitMs === undefined ? under : Promise.race([under, sleep(waitMs)]));
              },
            };
      return { workers: 1 };
    },
    [Symbol.asyncDispose]: () => proxy.close(),
  };
}

/** When the first stream has been planned: the snapshot exists, its reader does not connect until the work is done. */
export async function whenPlanned(pair: Pair, work: () => Promise<void>): Promise<Strike> {
  const proxy = await Proxy.open(pair.from.server);
  pair.from.connection = { ...pair.from.connection, url: proxy.url(String(pair.from.connection['url'])) };
  return {
    async options() {
      const first = proxy.connections;
      proxy.treat = (connection) =>
        connection !== first + 1 ? { kind: 'pass' } : { kind: 'hold', after: 1, meanwhile: work };
      return { workers: 1 };
    },
    [Symbol.asyncDispose]: () => proxy.close(),
  };
}
