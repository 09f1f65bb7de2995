import type { ObjectStorage } from '../../../core/storage.ts';
import { Asking, type SourceEngine, type Work } from './source-engine.ts';
import { readingFiles } from '../local-files.ts';

/** Asks the engine of a snapshot for what is in these files. */
export class AskingFiles extends Asking {
  readonly #storage: Pick<ObjectStorage, 'fetch'>;
  readonly #engine: SourceEngine;
  readonly #files: readonly { key: string }[];

  constructor(
    { storage, engine }: { storage: Pick<ObjectStorage, 'fetch'>; engine: SourceEngine },
    files: readonly { key: string }[],
  ) {
    super();
    this.#storage = storage;
    this.#engine = engine;
    this.#files = files;
  }

  override using<T>(signal: AbortSignal, work: Work<T>): AsyncGenerator<T> {
    return this.#engine.using(signal, (connection, ending) =>
      readingFiles({ storage: this.#storage, files: this.#files, signal: ending }, () =>
        work(connection, ending),
      ),
    );
  }
}
