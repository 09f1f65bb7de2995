import type { EncoderSpec } from '../../core/encoder.ts';
import type { DecodeFacts, DecoderSpec } from '../../core/source.ts';

/** The factory that a specification names. */
export async function codec<T>(spec: DecoderSpec | EncoderSpec): Promise<T> {
  return ((await import(spec.module)) as Record<string, T>)[spec.name]!;
}

/** What was read, with the values that encoding has changed beside those that decoding has. */
export function withCoerced(facts: DecodeFacts, more: Record<string, number>): DecodeFacts {
  const counts = new Map(Object.entries(facts.coerced));
  for (const [column, count] of Object.entries(more)) counts.set(column, (counts.get(column) ?? 0) + count);
  return { ...facts, coerced: Object.fromEntries(counts) };
}
