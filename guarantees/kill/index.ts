import type { Attack } from '../attack.ts';
import type { AnyPair } from '../pair.ts';
import { MANY_READERS } from './many-readers.ts';
import { PART_ATTACKS } from './parts.ts';
import { POWER_CUT } from './power-cut.ts';
import { RANDOM_TIMES } from './random-times.ts';
import { RECORD_KILLS } from './records.ts';
import { SIDE_BY_SIDE } from './side-by-side.ts';
import { SIGNALS } from './signals.ts';
import { STEP_ATTACKS } from './steps.ts';
import { TAP_ATTACKS } from './taps.ts';
import { TWO_AT_ONCE_ATTACKS } from './two-at-once.ts';
import { UPKEEP_ATTACKS } from './upkeep.ts';

export const KILL_ATTACKS: readonly Attack<AnyPair>[] = [
  ...STEP_ATTACKS,
  ...PART_ATTACKS,
  ...UPKEEP_ATTACKS,
  RANDOM_TIMES,
  SIGNALS,
  ...TWO_AT_ONCE_ATTACKS,
  SIDE_BY_SIDE,
  MANY_READERS,
  POWER_CUT,
  ...RECORD_KILLS,
  ...TAP_ATTACKS,
];
