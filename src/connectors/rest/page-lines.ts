/** Single records of a page that has come. */
import type { ReadPage } from './read-page.ts';

const LF = 10;
const PIECE_BYTES = 1 << 16;

type Written = Pick<ReadPage, 'writer'>;

/** One after the other; `end`: of the page's bytes, those up to the end of the record. */
export async function* linesOf({ writer }: Written): AsyncGenerator<{ line: Uint8Array; end: number }> {
  let rest: Uint8Array = new Uint8Array();
  for (let at = 0; at < writer.bytes;) {
    const piece = await writer.read(at, Math.min(at + PIECE_BYTES, writer.bytes));
    const begun = at - rest.length;
    const all = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let from = 0;
    for (let to = all.indexOf(LF, rest.length); to >= 0; to = all.indexOf(LF, from)) {
      yield { line: all.subarray(from, to), end: begun + to + 1 };
      from = to + 1;
    }
    rest = all.subarray(from);
    at += piece.length;
  }
}

export async function lastLineOf({ writer }: Written): Promise<Uint8Array> {
  const end = Math.max(0, writer.bytes - 1);
  let tail: Uint8Array = new Uint8Array();
  for (let at = end; at > 0;) {
    const from = Math.max(0, at - PIECE_BYTES);
    const piece = await writer.read(from, at);
    const feed = piece.lastIndexOf(LF);
    tail = Buffer.concat([piece.subarray(feed + 1), tail]);
    if (feed >= 0) break;
    at = from;
  }
  return tail;
}

/** The last so many that were added. */
export class LastOf<T> {
  readonly #all = new Set<T>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  has(one: T): boolean {
    return this.#all.has(one);
  }

  add(one: T): void {
    this.#all.delete(one);
    this.#all.add(one);
    if (this.#all.size > this.#most) for (const oldest of this.#all) return void this.#all.delete(oldest);
  }
}
