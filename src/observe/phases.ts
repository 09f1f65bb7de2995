import type { Listener } from '../core/events.ts';

/** Seconds in which at least one slice was in that phase; slices that run side by side count once. */
export interface Phases {
  /** Fetching records that are loaded from disk then, in part at the same time; undefined: there was nothing of that. */
  fetch?: number | undefined;
  /** Reading and writing out of readers' sight: one pass, so there is one figure. */
  load: number;
  /** Making loads visible and storing the checkpoint. */
  commit: number;
  /** Which end most of the loading had to wait for; undefined when nothing was loaded. */
  bound?: 'reading' | 'writing' | undefined;
}

/** Finds out where the time of a run went, from its events. */
export function createPhases(clock: () => number = () => performance.now()): {
  listener: Listener;
  seconds(): Phases;
} {
  const load = createSpan(clock);
  const fetch = createSpan(clock);
  let fetched = false;
  const commit = createSpan(clock);
  const bounds = { reading: 0, writing: 0 };
  const listener: Listener = (event) => {
    if (event.kind === 'slice-committed') bounds[event.bound] += event.seconds;
    if (event.kind === 'fetching') {
      fetched = true;
      if (event.done) fetch.end(`${event.stream}/`);
      else fetch.begin(`${event.stream}/`);
    }
    if (event.kind === 'slice-started') load.begin(`${event.stream}/${event.slice}`);
    if (event.kind === 'slice-committed') commit.end(`${event.stream}/${event.slice}`);
    if (event.kind === 'retry' && event.slice !== undefined) load.end(`${event.stream}/${event.slice}`);
    else if (event.kind === 'stream-finished' || event.kind === 'retry') {
      // Also when it failed half-way: whatever it was doing, it no longer does.
      load.endAll(event.stream);
      fetch.endAll(event.stream);
      commit.endAll(event.stream);
    }
    if (event.kind !== 'step') return;
    const key = `${event.stream}/${event.slice}`;
    if (event.step === 'staged') load.end(key);
    if (event.step === 'publish') commit.begin(key);
    if (event.step === 'published') commit.end(key);
  };
  const bound = (): Phases['bound'] => {
    if (bounds.reading + bounds.writing === 0) return undefined;
    return bounds.writing > bounds.reading ? 'writing' : 'reading';
  };
  return {
    listener,
    seconds: () => ({
      ...(fetched && { fetch: fetch.seconds() }),
      load: load.seconds(),
      commit: commit.seconds(),
      bound: bound(),
    }),
  };
}

/** Adds up the time in which a set of keys was not empty. */
function createSpan(clock: () => number): {
  begin(key: string): void;
  end(key: string): void;
  endAll(stream: string): void;
  seconds(): number;
} {
  const active = new Set<string>();
  let total = 0;
  let since = 0;
  const end = (key: string): void => {
    if (active.delete(key) && active.size === 0) total += clock() - since;
  };
  return {
    begin(key) {
      if (active.size === 0) since = clock();
      active.add(key);
    },
    end,
    endAll(stream) {
      for (const key of active) if (key.startsWith(`${stream}/`)) end(key);
    },
    seconds: () => (total + (active.size > 0 ? clock() - since : 0)) / 1000,
  };
}
