import { parseArgs } from 'node:util';
import { PARTS, type Planned } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { idOf } from './campaign.ts';
import { PAIRS } from './pairs.ts';

export interface Arguments {
  attacks: readonly Planned[];
  /** Of the first round; the next one has the next number. */
  seed: number;
  /** A round that is not done then is given up; what is left over is filled with more seeds. */
  minutes: number | undefined;
  /** Instead of the number that each attack has for a whole run. */
  rounds: number | undefined;
  /** Rounds at the same time, each with servers of its own. */
  jobs: number;
  brief: boolean;
  json: boolean;
  write: boolean;
}

export const USAGE: string = `usage: npm run guarantees -- [options]

options
  --only <part>    ${PARTS.join(', ')}, or one attack: race/timestamps;
                   race/timestamps@postgres-postgres is that of one pair
  --pair <pair>    ${PAIRS.map(({ name }) => name).join(', ')}
  --seed <n>       seed of the first round, printed by every run; the same seed makes the same attacks
  --minutes <n>    stop after n minutes, and go on with more seeds until then
  --rounds <n>     this many rounds of each attack, instead of what a whole run has
  --jobs <n>       rounds at the same time, each with its own servers (1)
  --brief          small rounds, as in npm test
  --json           the last line of standard output is one JSON object, the rest goes to standard error
  --write          write what came of whole runs into docs/guarantees.md
  --help           this text

examples
  npm run guarantees -- --only race --seed 7 --rounds 1
  npm run guarantees -- --minutes 10 --json

exit codes: 0 all promises held, 1 one was broken, 2 the command line is wrong, 130 stopped by Ctrl-C`;

/** Throws an Error whose message is for the user. */
export function parseArguments(args: readonly string[]): Arguments | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      pair: { type: 'string' },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      rounds: { type: 'string' },
      jobs: { type: 'string', default: '1' },
      brief: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const named = chosen(values.only, values.pair);
  const attacks = values.brief && named.length > 1 ? named.filter(({ brief }) => brief) : named;
  const rounds = positive('--rounds', values.rounds);
  if (values.write && (values.brief || rounds !== undefined || values.minutes !== undefined))
    throw new Error('--write goes with whole runs: no --brief, --rounds or --minutes');
  return {
    attacks,
    seed: seedOf(values.seed),
    minutes: amount('--minutes', values.minutes),
    rounds,
    jobs: positive('--jobs', values.jobs) ?? 1,
    brief: values.brief,
    json: values.json,
    write: values.write,
  };
}

function chosen(only: string | undefined, pair: string | undefined): readonly Planned[] {
  const pairs = PAIRS.map(({ name }) => name);
  if (pair !== undefined && !pairs.includes(pair))
    throw new Error(`--pair: there is no "${pair}"; there are ${pairs.join(', ')}`);
  const there = ATTACKS.filter((attack) => pair === undefined || attack.pair === pair);
  if (only === undefined) return there;
  const found = there.filter(
    (attack) => only === attack.part || only === `${attack.part}/${attack.name}` || only === idOf(attack),
  );
  if (found.length > 0) return found;
  const [part] = only.split('/');
  const names = there.filter((attack) => attack.part === part).map(idOf);
  const known = names.length > 0 ? names : PARTS;
  throw new Error(`--only: there is no "${only}"; there are ${known.join(', ')}`);
}

function seedOf(text: string | undefined): number {
  if (text === undefined) return Date.now() % 1_000_000;
  const seed = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(seed) || seed < 0)
    throw new Error(`--seed: "${text}" is not a whole number from 0 on`);
  return seed;
}

function positive(option: string, text: string | undefined): number | undefined {
  const number = amount(option, text);
  if (number !== undefined && !Number.isInteger(number))
    throw new Error(`${option}: "${text}" is not a whole number`);
  return number;
}

function amount(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number)))
    throw new Error(`${option}: "${text}" is not a number above 0`);
  return number;
}
