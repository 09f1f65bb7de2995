import { createHash } from 'node:crypto';

/** Bytes of the hash that tells shortened names apart, with its underscore. */
const TAIL = 9;

/**
 * Names as a system can have them: those that are too long, or that it would take for another one, end with a hash. The same
 * names give the same result.
 */
export function fitNames(names: readonly string[], limit: { bytes: number; folds: boolean }): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const fits = Buffer.byteLength(name) <= limit.bytes;
    const seen = (text: string): string => (limit.folds ? text.toLowerCase() : text);
    const found = fits && !taken.has(seen(name)) ? name : shorten(name, limit.bytes);
    taken.add(seen(found));
    return found;
  });
}

function shorten(name: string, bytes: number): string {
  const hash = createHash('sha256')
    .update(name)
    .digest('hex')
    .slice(0, TAIL - 1);
  // A character that is cut becomes U+FFFD, which is dropped.
  const head = Buffer.from(name)
    .subarray(0, bytes - TAIL)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  return `${head}_${hash}`;
}
