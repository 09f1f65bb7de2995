/** The short part of the kit; `npm run guarantees` is the whole. Parts that take longer run with the server tests. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ATTACKS } from './attacks.ts';
import { attackBriefly } from './brief-suite.ts';
import { idOf } from './campaign.ts';
import { lastResults } from './docs.ts';
import { kindOf } from './pairs.ts';
import { type PromiseName, PROMISES } from './promises.ts';

attackBriefly(['kill']);

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
