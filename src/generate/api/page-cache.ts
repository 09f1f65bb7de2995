/** Pages that were made last, as many as fit. */
export class PageCache {
  readonly #most: number;
  readonly #pages = new Map<string, Buffer>();
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#most = mostBytes;
  }

  of(key: string, make: () => Buffer): Buffer {
    const found = this.#pages.get(key);
    if (found) {
      this.#pages.delete(key);
      this.#pages.set(key, found);
      return found;
    }
    const made = make();
    if (made.length > this.#most) return made;
    this.#pages.set(key, made);
    this.#bytes += made.length;
    for (const [oldest, page] of this.#pages) {
      if (this.#bytes <= this.#most) break;
      this.#pages.delete(oldest);
      this.#bytes -= page.length;
    }
    return made;
  }
}
