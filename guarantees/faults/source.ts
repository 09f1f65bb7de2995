/** Faults of the source and of the network on the way to it. */
import type { Attack } from '../attack.ts';
import { CHANGED_BETWEEN_RUNS, CHANGED_MID_RUN } from './source-changes.ts';
import { MADE_ANEW, PARTITIONS_MOVED, WENT_BACK } from './source-identity.ts';
import { BLACK_HOLES, CUT_CONNECTIONS, SLOW_NETWORK, STOPPED_IN_SILENCE } from './source-network.ts';
import { LOST_RIGHTS, STRANGERS } from './source-rights.ts';
import { LOCKED, REFUSED, RESTARTS, TERMINATED, TIMEOUTS } from './source-server.ts';

export const SOURCE_FAULTS: readonly Attack[] = [
  CUT_CONNECTIONS,
  BLACK_HOLES,
  STOPPED_IN_SILENCE,
  SLOW_NETWORK,
  RESTARTS,
  TERMINATED,
  TIMEOUTS,
  LOCKED,
  REFUSED,
  LOST_RIGHTS,
  STRANGERS,
  CHANGED_MID_RUN,
  CHANGED_BETWEEN_RUNS,
  MADE_ANEW,
  WENT_BACK,
  PARTITIONS_MOVED,
];
