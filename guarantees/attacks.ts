/** Everything that is tried, in the order in which it is run. */
import type { Attack } from './attack.ts';
import { FAULTS_ATTACKS } from './faults/index.ts';
import { FIDELITY_ATTACKS } from './fidelity/index.ts';
import { HOSTILE_ATTACKS } from './hostile/index.ts';
import { KILL_ATTACKS } from './kill/index.ts';
import { MEMORY_ATTACKS } from './memory/index.ts';
import { RACE_ATTACKS } from './race/index.ts';

export const ATTACKS: readonly Attack[] = [
  ...RACE_ATTACKS,
  ...KILL_ATTACKS,
  ...FAULTS_ATTACKS,
  ...HOSTILE_ATTACKS,
  ...MEMORY_ATTACKS,
  ...FIDELITY_ATTACKS,
];
