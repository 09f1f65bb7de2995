/**
 * `npm run guarantees -- [--minutes N] [--seed S] [--only PART] [--json]`: attacks the main path and says whether the
 * promises of docs/guarantees.md hold.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Arguments, parseArguments, USAGE } from './arguments.ts';
import { type Failure, idOf, type Result, runCampaign } from './campaign.ts';
import { keepResults } from './docs.ts';
import { renderResults, reportJson, sumTallies } from './report.ts';
import { stopOnSignals } from './stop.ts';

// Inherited by threads and child processes, which would compile their modules anew.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('../.cache/compiled', import.meta.url));
const stopped = stopOnSignals();
await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  let wanted: Arguments | 'help';
  try {
    wanted = parseArguments(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  if (wanted === 'help') {
    console.log(USAGE);
    return;
  }
  if (!existsSync(new URL('../dist/cli/main.js', import.meta.url))) {
    console.error('the package is not built; run: npm run build');
    process.exitCode = 2;
    return;
  }
  await attack(wanted);
}

async function attack(wanted: Arguments): Promise<void> {
  const print = wanted.json ? console.error : console.log;
  const started = performance.now();
  print(`seed ${wanted.seed}, ${wanted.attacks.length} attacks${wanted.brief ? ', brief' : ''}`);
  const live = process.stderr.isTTY;
  const clear = (): void => void (live && process.stderr.write('\r\u001b[K'));
  const results = await runCampaign({
    ...wanted,
    signal: stopped,
    say: (text) => {
      clear();
      if (live) process.stderr.write(`  ${text} …`.slice(0, process.stderr.columns - 1));
    },
    onRound: (result, round, failure) => {
      clear();
      print(roundLine(result, round, failure));
    },
  });
  clear();
  const seconds = (performance.now() - started) / 1000;
  print(`\n${renderResults(results)}\n`);
  print(closingText(results, wanted.seed, seconds));
  const broken = results.some(({ failures }) => failures.length > 0);
  if (stopped.aborted) console.error('stopped; servers and files are gone');
  else {
    if (broken) process.exitCode = 1;
    if (wanted.write) write(results, wanted.seed);
  }
  if (wanted.json) console.log(JSON.stringify(reportJson(results, wanted.seed, seconds)));
}

function write(results: readonly Result[], seed: number): void {
  keepResults(results, seed);
  const script = fileURLToPath(new URL('../scripts/generate-docs.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exitCode = 1;
}

function roundLine(result: Result, round: number, failure: Failure | undefined): string {
  const id = idOf(result.attack);
  if (!failure) return `  ✓ ${id}, round ${round + 1}: ${[...result.outcomes.keys()].at(-1)}`;
  return `  ✗ ${id}, round ${round + 1}; again: npm run guarantees -- ${failure.again}\n${failure.message.replaceAll(/^/gm, '      ')}`;
}

function closingText(results: readonly Result[], seed: number, seconds: number): string {
  const { kills, faults, races, rowsLost, rowsDoubled, naiveRowsLost } = sumTallies(results);
  const failures = results.reduce((sum, result) => sum + result.failures.length, 0);
  const tried = `${races} races, ${kills} kills, ${faults} faults in ${Math.round(seconds)} s, seed ${seed}`;
  const found = `${rowsLost} rows lost, ${rowsDoubled} doubled (the naive reader lost ${naiveRowsLost})`;
  return `${failures === 0 ? '✓' : `✗ ${failures} rounds broke a promise;`} ${tried}: ${found}`;
}
