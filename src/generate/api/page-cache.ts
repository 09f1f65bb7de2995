/** Pages that were made last, as many as fit. */
export class PageCache {
  readonly #most: number;
  readonly #pages = new Map<string, Buffer>();
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#most = mostBytes;
  }

  /** The page of that name, made when it is not there. */
  async of(key: string, make: () => Buffer | Promise<Buffer>): Promise<Buffer> {
    const found = this.#pages.get(key);
    if (found) {
      this.#pages.delete(key);
      this.#pages.set(key, found);
      return found;
    }
    const made = await make();
    if (made.length <= this.#most && !this.#pages.has(key)) this.#keep(key, made);
    return made;
  }

  #keep(key: string, made: Buffer): void {
    this.#pages.set(key, made);
    this.#bytes += made.length;
    for (const [oldest, page] of this.#pages) {
      if (this.#bytes <= this.#most) break;
      this.#pages.delete(oldest);
      this.#bytes -= page.length;
    }
  }
}
