/** What a pool hands out: a thread that may die. */
interface Pooled {
  readonly alive: boolean;
  close(): Promise<void>;
}

/** At most `size` threads, started when first needed and used again; waiting users are served in order. */
export class ThreadPool<T extends Pooled> {
  readonly #start: () => T;
  readonly #size: number;
  readonly #idle: T[] = [];
  readonly #waiting: ((thread: T) => void)[] = [];
  readonly #all: T[] = [];

  constructor(start: () => T, size: number) {
    this.#start = start;
    this.#size = size;
  }

  /** Starts one thread ahead of its use, since it takes a moment. */
  warm(): void {
    if (this.#all.length === 0) this.#idle.push(this.#add());
  }

  async use<R>(work: (thread: T) => Promise<R>): Promise<R> {
    const thread = await this.#take();
    try {
      return await work(thread);
    } finally {
      this.#give(thread);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((thread) => thread.close()));
  }

  #take(): Promise<T> | T {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#all.length < this.#size) return this.#add();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(thread: T): void {
    // One that died is replaced by the next user.
    const next = thread.alive ? thread : this.#replace(thread);
    const waiting = this.#waiting.shift();
    if (waiting) waiting(next);
    else this.#idle.push(next);
  }

  #replace(dead: T): T {
    this.#all.splice(this.#all.indexOf(dead), 1);
    return this.#add();
  }

  #add(): T {
    const thread = this.#start();
    this.#all.push(thread);
    return thread;
  }
}
