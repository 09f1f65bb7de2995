/** One small round of each attack that fits into a few seconds, as tests. */
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { Grounds } from './arena.ts';
import { type PARTS, SKIPPED } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { emptyTally, idOf } from './campaign.ts';

const SEED = Number(process.env['SLUICE_SEED'] ?? 20_261_121);

export function attackBriefly(parts: readonly (typeof PARTS)[number][]): void {
  const grounds = new Grounds();
  afterAll(() => grounds[Symbol.asyncDispose]());

  describe.each(parts)('%s', (part) => {
    it.each(
      ATTACKS.filter((attack) => attack.part === part && attack.brief).map((attack) => ({
        ...attack,
        id: idOf(attack),
      })),
    )(`$id: $tries (SLUICE_SEED=${SEED})`, async (attack) => {
      const abort = new AbortController();
      onTestFinished(() => abort.abort());
      const tally = emptyTally();
      const round = {
        pair: attack.pair,
        seed: SEED,
        brief: true,
        few: false,
        signal: abort.signal,
        tally,
        say: () => undefined,
      };
      await using arena = grounds.arena(round);
      const outcome = await attack.run(arena);
      if (outcome.startsWith(SKIPPED)) console.log(`${idOf(attack)} ${outcome}`);
      expect(tally).toMatchObject({ rowsLost: 0, rowsDoubled: 0 });
    });
  });
}
