/** What one transaction of a writer does, from beginning to end, before anybody knows which rows it meets. Pure. */
import type { Random } from '../random.ts';

/** Where a cursor value comes from: the transaction's start, this moment, or a second that many transactions share. */
export type Stamp = 'now' | 'clock' | 'second';

/** The values of a change; a table takes what its columns are made of. */
export interface Values {
  stamp: Stamp;
  /** The cursor has no value. */
  empty: boolean;
  /** The cursor is left as it was: only the business date is new. */
  still: boolean;
  /** How old the business date is. */
  daysAgo: number;
  /** How far the writer's clock is off, from -1 (as far behind as is promised) to 1 (as far ahead). */
  skew: number;
}

export type Action =
  /** `prepares`: it may end by `prepare`; some systems want to know. */
  | { do: 'begin'; prepares?: boolean }
  | { do: 'savepoint' | 'rollback-to' | 'release' }
  | { do: 'commit' | 'rollback' | 'prepare' | 'commit-prepared' | 'rollback-prepared' }
  /** Nothing for so many turns of the others; the transaction stays open. */
  | { do: 'idle'; turns: number }
  | { do: 'insert'; values: Values }
  /** Own rows are touched by one writer only, shared ones by all. */
  | { do: 'update'; whose: 'own' | 'shared'; values: Values };

/** Business dates that the lookback of the race covers, so that they need no cursor; older ones do. */
const RECENT_DAYS = 6;
const OLD_DAYS = 40;

/** One row and nothing else: between many of these there are moments in which no transaction is open. */
export function writeShortTransaction(random: Random): Action[] {
  return [{ do: 'begin' }, writeChange(random, 0.8), { do: 'commit' }];
}

export function writeTransaction(random: Random): Action[] {
  return random.chance(0.1) ? writeLongTransaction(random) : writeAnyTransaction(random);
}

/** Through two loads at least: what is assumed of it at the first is found wrong after the second. */
function writeLongTransaction(random: Random): Action[] {
  const turns = random.int(170, 260);
  return [{ do: 'begin' }, writeChange(random, 0.8), { do: 'idle', turns }, { do: 'commit' }];
}

function writeAnyTransaction(random: Random): Action[] {
  const actions: Action[] = [];
  // Open before a load begins, and writing only after it.
  if (random.chance(0.4)) actions.push(idle(random));
  let depth = 0;
  const changes = random.chance(0.12) ? random.int(6, 14) : random.int(1, 4);
  for (let left = changes; left > 0; left--) {
    if (random.chance(0.15)) {
      actions.push({ do: 'savepoint' });
      depth++;
    }
    actions.push(writeChange(random, 0.45));
    if (depth > 0 && random.chance(0.6)) {
      const release = random.chance(0.5);
      actions.push({ do: release ? 'release' : 'rollback-to' });
      if (release) depth--;
    }
    if (random.chance(0.2)) actions.push(idle(random));
  }
  const end = writeEnd(random);
  return [{ do: 'begin', prepares: end[0]!.do === 'prepare' }, ...actions, ...end];
}

function writeChange(random: Random, inserts: number): Action {
  const values = writeValues(random);
  if (random.chance(inserts)) return { do: 'insert', values };
  return { do: 'update', whose: random.chance(0.5) ? 'shared' : 'own', values };
}

function writeValues(random: Random): Values {
  const daysAgo = random.chance(0.8) ? random.int(0, RECENT_DAYS) : random.int(OLD_DAYS, 2 * OLD_DAYS);
  return {
    stamp: random.pick(['now', 'now', 'clock', 'second']),
    empty: random.chance(0.3),
    still: daysAgo <= RECENT_DAYS && random.chance(0.5),
    daysAgo,
    // The limit itself as well.
    skew: random.chance(0.3) ? -1 : random.next() * 2 - 1,
  };
}

function writeEnd(random: Random): Action[] {
  const how = random.next();
  if (how < 0.12) return [{ do: 'rollback' }];
  if (how > 0.35) return [{ do: 'commit' }];
  const end = random.chance(0.65) ? 'commit-prepared' : 'rollback-prepared';
  return [{ do: 'prepare' }, idle(random, 0.5), { do: end }];
}

/** Mostly for a moment, now and then for longer than two loads take. */
function idle(random: Random, long: number = 0.15): Action {
  return { do: 'idle', turns: random.chance(long) ? random.int(60, 200) : random.int(1, 30) };
}
