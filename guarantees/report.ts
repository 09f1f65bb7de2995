/** What came of the attacks, for people and for programs. */
import { renderTable } from '../src/observe/table.ts';
import { SKIPPED, type Tally } from './attack.ts';
import { emptyTally, idOf, type Result } from './campaign.ts';

/** What happened, the same words counted: `works`, `works (3), storage.disk_full, then whole (1)`. */
export function outcomeText(outcomes: ReadonlyMap<string, number>): string {
  const all = [...outcomes];
  if (all.length === 0) return '';
  return all.length === 1 ? all[0]![0] : all.map(([text, count]) => `${text} (${count})`).join('; ');
}

export function renderResults(results: readonly Result[]): string {
  const rows = results.map((result) => [
    idOf(result.attack),
    String(result.rounds),
    countsText(result.tally),
    result.seconds.toFixed(1),
    verdict(result),
  ]);
  return renderTable(
    [
      { title: 'attack' },
      { title: 'rounds', align: 'right' },
      { title: 'kills, faults, races' },
      { title: 'seconds', align: 'right' },
      { title: 'what happened' },
    ],
    rows,
    { maxCell: 110 },
  );
}

function verdict(result: Result): string {
  if (result.rounds === 0) return 'not run: no time was left';
  if (result.failures.length === 0) return outcomeText(result.outcomes);
  return `BROKEN in ${result.failures.length} of ${result.rounds}: ${result.failures[0]!.message.split('\n')[0]}`;
}

function countsText({ kills, faults, races }: Tally): string {
  const counts: [number, string][] = [
    [kills, 'kills'],
    [faults, 'faults'],
    [races, 'races'],
  ];
  return counts.flatMap(([count, name]) => (count > 0 ? [`${count} ${name}`] : [])).join(', ');
}

export function sumTallies(results: readonly Pick<Result, 'tally'>[]): Tally {
  const sum = emptyTally();
  for (const { tally } of results)
    for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += tally[name];
  return sum;
}

/** The last line of `--json`; names stay, later ones are added. */
export function reportJson(
  results: readonly Result[],
  seed: number,
  seconds: number,
): Record<string, unknown> {
  const { kills, faults, races, rowsLost, rowsDoubled, naiveRowsLost } = sumTallies(results);
  const skipped = results.filter(({ outcomes }) =>
    [...outcomes.keys()].some((text) => text.startsWith(SKIPPED)),
  );
  return {
    seed,
    attacks: results.filter(({ rounds }) => rounds > 0).length,
    rounds: results.reduce((sum, { rounds }) => sum + rounds, 0),
    kills,
    faults,
    races,
    rows_lost: rowsLost,
    rows_doubled: rowsDoubled,
    naive_rows_lost: naiveRowsLost,
    failures: results.reduce((sum, { failures }) => sum + failures.length, 0),
    skipped: skipped.map(({ attack }) => idOf(attack)),
    not_run: results.filter(({ rounds }) => rounds === 0).map(({ attack }) => idOf(attack)),
    seconds: Number(seconds.toFixed(1)),
    results: results.map((result) => ({
      attack: idOf(result.attack),
      promise: result.attack.promise,
      rounds: result.rounds,
      outcomes: Object.fromEntries(result.outcomes),
      failures: result.failures,
      seconds: Number(result.seconds.toFixed(1)),
    })),
  };
}
