import { namePart, streamName } from '../shared/stream-name.ts';

/** The stream of a table that is called so in the dump: with its schema where that is written. */
export function streamNameOf(parts: readonly string[]): string {
  const [name, schema] = [parts.at(-1)!, parts.at(-2)];
  return schema === undefined ? namePart(name) : streamName(schema, name);
}
