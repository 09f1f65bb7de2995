/** Where records have objects in arrays: what could be streams of their own. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Spool, SpooledDocument } from './spool.ts';

const RECORDS = 1000;
const DEEPEST = 5;

/** Names that lead to each, those of outer ones first. What nobody can read as a record has none. */
export async function arraysIn(
  spool: Spool,
  documents: readonly SpooledDocument[],
  signal: AbortSignal,
): Promise<string[][]> {
  const found = new Map<string, string[]>();
  let left = RECORDS;
  for (const { key } of documents) {
    const lines = createInterface({ input: Readable.from(spool.storage.read(key, undefined, signal)) });
    for await (const line of lines) {
      if (left-- <= 0) break;
      const record = parsed(line);
      if (record !== undefined) collect(record, [], found);
    }
  }
  return [...found.values()];
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function collect(value: unknown, way: readonly string[], found: Map<string, string[]>): void {
  if (!isObject(value) || way.length >= DEEPEST) return;
  for (const [name, member] of Object.entries(value)) {
    const here = [...way, name];
    if (!Array.isArray(member)) {
      collect(member, here, found);
      continue;
    }
    const objects = member.filter(isObject);
    if (objects.length > 0) found.set(JSON.stringify(here), here);
    for (const each of objects) collect(each, here, found);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
