/** The short part of the kit: one small round of each attack that fits into a few seconds. `npm run guarantees` is the whole. */
import { existsSync } from 'node:fs';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { Grounds } from './arena.ts';
import { PARTS } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { emptyTally, idOf } from './campaign.ts';
import { lastResults } from './docs.ts';
import { kindOf } from './pairs.ts';
import { type PromiseName, PROMISES } from './promises.ts';
import { SKIPPED } from './attack.ts';

const SEED = Number(process.env['SLUICE_SEED'] ?? 20_261_121);

const grounds = new Grounds();
afterAll(() => grounds[Symbol.asyncDispose]());

describe.each(PARTS)('%s', (part) => {
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

describe('the list of attacks', () => {
  it('gives each a name of its own', () => {
    expect(new Set(ATTACKS.map(idOf)).size).toBe(ATTACKS.length);
  });

  it('attacks every promise', () => {
    const attacked = new Set(ATTACKS.map(({ promise }) => promise));
    expect((Object.keys(PROMISES) as PromiseName[]).filter((name) => !attacked.has(name))).toEqual([]);
  });

  it('was run as a whole, but for pairs with servers that npm lacks (else run: npm run guarantees -- --write)', () => {
    const kept = Object.keys(lastResults());
    const wanted = ATTACKS.filter(({ pair }) => kindOf(pair).missing === undefined).map(idOf);
    expect(wanted.filter((id) => !kept.includes(id))).toEqual([]);
    expect(kept.filter((id) => !ATTACKS.map(idOf).includes(id))).toEqual([]);
  });

  it('names tests that exist', () => {
    const named = Object.values(PROMISES).flatMap(({ tests }) => tests);
    expect(named.filter((file) => !existsSync(new URL(`../${file}`, import.meta.url)))).toEqual([]);
  });
});
