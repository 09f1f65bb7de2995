/** Everything that is tried, in the order in which it is run. */
import type { Attack, Planned } from './attack.ts';
import type { AnyPair } from './pair.ts';
import { FAULTS_ATTACKS } from './faults/index.ts';
import { FIDELITY_ATTACKS } from './fidelity/index.ts';
import { HOSTILE_ATTACKS } from './hostile/index.ts';
import { KILL_ATTACKS } from './kill/index.ts';
import { MEMORY_ATTACKS } from './memory/index.ts';
import { PAIRS } from './pairs.ts';
import { RACE_ATTACKS } from './race/index.ts';

const PARTS: readonly Attack<AnyPair>[] = [
  ...RACE_ATTACKS,
  ...KILL_ATTACKS,
  ...FAULTS_ATTACKS,
  ...HOSTILE_ATTACKS,
  ...MEMORY_ATTACKS,
  ...FIDELITY_ATTACKS,
];

/** What is random has fewer rounds for each further pair: the same code of the engine is attacked. */
function roundsOf({ rounds }: Attack<AnyPair>, pair: string): number {
  return pair === PAIRS[0].name ? rounds : Math.ceil(rounds / 4);
}

/** Pair by pair. */
export const ATTACKS: readonly Planned[] = PAIRS.flatMap(({ name: pair }) =>
  PARTS.filter(({ pairs = [PAIRS[0].name] }) => pairs.includes(pair)).map((attack) => ({
    ...attack,
    pair,
    rounds: roundsOf(attack, pair),
  })),
);
