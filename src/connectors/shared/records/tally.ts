/** How much has been fetched so far, told a few times a second. */
import type { Fetching } from '../../../core/stream.ts';

const EVERY_MS = 250;

/** What has come since the last time; `of`: how many records there will be, where the source says so. */
export interface Come {
  pages?: number | undefined;
  records?: number | undefined;
  bytes?: number | undefined;
  of?: number | undefined;
}

export class Tally {
  readonly #tell: ((fetching: Fetching) => void) | undefined;
  readonly #now: () => number;
  readonly #begun: number;
  #told: number;
  #pages: number | undefined;
  #records = 0;
  #bytes = 0;
  #of: number | undefined;
  #done = false;

  constructor(tell: ((fetching: Fetching) => void) | undefined, now: () => number = () => performance.now()) {
    this.#tell = tell;
    this.#now = now;
    this.#begun = this.#told = now();
    this.#say(false);
  }

  add({ pages, records = 0, bytes = 0, of }: Come): void {
    if (!this.#tell) return;
    if (pages !== undefined) this.#pages = (this.#pages ?? 0) + pages;
    this.#records += records;
    this.#bytes += bytes;
    this.#of = of ?? this.#of;
    if (this.#now() - this.#told >= EVERY_MS) this.#say(false);
  }

  /** Also when it has failed. */
  end(): void {
    if (!this.#done) this.#say(true);
    this.#done = true;
  }

  #say(done: boolean): void {
    this.#told = this.#now();
    this.#tell?.({
      pages: this.#pages,
      records: this.#records,
      bytes: this.#bytes,
      of: this.#of,
      seconds: (this.#told - this.#begun) / 1000,
      done,
    });
  }
}
