import { Lane } from './lane.ts';
import type { WorkerOptions } from './lane-protocol.ts';

/** At most `size` lanes, started when first needed and used again; waiting users are served in order. */
export class LanePool {
  readonly #options: WorkerOptions;
  readonly #size: number;
  readonly #idle: Lane[] = [];
  readonly #waiting: ((lane: Lane) => void)[] = [];
  readonly #all: Lane[] = [];
  #started = 0;

  constructor(options: WorkerOptions, size: number) {
    this.#options = options;
    this.#size = size;
  }

  /** Starts one lane ahead of its use, since a thread with an engine takes a moment. */
  warm(): void {
    if (this.#all.length === 0) this.#idle.push(this.#start());
  }

  async use<T>(work: (lane: Lane) => Promise<T>): Promise<T> {
    const lane = await this.#take();
    try {
      return await work(lane);
    } finally {
      this.#give(lane);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((lane) => lane.close()));
  }

  #take(): Promise<Lane> | Lane {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#all.length < this.#size) return this.#start();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(lane: Lane): void {
    // A lane whose thread died is replaced by the next user.
    const next = lane.alive ? lane : this.#replace(lane);
    const waiting = this.#waiting.shift();
    if (waiting) waiting(next);
    else this.#idle.push(next);
  }

  #replace(dead: Lane): Lane {
    this.#all.splice(this.#all.indexOf(dead), 1);
    return this.#start();
  }

  #start(): Lane {
    // DuckDB takes every file in its folder for its own, and makes that folder, but not the one above it.
    const lane = new Lane({
      ...this.#options,
      tempDirectory: `${this.#options.tempDirectory}-${this.#started++}`,
    });
    this.#all.push(lane);
    return lane;
  }
}
