import { Draws, fraction } from './random.ts';

export interface LifeOptions {
  readonly seed: number;
  readonly entity: string;
  /** Records on day 0. */
  readonly rows: number;
  /** Records that each later day makes, changes and takes away. */
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
}

/** What one day did; numbers of records, ascending. */
export interface DayChanges {
  readonly inserted: { readonly from: number; readonly to: number };
  readonly updated: Uint32Array;
  readonly deleted: Uint32Array;
}

/** Version of a record that is gone. */
export const DEAD = 0xffff;
/** Of the records that there are, one day changes or takes away this share at most. */
const MOST_CHANGED = 0.5;
const NOTHING = new Uint32Array(0);

/**
 * Which records there are on which day, and when each was last changed. Two bytes for each record, and the numbers of those
 * that a day has changed, for days that were asked for.
 */
export class Life {
  readonly #options: LifeOptions;
  readonly #draws: Draws;
  readonly #days: DayChanges[];
  /** Day of the last change of each record at the end of day `#at`. */
  #versions: Uint16Array = new Uint16Array(0);
  #at = 0;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#draws = new Draws(options.seed, `life of ${options.entity}`);
    this.#days = [{ inserted: { from: 0, to: options.rows }, updated: NOTHING, deleted: NOTHING }];
  }

  /** Records that there have been by the end of a day, also those that are gone. */
  population(day: number): number {
    return this.#options.rows + this.#options.inserts * day;
  }

  /** The day on which a record was made. */
  birth(index: number): number {
    const { rows, inserts } = this.#options;
    return index < rows ? 0 : 1 + Math.floor((index - rows) / inserts);
  }

  changes(day: number): DayChanges {
    while (this.#days.length <= day) this.#live(this.#days.length);
    return this.#days[day]!;
  }

  /** All that were taken away by the end of a day, ascending. */
  deleted(day: number): Uint32Array {
    if (this.#options.deletes === 0) return NOTHING;
    const days = Array.from({ length: day + 1 }, (_, of) => this.changes(of).deleted);
    const all = new Uint32Array(days.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const deleted of days) {
      all.set(deleted, at);
      at += deleted.length;
    }
    return all.toSorted();
  }

  /** For each record the day of its last change at the end of `day`; valid until another day is asked for. */
  versions(day: number): Uint16Array {
    this.changes(day);
    if (day < this.#at || this.#versions.length < this.population(day)) this.#restart(day);
    while (this.#at < day) this.#apply(++this.#at);
    return this.#versions;
  }

  #restart(day: number): void {
    const population = this.population(day);
    if (this.#versions.length < population) this.#versions = new Uint16Array(population);
    this.#versions.fill(0);
    this.#at = 0;
  }

  #apply(day: number): void {
    const { inserted, updated, deleted } = this.#days[day]!;
    this.#versions.fill(day, inserted.from, inserted.to);
    for (const index of updated) this.#versions[index] = day;
    for (const index of deleted) this.#versions[index] = DEAD;
  }

  /** Decides what happens on the next day. */
  #live(day: number): void {
    const versions = this.versions(day - 1).slice(0, this.population(day - 1));
    const { updates, deletes } = this.#options;
    const living = versions.length - this.deleted(day - 1).length;
    const room = Math.floor(living * MOST_CHANGED);
    let drawn = 0;
    const take = (count: number, skew: number): Uint32Array => {
      const taken = new Uint32Array(count);
      for (let i = 0; i < count; drawn++) {
        const index = Math.floor((1 - (1 - fraction(this.#draws.at(drawn, day))) ** skew) * versions.length);
        if (versions[index] === DEAD || versions[index] === day) continue;
        versions[index] = day;
        taken[i++] = index;
      }
      return taken.sort();
    };
    const gone = take(Math.min(deletes, room), 1);
    this.#days.push({
      inserted: { from: this.population(day - 1), to: this.population(day) },
      // What is new changes the most.
      updated: take(Math.min(updates, room - gone.length), 1.5),
      deleted: gone,
    });
  }
}
