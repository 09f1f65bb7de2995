/**
 * Holds what is read against columns that are known from a sample only. As long as nothing says otherwise they are those that a
 * look at everything would have found; the first value that does ends the reading, and everything is looked at.
 */
import type { Column } from '../../../core/batch.ts';
import { TransientError } from '../../../core/errors.ts';
import type { LogicalType } from '../../../core/types.ts';
import { type DocumentKeys, earlierVersions, KeyHashes } from '../look/key-hashes.ts';
import { ESCAPED_JSON, NESTED, NULL, PLAIN, QUOTED, type Records, type TextRun } from './records.ts';

export interface GuessOptions {
  /** Fields of the schema whose types do not come from values. */
  given: number[];
  /** Fields of which the sample had no value. */
  unknown: number[];
  /** Columns by which records are told apart; none: by all of their text. Undefined: they need not be. */
  key: readonly string[] | undefined;
}

type Kind = LogicalType['kind'];

const STRINGS = [QUOTED, ESCAPED_JSON];
/** How values of JSON may be written without being of another type. */
const WRITTEN: Readonly<Partial<Record<Kind, readonly number[]>>> = {
  bool: [PLAIN],
  int64: [PLAIN],
  decimal: [PLAIN],
  date: [QUOTED],
  timestamp: [QUOTED],
  utf8: [PLAIN, ...STRINGS],
  json: [PLAIN, NESTED, ...STRINGS],
};

/** Whether a column can be guessed: doubles hold more digits than they keep. */
export function guessable({ kind }: LogicalType): boolean {
  return WRITTEN[kind] !== undefined;
}

export class Guess {
  readonly #given: ReadonlySet<number>;
  readonly #unknown: ReadonlySet<number>;
  #hashes: KeyHashes | undefined;
  /** Of all records, once they have come to their end. */
  keys: DocumentKeys | undefined;

  constructor({ given, unknown, key }: GuessOptions) {
    this.#given = new Set(given);
    this.#unknown = new Set(unknown);
    this.#hashes = key && new KeyHashes(key);
  }

  /** Records that were taken apart, with the names of their fields. */
  records(
    records: Records,
    bytes: Uint8Array,
    range: { names: readonly string[]; from: number; to: number },
  ): void {
    this.#hashes?.add(records, bytes, range);
  }

  /** Values of a column of the schema. */
  column(run: TextRun, index: number, { type: { kind } }: Column): void {
    if (this.#given.has(index)) return;
    const { flags, first, stride, from, to } = run;
    const written = this.#unknown.has(index) ? [] : WRITTEN[kind]!;
    let f = first;
    for (let r = from; r < to; r++, f += stride) {
      const flag = flags[f]!;
      if (flag !== NULL && !written.includes(flag)) throw otherwise();
    }
  }

  /** Throws when two records are the same one. */
  end(): void {
    if (!this.#hashes) return;
    this.keys = this.#hashes.keys;
    this.#hashes = undefined;
    if (earlierVersions([this.keys])[0]!.length > 0) throw otherwise();
  }
}

export function otherwise(): TransientError {
  return new TransientError('reading records: they are not as the first of them, and all are looked at', {
    code: 'records.other',
    next: 'replan-at-once',
  });
}
