import type { Snapshot, Source } from '../core/source.ts';

/** The snapshot that all streams of a run read, so that they show one moment; taken anew when it was lost. */
export class SharedSnapshot {
  readonly #source: Source;
  #current: Promise<Snapshot> | undefined;

  readonly #accepts: readonly string[];

  /** `accepts`: wire forms that the destination takes as they are. */
  constructor(source: Source, accepts: readonly string[]) {
    this.#source = source;
    this.#accepts = accepts;
  }

  /** `after` is a snapshot that failed the caller: it is replaced unless it still works. */
  async get(signal: AbortSignal, after?: Snapshot): Promise<Snapshot> {
    if (after && (await this.#current?.catch(() => undefined)) === after && !(await after.alive())) {
      this.#current = undefined;
      await after.close();
    }
    if (!this.#current) {
      const opening = this.#source.open(signal, this.#accepts);
      this.#current = opening;
      // The next caller tries again.
      opening.catch(() => {
        if (this.#current === opening) this.#current = undefined;
      });
    }
    return this.#current;
  }

  /** Makes the next caller take a new snapshot, for example because somebody has read a later one. */
  async renew(old: Snapshot): Promise<void> {
    if ((await this.#current?.catch(() => undefined)) !== old) return;
    this.#current = undefined;
    await old.close();
  }

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    const snapshot = await current?.catch(() => undefined);
    await snapshot?.close();
  }
}
