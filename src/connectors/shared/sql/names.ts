import { createHash } from 'node:crypto';

/** Bytes of the hash that tells shortened names apart, with its underscore. */
const TAIL = 9;

export interface NameLimit {
  bytes: number;
  folds: boolean;
  /** See `SqlDialect.plainNames`. */
  plain?: boolean;
}

/** What not every system takes in a name. */
const UNUSUAL = /[\u{10000}-\u{10FFFF}]| $/u;

/**
 * Names as a system can have them: those that are too long, or that it would take for another one, end with a hash. The same
 * names give the same result.
 */
export function fitNames(names: readonly string[], limit: NameLimit): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const fits = Buffer.byteLength(name) <= limit.bytes && !(limit.plain === true && UNUSUAL.test(name));
    const seen = (text: string): string => (limit.folds ? text.toLowerCase() : text);
    const found = fits && !taken.has(seen(name)) ? name : shorten(name, limit);
    taken.add(seen(found));
    return found;
  });
}

function shorten(name: string, { bytes, plain }: NameLimit): string {
  const hash = createHash('sha256')
    .update(name)
    .digest('hex')
    .slice(0, TAIL - 1);
  // A character that is cut becomes U+FFFD, which is dropped.
  const head = Buffer.from(plain === true ? name.replace(/[\u{10000}-\u{10FFFF}]/gu, '_') : name)
    .subarray(0, bytes - TAIL)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  return `${head}_${hash}`;
}
