/** Writers against loads: whatever they do, nothing is lost and nothing doubled. */
import type { Attack } from '../attack.ts';
import type { AnyPair, SqlPair } from '../pair.ts';
import { FROM_DATABASES } from '../pairs.ts';
import { raceHidden } from './hidden.ts';
import { race } from './race.ts';
import { RECORDS } from './records.ts';
import { storm } from './storm.ts';
import {
  CLOCK_TABLES,
  HIDDEN_TABLES,
  NUMBER_TABLES,
  SKEWED_TABLES,
  STORM_TABLES,
  VALUE_TABLES,
} from './tables.ts';

const WHAT = {
  part: 'race',
  promise: 'nothing-lost',
  rounds: 20,
  brief: false,
  pairs: FROM_DATABASES,
} as const;

const WRITER_ATTACKS: readonly Attack<SqlPair>[] = [
  {
    ...WHAT,
    name: 'timestamps',
    tries:
      'lets eight writers race with loads (late commits, transactions that are idle from before a load until after it, savepoints, rollbacks, prepared transactions, updates of the same rows, equal timestamps, `now()` and `clock_timestamp()`) by cursors of time with `overlap: 0`: append, merge, in batches, without a key, without a zone',
    brief: true,
    run: (arena) => race(arena, CLOCK_TABLES),
  },
  {
    ...WHAT,
    name: 'numbers-and-xmin',
    tries: 'lets the same writers race with loads by rising numbers and by `xmin`',
    run: (arena) => race(arena, NUMBER_TABLES),
  },
  {
    ...WHAT,
    name: 'dates-and-nulls',
    tries:
      'lets the same writers race with loads of late business dates whose cursor stands still (`lookback`), of cursors that become NULL and come back, by days, and by the greater of two columns',
    run: (arena) => race(arena, VALUE_TABLES),
  },
  {
    ...WHAT,
    name: 'hidden-transactions',
    tries:
      'lets the same writers race with loads by a role that may not see the transactions of most of them, with rows nearly as old as the default hour or the `overlap` of the stream',
    run: (arena) => raceHidden(arena, HIDDEN_TABLES),
  },
  {
    ...WHAT,
    name: 'skewed-clocks',
    tries:
      "lets the same writers race with loads while their clocks are off to both sides, up to exactly the default minute or the stream's `overlap`",
    run: (arena) => race(arena, SKEWED_TABLES),
  },
  {
    ...WHAT,
    name: 'storm',
    tries: 'lets eight writers race with loads without a schedule, each as fast as it can, for six seconds',
    rounds: 5,
    brief: true,
    run: (arena) => storm(arena, STORM_TABLES),
  },
];

export const RACE_ATTACKS: readonly Attack<AnyPair>[] = [...WRITER_ATTACKS, RECORDS];
