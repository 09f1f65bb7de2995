import { ConfigError } from '../../core/errors.ts';

/** Something that goes wrong with answers. */
export interface Hostility {
  /** A status such as `429` or `503`, or one of those of the table below. */
  readonly kind: string;
  /** Its meaning is that of the kind. */
  readonly argument?: string | undefined;
  /** How often the same page is asked for in vain; 1 when absent. Means nothing to kinds that are no failures. */
  readonly tries?: number | undefined;
  /** Every so many pages only. */
  readonly every?: number | undefined;
}

/** What each kind does. A failure passes after some tries; the others are always so. */
const HOSTILE_KINDS: Readonly<Record<string, { failure: boolean; summary: string }>> = {
  status: { failure: true, summary: 'a status, `429:2` with Retry-After in seconds, `429:date` with a date' },
  reset: { failure: true, summary: 'the connection is lost in the middle of the body' },
  refuse: { failure: true, summary: 'the connection is lost before an answer' },
  hang: { failure: true, summary: 'no answer at all' },
  invalid: { failure: true, summary: 'the body is cut, with a status of 200' },
  html: { failure: true, summary: 'a page for people, with a status of 200' },
  empty: { failure: true, summary: 'no body, with a status of 200' },
  redirect: { failure: true, summary: 'the same under another host, or at the URL after the colon' },
  bomb: { failure: true, summary: 'a packed body of so many MiB, 1,024 when it is not said' },
  drip: { failure: false, summary: 'the body comes in 16 pieces with so many milliseconds between them' },
  shift: { failure: false, summary: 'so many records come in front between two pages; fewer than 0: go' },
  repeat: { failure: false, summary: 'a page begins with the last records of the one before' },
  endless: { failure: false, summary: 'after the last page comes the first' },
  loop: { failure: false, summary: 'each page is followed by itself' },
  blank: { failure: false, summary: 'before each page but the first there is one without records' },
};

/** Reads `kind[:argument][xTries][@every]`: `429:1x2@3` fails every third page twice. */
export function parseHostility(text: string): Hostility {
  const found = /^(\d{3}|[a-z]+)(?::([^@]*?))?(?:x(\d+|always))?(?:@(\d+))?$/.exec(text);
  const kind = found?.[1] ?? '';
  if (!found || (!/^\d{3}$/.test(kind) && (kind === 'status' || !Object.hasOwn(HOSTILE_KINDS, kind))))
    throw new ConfigError(
      `"${text}" is nothing that the API can do wrong; known are a status such as 429, ${Object.keys(HOSTILE_KINDS).slice(1).join(', ')}`,
      {
        code: 'generate.hostile',
        remedy: 'write kind:argument, then x2 for two tries, then @3 for every third page',
      },
    );
  const [, , argument, tries, every] = found;
  return {
    kind,
    argument,
    tries: tries === 'always' ? Number.POSITIVE_INFINITY : tries === undefined ? undefined : Number(tries),
    every: every === undefined ? undefined : Number(every),
  };
}

function isFailure({ kind }: Hostility): boolean {
  return (HOSTILE_KINDS[kind] ?? HOSTILE_KINDS['status']!).failure;
}

/** Which failure a page has now, if any: counts how often each was asked for. */
export class Tries {
  readonly #seen = new Map<string, number>();

  failure(of: readonly Hostility[], page: number, key: string): Hostility | undefined {
    for (const [i, hostility] of of.entries()) {
      if (!isFailure(hostility) || !isOn(hostility, page)) continue;
      const tried = `${i} ${hostility.kind} ${key}`;
      const before = this.#seen.get(tried) ?? 0;
      if (before >= (hostility.tries ?? 1)) continue;
      this.#seen.set(tried, before + 1);
      return hostility;
    }
    return undefined;
  }
}

/** Whether a page, counted from 0 on, is one of those that it is about. */
export function isOn({ every = 1 }: Hostility, page: number): boolean {
  return (page + 1) % every === 0;
}
