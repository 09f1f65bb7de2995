/** Loads, compactions, sweeps and readers at the same time, each in processes of their own. */
import { sweepLake } from '../../src/connectors/lake/sweep.ts';
import { thisOwner } from '../../src/connectors/shared/staging.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import type { Attack } from '../attack.ts';
import { BANK, bankSql, BANK_STREAMS, doBusiness, startReader } from './bank.ts';
import { runCommand } from './command.ts';
import { expectAtRest } from './rest.ts';

const LOADS = 8;

export const SIDE_BY_SIDE: Attack = {
  name: 'side-by-side',
  part: 'kill',
  promise: 'one-at-a-time',
  tries: `${LOADS} loads of four tables go on while compactions and sweeps run in a loop and another process reads; nobody may fail`,
  rounds: 3,
  brief: false,
  async run(arena) {
    const pair = await arena.open(BANK_STREAMS, bankSql);
    await runCommand(pair, ['run']);
    const reader = startReader(pair);
    let loading = true;
    const upkeep = async (work: () => Promise<unknown>): Promise<void> => {
      while (loading) await work();
    };
    const load = async (): Promise<void> => {
      try {
        for (let i = 0; i < (arena.few ? 2 : LOADS); i++) {
          arena.signal.throwIfAborted();
          arena.say(`load ${i + 1}`);
          await doBusiness(pair, arena.random);
          await runCommand(pair, ['run']);
        }
      } finally {
        loading = false;
      }
    };
    const storage = openLocalStorage(pair.to.root);
    const ends = await Promise.allSettled([
      load(),
      upkeep(() => runCommand(pair, ['catalog', 'compact'])),
      // Leftovers of whoever is alive stay even without grace; replaced files stay for readers.
      upkeep(() => sweepLake(storage, { owner: thisOwner('sweep'), graceMs: 0 })),
    ]);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    await arena.verify(pair, BANK);
    await expectAtRest(pair);
    await reader.stop();
    return 'works';
  },
};
