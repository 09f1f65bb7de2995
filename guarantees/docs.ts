/** What docs/guarantees.md says of promises and attacks, and of the last whole run. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Planned, Tally } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { idOf, type Result } from './campaign.ts';
import { kindOf, PAIRS } from './pairs.ts';
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
    if (kindOf(result.attack.pair).missing?.() !== undefined) continue;
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
  const rounds = all.reduce((sum, each) => sum + each.rounds, 0);
  const minutes = Math.round(all.reduce((sum, each) => sum + each.seconds, 0) / 60);
  const span = days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`;
  const rows = PAIRS.map(({ name, title }) => {
    const its = ATTACKS.filter(({ pair }) => pair === name).flatMap((attack) => kit[idOf(attack)] ?? []);
    return `| ${title} | ${[its.length, ...sumsOf(its)].map(count).join(' | ')} |`;
  });
  return [
    '| pair | attacks | races | kills | faults | rows lost | rows doubled | rows that the naive reader lost |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
    `| all | ${[all.length, ...sumsOf(all)].map(count).join(' | ')} |`,
    '',
    `${all.length} attacks in ${rounds} rounds, ${minutes} minutes on two cores, last run ${span}.`,
  ].join('\n');
}

function sumsOf(kept: readonly Kept[]): number[] {
  const { races, kills, faults, rowsLost, rowsDoubled, naiveRowsLost } = sumTallies(kept);
  return [races, kills, faults, rowsLost, rowsDoubled, naiveRowsLost];
}

export function promisesText(kit: Kit): string {
  const names = Object.keys(PROMISES) as PromiseName[];
  return names.map((name) => promiseText(name, kit)).join('\n\n');
}

/** One line for each attack, one column for each pair. */
function promiseText(name: PromiseName, kit: Kit): string {
  const { title, says, tests } = PROMISES[name];
  const attacks = Map.groupBy(
    ATTACKS.filter(({ promise }) => promise === name),
    (attack) => `${attack.part}/${attack.name}`,
  );
  const rows = [...attacks].map(([id, planned]) => {
    const cells = [
      `\`${id}\``,
      planned[0]!.tries,
      ...PAIRS.map((pair) => outcomeOf(planned, pair.name, kit)),
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
  });
  const links = tests.map((file) => `[\`${file}\`](../${file})`);
  return [
    `## ${title}`,
    '',
    says,
    '',
    `| attack | what is tried | ${PAIRS.map((pair) => pair.title).join(' | ')} |`,
    `|---|---|${PAIRS.map(() => '---|').join('')}`,
    ...rows,
    '',
    `Also: ${links.join(', ')}.`,
  ].join('\n');
}

function outcomeOf(planned: readonly Planned[], pair: string, kit: Kit): string {
  const attack = planned.find((each) => each.pair === pair);
  if (!attack) return '';
  const kept = kit[idOf(attack)];
  if (!kept) return 'not run yet';
  return kept.rounds === 1 ? kept.outcome : `${kept.rounds} rounds: ${kept.outcome}`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
