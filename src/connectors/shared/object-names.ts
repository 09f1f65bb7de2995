/** Names of objects that are made of names of others: what is not plain is percent-encoded, what is too long ends in a hash. */
import { createHash } from 'node:crypto';
import { ConfigError } from '../../core/errors.ts';

const HASH_DIGITS = 32;

/** What lies below is none of the user's. */
export const OWN_FOLDER = '_sluice/';

/**
 * Percent-encodes the UTF-8 bytes of all but `A-Za-z0-9_-` and dots between two of those. A leading `_` is
 * encoded too: query engines skip such folders, and ours begins with it.
 */
export function encodeName(name: string): string {
  return encodeBytes(name, /^_|[^A-Za-z0-9_.-]|^\.|\.$|\.(?=[^A-Za-z0-9_-])/gu);
}

export function encodeBytes(text: string, pattern: RegExp): string {
  if (!text.isWellFormed()) {
    throw new ConfigError('naming a folder of the lake: the name holds half of a surrogate pair', {
      code: 'lake.name_encoding',
    });
  }
  return text.replace(pattern, (character) =>
    [...Buffer.from(character, 'utf8')]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

/** `~` occurs in no encoded name, so a shortened name is never another name's own. */
export function shorten(name: string, limit: number): string {
  if (name.length <= limit) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_DIGITS);
  return `${name.slice(0, limit - HASH_DIGITS - 1)}~${hash}`;
}
