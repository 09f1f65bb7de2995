import type { LocalCopies, ObjectStorage } from '../core/storage.ts';

/** Files that a query reads, from before its tables are opened until its last row was taken. */
export class HeldFiles {
  readonly #storage: ObjectStorage;
  readonly #signal: AbortSignal | undefined;
  readonly #copies: LocalCopies[] = [];

  constructor(storage: ObjectStorage, signal: AbortSignal | undefined) {
    this.#storage = storage;
    this.#signal = signal;
  }

  async add(files: readonly { key: string }[]): Promise<void> {
    this.#copies.push(
      await this.#storage.fetch(
        files.map(({ key }) => key),
        this.#signal,
      ),
    );
  }

  async *until<T>(batches: AsyncIterable<T>): AsyncGenerator<T, void> {
    try {
      yield* batches;
    } finally {
      this.release();
    }
  }

  release(): void {
    for (const copies of this.#copies.splice(0)) copies.release();
  }
}
