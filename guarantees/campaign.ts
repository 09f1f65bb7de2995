/** Runs rounds of attacks one after the other and keeps what came of them. */
import type { Arguments } from './arguments.ts';
import { type Planned, SKIPPED, type Tally } from './attack.ts';
import { Grounds } from './arena.ts';
import { kindOf, PAIRS } from './pairs.ts';
import { Random } from './random.ts';

export interface Failure {
  attack: string;
  seed: number;
  /** Options that make the same round again. */
  again: string;
  message: string;
}

/** What came of one attack in all its rounds. */
export interface Result {
  attack: Planned;
  rounds: number;
  /** What happened, and in how many rounds. */
  outcomes: Map<string, number>;
  failures: Failure[];
  tally: Tally;
  seconds: number;
}

export interface Campaign extends Omit<Arguments, 'json' | 'write'> {
  signal: AbortSignal;
  /** What happens right now. */
  say(text: string): void;
  /** After each round. */
  onRound(result: Result, round: number, failure: Failure | undefined): void;
}

export function emptyTally(): Tally {
  return { kills: 0, faults: 0, races: 0, rowsLost: 0, rowsDoubled: 0, naiveRowsLost: 0 };
}

/** `race/timestamps`, or `race/timestamps@postgres-postgres` for another pair than the first. */
export function idOf({ part, name, pair }: Pick<Planned, 'part' | 'name' | 'pair'>): string {
  return `${part}/${name}${pair === PAIRS[0].name ? '' : `@${pair}`}`;
}

/** Results of all attacks, also of those that no time was left for (with 0 rounds). */
export async function runCampaign(campaign: Campaign): Promise<Result[]> {
  const results = campaign.attacks.map((attack): Result => {
    const nothing = { rounds: 0, failures: [], seconds: 0 };
    return { attack, outcomes: new Map(), tally: emptyTally(), ...nothing };
  });
  // Some rounds take minutes: one that is not done in time is given up, as after Ctrl-C.
  const limit = campaign.minutes === undefined ? [] : [AbortSignal.timeout(campaign.minutes * 60_000)];
  const limited = { ...campaign, signal: AbortSignal.any([campaign.signal, ...limit]) };
  const rounds = schedule(results, campaign);
  const job = async (): Promise<void> => {
    await using grounds = new Grounds();
    for (let next = rounds.next(); !next.done; next = rounds.next()) {
      if (limited.signal.aborted) return;
      await runRound(grounds, limited, next.value);
    }
  };
  await Promise.all(Array.from({ length: campaign.jobs }, job));
  return results;
}

interface Turn {
  result: Result;
  round: number;
  few: boolean;
}

/**
 * With a limit of time all attacks get a round of few parts before any gets a whole one, one of each pair in turn in an order
 * that the seed draws, for not all get one when it is short, and random ones go on with more seeds than a whole run has; without
 * one each attack gets all its rounds in a row.
 */
function* schedule(results: readonly Result[], campaign: Campaign): Generator<Turn> {
  const wanted = ({ attack }: Result): number => campaign.rounds ?? (campaign.brief ? 1 : attack.rounds);
  if (campaign.minutes === undefined) {
    for (const result of results)
      for (let round = 0; round < wanted(result); round++) yield { result, round, few: false };
    return;
  }
  const order = inTurns(shuffled(results, new Random(campaign.seed)));
  for (const result of order) yield { result, round: 0, few: true };
  for (let round = 1; ; round++) {
    const more = order.filter(
      (result) =>
        round <= wanted(result) ||
        (campaign.rounds === undefined && !campaign.brief && result.attack.rounds > 1),
    );
    if (more.length === 0) return;
    for (const result of more) yield { result, round, few: false };
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, place: random.next() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** The first one of each pair, then the second ones, and so on. */
function inTurns(results: readonly Result[]): Result[] {
  const turns = new Map<string, number>();
  const placed = results.map((result) => {
    const turn = turns.get(result.attack.pair) ?? 0;
    turns.set(result.attack.pair, turn + 1);
    return { result, turn };
  });
  return placed.toSorted((a, b) => a.turn - b.turn).map(({ result }) => result);
}

async function runRound(grounds: Grounds, campaign: Campaign, { result, round, few }: Turn): Promise<void> {
  const { signal, brief } = campaign;
  const seed = campaign.seed + round;
  const id = idOf(result.attack);
  const started = performance.now();
  let failure: Failure | undefined;
  try {
    campaign.say(`${id}, seed ${seed}`);
    const say = (text: string): void => campaign.say(`${id}, seed ${seed}: ${text}`);
    await using arena = grounds.arena({
      pair: result.attack.pair,
      seed,
      brief,
      few,
      signal,
      tally: result.tally,
      say,
    });
    const missing = kindOf(result.attack.pair).missing?.();
    const outcome = missing === undefined ? await result.attack.run(arena) : `${SKIPPED}${missing}`;
    result.outcomes.set(outcome, (result.outcomes.get(outcome) ?? 0) + 1);
  } catch (error) {
    // What a stop interrupts proves nothing.
    if (signal.aborted) return;
    failure = {
      attack: id,
      seed,
      again: `--only ${id} --seed ${seed} ${few ? '--minutes 1' : '--rounds 1'}`,
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
    result.failures.push(failure);
  }
  result.rounds++;
  result.seconds += (performance.now() - started) / 1000;
  campaign.onRound(result, round, failure);
}
