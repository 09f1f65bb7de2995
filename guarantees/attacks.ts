/** Everything that is tried, in the order in which it is run. */
import type { Attack, Planned } from './attack.ts';
import type { AnyPair } from './pair.ts';
import { FAULTS_ATTACKS } from './faults/index.ts';
import { FIDELITY_ATTACKS } from './fidelity/index.ts';
import { HOSTILE_ATTACKS } from './hostile/index.ts';
import { KILL_ATTACKS } from './kill/index.ts';
import { MEMORY_ATTACKS } from './memory/index.ts';
import { kindOf, PAIRS } from './pairs.ts';
import { RACE_ATTACKS } from './race/index.ts';

const PARTS: readonly Attack<AnyPair>[] = [
  ...RACE_ATTACKS,
  ...KILL_ATTACKS,
  ...FAULTS_ATTACKS,
  ...HOSTILE_ATTACKS,
  ...MEMORY_ATTACKS,
  ...FIDELITY_ATTACKS,
];

/** Whether a pair has a source or a destination that no pair before it has. */
function isNew(pair: string): boolean {
  const { from, to } = kindOf(pair);
  const before = PAIRS.slice(0, PAIRS.indexOf(kindOf(pair)));
  return before.every((each) => each.from !== from) || before.every((each) => each.to !== to);
}

/** For each further pair what is random has fewer rounds, and npm test fewer attacks: the same engine is attacked. */
function plan(attack: Attack<AnyPair>, pair: string): Planned {
  const { name, rounds, brief, pairs = [PAIRS[0].name] } = attack;
  if (pair === PAIRS[0].name || (isNew(pair) && !pairs.includes(PAIRS[0].name))) return { ...attack, pair };
  const quick = brief && name.startsWith('steps-') && kindOf(pair).missing === undefined;
  return { ...attack, pair, rounds: Math.ceil(rounds / 4), brief: quick };
}

/** Pair by pair. */
export const ATTACKS: readonly Planned[] = PAIRS.flatMap(({ name }) =>
  PARTS.filter(({ pairs = [PAIRS[0].name] }) => pairs.includes(name)).map((attack) => plan(attack, name)),
);
