/** What docs/guarantees.md says of promises and attacks, and of the last whole run. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Tally } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { idOf, type Result } from './campaign.ts';
import { type PromiseName, PROMISES } from './promises.ts';
import { outcomeText, sumTallies } from './report.ts';

/** What is kept of the last whole run of each attack, in results.json. */
interface Kept {
  at: string;
  seed: number;
  rounds: number;
  seconds: number;
  outcome: string;
  tally: Tally;
}

export type Kit = Record<string, Kept>;

const RESULTS = new URL('results.json', import.meta.url);

export function lastResults(): Kit {
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as Kit;
}

/** Keeps the results of attacks that held; scripts/generate-docs.mjs makes the page of them. */
export function keepResults(results: readonly Result[], seed: number): void {
  const kit = lastResults();
  for (const result of results) {
    if (result.failures.length > 0 || result.rounds < result.attack.rounds) continue;
    kit[idOf(result.attack)] = {
      at: new Date().toISOString().slice(0, 10),
      seed,
      rounds: result.rounds,
      seconds: Math.round(result.seconds),
      outcome: outcomeText(result.outcomes),
      tally: result.tally,
    };
  }
  const known = ATTACKS.map(idOf).filter((id) => kit[id] !== undefined);
  const kept = Object.fromEntries(known.map((id) => [id, kit[id]]));
  writeFileSync(RESULTS, `${JSON.stringify(kept, null, 2)}\n`);
}

export function runText(kit: Kit): string {
  const all = Object.values(kit);
  const days = all.map(({ at }) => at).toSorted();
  const sums = sumTallies(all);
  const { races, kills, faults, rowsLost, rowsDoubled, naiveRowsLost } = sums;
  const rounds = all.reduce((sum, each) => sum + each.rounds, 0);
  const minutes = Math.round(all.reduce((sum, each) => sum + each.seconds, 0) / 60);
  const span = days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`;
  return [
    '| races | kills | faults | rows lost | rows doubled | rows that the naive reader lost |',
    '|---|---|---|---|---|---|',
    `| ${[races, kills, faults, rowsLost, rowsDoubled, naiveRowsLost].map(count).join(' | ')} |`,
    '',
    `${all.length} attacks in ${rounds} rounds, ${minutes} minutes on two cores, last run ${span}.`,
  ].join('\n');
}

export function promisesText(kit: Kit): string {
  const names = Object.keys(PROMISES) as PromiseName[];
  return names.map((name) => promiseText(name, kit)).join('\n\n');
}

function promiseText(name: PromiseName, kit: Kit): string {
  const { title, says, tests } = PROMISES[name];
  const attacks = ATTACKS.filter(({ promise }) => promise === name);
  const rows = attacks.map((attack) => {
    const { rounds, outcome } = kit[idOf(attack)] ?? { rounds: 0, outcome: 'not run yet' };
    const cells = [`\`${idOf(attack)}\``, attack.tries, String(rounds), outcome];
    return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
  });
  const links = tests.map((file) => `[\`${file}\`](../${file})`);
  return [
    `## ${title}`,
    '',
    says,
    '',
    '| attack | what is tried | rounds | what happened |',
    '|---|---|---|---|',
    ...rows,
    '',
    `Also: ${links.join(', ')}.`,
  ].join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
