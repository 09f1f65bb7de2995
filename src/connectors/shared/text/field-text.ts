import { type Escapes, unescape } from './escapes.ts';
import { ESCAPED, NULL, type Records } from './records.ts';

/** One field as text; null for NULL. For headers and the like, not for data. */
export function fieldText(
  bytes: Uint8Array,
  { starts, ends, flags }: Records,
  field: number,
  escapes: Escapes,
): string | null {
  if (flags[field] === NULL) return null;
  const raw = Buffer.from(bytes.slice(starts[field], ends[field]));
  if (flags[field] !== ESCAPED) return raw.toString('utf8');
  const end = unescape(escapes, raw, { start: 0, end: raw.length }, { out: raw, at: 0 });
  return raw.toString('utf8', 0, end);
}
