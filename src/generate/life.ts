import { ConfigError } from '../core/errors.ts';
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
/** What fits two bytes beside {@link DEAD}. */
const LAST_DAY = DEAD - 1;
const NOTHING = new Uint32Array(0);

/** When each record was last changed, at the end of some day. */
export class Versions {
  readonly #changed: Uint16Array;
  readonly #life: Life;

  constructor(changed: Uint16Array, life: Life) {
    this.#changed = changed;
    this.#life = life;
  }

  /** The day of its last change; {@link DEAD} when it is gone. */
  of(index: number): number {
    // What has never changed is of the day on which it was made.
    return this.#changed[index] || this.#life.birth(index);
  }
}

/**
 * Which records there are on which day, and when each was last changed. Where records change, two bytes for each, and the
 * numbers of those that a day has changed, for days that were asked for.
 */
export class Life {
  readonly #options: LifeOptions;
  readonly #draws: Draws;
  readonly #days: DayChanges[];
  /** Day of the last change of each record at the end of day `#at`; 0: it has not changed. */
  #changed: Uint16Array = new Uint16Array(0);
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
    if (day > LAST_DAY)
      throw new ConfigError(`day ${day}: a model has days up to ${LAST_DAY}`, { code: 'generate.options' });
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
    return all.sort();
  }

  /** When each record was last changed at the end of a day; stays so whatever day is asked for next. */
  versions(day: number): Versions {
    this.changes(day);
    this.#goTo(day);
    return new Versions(this.#changed.slice(0, this.population(day)), this);
  }

  #goTo(day: number): void {
    if (this.#options.updates + this.#options.deletes === 0) return;
    if (day < this.#at) {
      this.#changed.fill(0);
      this.#at = 0;
    }
    while (this.#at < day) {
      this.#at++;
      const { updated, deleted } = this.#days[this.#at]!;
      this.#makeRoom(this.#at);
      for (const index of updated) this.#changed[index] = this.#at;
      for (const index of deleted) this.#changed[index] = DEAD;
    }
  }

  #makeRoom(day: number): void {
    const population = this.population(day);
    if (this.#changed.length >= population) return;
    const next = new Uint16Array(Math.max(population, this.#changed.length * 2));
    next.set(this.#changed);
    this.#changed = next;
  }

  /** Decides what happens on the next day. */
  #live(day: number): void {
    const { updates, deletes } = this.#options;
    const before = this.population(day - 1);
    const inserted = { from: before, to: this.population(day) };
    if (updates + deletes === 0) {
      this.#days.push({ inserted, updated: NOTHING, deleted: NOTHING });
      return;
    }
    this.#goTo(day - 1);
    this.#makeRoom(day);
    const changed = this.#changed;
    const room = Math.floor((before - this.deleted(day - 1).length) * MOST_CHANGED);
    let drawn = 0;
    const take = (count: number, skew: number, mark: number): Uint32Array => {
      const taken = new Uint32Array(count);
      for (let i = 0; i < count; drawn++) {
        const index = Math.floor((1 - (1 - fraction(this.#draws.at(drawn, day))) ** skew) * before);
        if (changed[index] === DEAD || changed[index] === day) continue;
        changed[index] = mark;
        taken[i++] = index;
      }
      return taken.sort();
    };
    const deleted = take(Math.min(deletes, room), 1, DEAD);
    // What is new changes the most.
    const updated = take(Math.min(updates, room - deleted.length), 1.5, day);
    this.#days.push({ inserted, updated, deleted });
    this.#at = day;
  }
}
