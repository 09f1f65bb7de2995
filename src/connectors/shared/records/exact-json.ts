/** JSON with all the digits of its numbers. Pure. */

interface RawJson {
  readonly rawJSON: string;
}

/** In Node from 21 on; TypeScript does not know them yet. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON(this: void, text: string): RawJson;
  isRawJSON(this: void, value: unknown): value is RawJson;
};

/** What `JSON.stringify` writes as this number. */
export function exactNumber(digits: string): unknown {
  return rawJSON(digits);
}

/** As JSON.parse does; numbers that JavaScript does not hold exactly are those of {@link exactNumber}. Throws SyntaxError. */
export function parseExact(text: string): unknown {
  return JSON.parse(text, asWritten as Parameters<typeof JSON.parse>[1]) as unknown;
}

function asWritten(_: string, value: unknown, { source }: { source?: string }): unknown {
  const held = typeof value !== 'number' || Number.isSafeInteger(value) || String(value) === source;
  return held ? value : rawJSON(source!);
}

/** A text, or a number with all of its digits; undefined for everything else. */
export function textOf(value: unknown): string | undefined {
  if (isRawJSON(value)) return value.rawJSON;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
