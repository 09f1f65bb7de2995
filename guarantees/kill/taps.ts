/** kill -9 of a tap that is read, and of `sluice singer-target`, which is given the rest from the last STATE that it printed. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { API_STREAMS, API_TABLES, type ApiCopy, type ApiSide, TAP } from '../api-side.ts';
import type { Arena, Attack } from '../attack.ts';
import type { ApiPair } from '../pair.ts';
import { FROM_TAPS } from '../pairs.ts';
import { expectWhole, NOTHING } from '../race/records.ts';
import { endWith } from '../pause.ts';
import { type Command, startCommand } from './command.ts';
import { expectAtRest, expectSoundState, linesOf, same } from './rest.ts';

const KILLS = 6;
/** Several pages of each collection. */
const CHANGES = 160;
/** How often a killed target is followed by another one that is killed. */
const AGAIN = 0.3;
/** How often the API changes while it is read. */
const MOVING = 0.5;

const TAP_DIES: Attack<ApiPair> = {
  name: 'tap-dies',
  part: 'kill',
  promise: 'whole-or-not',
  tries: `kills the tap that is read ${KILLS} times a round with SIGKILL between any two of its pages, while records move from page to page, looks at once, and runs again`,
  rounds: 4,
  pairs: FROM_TAPS,
  brief: false,
  run: killTaps,
};

async function killTaps(arena: Arena<ApiPair>): Promise<string> {
  const { random, tally } = arena;
  const pair = await arena.open(API_STREAMS);
  const api = pair.from;
  api.fill(random);
  await pair.run();
  const wanted = arena.few ? 1 : KILLS;
  let killed = 0;
  for (let tries = 0; killed < wanted && tries < 3 * KILLS; tries++) {
    arena.signal.throwIfAborted();
    business(arena, api);
    const before = api.copy();
    const listed = await linesOf(pair, 'listed');
    let left = random.int(1, 25);
    api.beforeAnswer = (name, tap) => {
      api.change(random, name);
      if (tap === undefined || --left !== 0) return;
      process.kill(tap, 'SIGKILL');
      killed++;
      tally.kills++;
    };
    const { streams } = await pair.attempt();
    const failed = streams.filter(({ error }) => error);
    const other = failed.find(({ error }) => error!.code !== 'singer.tap_failed');
    if (other) throw new Error(`${other.stream}: ${other.error!.code}: ${other.error!.message}`);
    if (failed.length > 1) throw new Error(`${failed.length} streams failed by the death of one tap`);
    // Whose tap lived, or could be asked again, is whole.
    const cut = failed.map(({ stream }) => stream.replace('.', '_'));
    const tables = Object.keys(API_TABLES).filter((table) => !cut.includes(table));
    await expectWhole(pair, api.still(before), tables);
    await expectWhole(pair, NOTHING, cut);
    if (cut.includes('listed') && !same(await linesOf(pair, 'listed'), listed))
      throw new Error('a tap that died changed a table that it was to replace');
    api.beforeAnswer = () => undefined;
    await pair.run();
    await arena.verify(pair, Object.keys(API_TABLES));
  }
  await api.settled();
  await expectAtRest(pair);
  if (killed < wanted) throw new Error(`only ${killed} of ${wanted} taps lived long enough to be killed`);
  return 'singer.tap_failed, or goes on by itself; then whole';
}

const TARGET_KILLED: Attack<ApiPair> = {
  name: 'singer-target',
  part: 'kill',
  promise: 'whole-or-not',
  tries: `pipes a tap into \`sluice singer-target\`, kills that ${KILLS} times a round with SIGKILL at random moments while records stand still or move from page to page, looks whether all that the last STATE stands for is there, and begins again from that STATE`,
  rounds: 4,
  pairs: FROM_TAPS,
  brief: false,
  run: killTargets,
};

async function killTargets(arena: Arena<ApiPair>): Promise<string> {
  const { random, tally } = arena;
  const pair = await arena.open({});
  const api = pair.from;
  api.fill(random);
  const target = new Target(pair);
  await target.finish();
  business(arena, api);
  const began = performance.now();
  await target.finish();
  const wholeMs = Math.round(performance.now() - began);
  const wanted = arena.few ? 1 : KILLS;
  let killed = 0;
  // One may end before its kill; then it counts for nothing.
  for (let tries = 0; killed < wanted && tries < 3 * KILLS; tries++) {
    arena.signal.throwIfAborted();
    business(arena, api);
    if (random.chance(MOVING)) api.beforeAnswer = (name) => api.change(random, name);
    const delay = random.int(0, wholeMs);
    arena.say(`kill after ${delay} ms`);
    if (await target.kill(delay, random.int(10, 100))) {
      killed++;
      tally.kills++;
    }
    api.beforeAnswer = () => undefined;
    await expectWhole(pair, target.certain(), TARGET_TABLES);
    await expectSoundState(pair);
    if (random.chance(AGAIN)) continue;
    await target.finish();
    await arena.verify(pair, TARGET_TABLES);
  }
  await target.finish();
  await arena.verify(pair, TARGET_TABLES);
  await expectAtRest(pair);
  if (killed < wanted) throw new Error(`only ${killed} of ${wanted} targets lived long enough to be killed`);
  return 'works';
}

/** Arrays stay in their records there, and are left out. */
const TARGET_TABLES: readonly string[] = Object.keys(API_TABLES).filter((table) => table !== 'orders_lines');
const TARGET_CONFIG = { to: 'to', streams: { orders: { columns: { exclude: ['lines'] } } } };

type Bookmarks = Record<string, string>;

/** `tap | sluice singer-target`, again and again from the last STATE that was printed. */
class Target {
  readonly #pair: ApiPair;
  readonly #config: string;
  readonly #state: string;
  #bookmarks: Bookmarks = {};

  constructor(pair: ApiPair) {
    const { folder, from } = pair;
    this.#pair = pair;
    this.#config = path.join(folder, 'target.json');
    this.#state = path.join(folder, 'state.json');
    writeFileSync(this.#config, JSON.stringify(TARGET_CONFIG));
    writeFileSync(path.join(folder, 'tap.json'), JSON.stringify(from.connection['config']));
    this.#keep('');
  }

  async finish(): Promise<void> {
    const { code, signal, output, printed } = await (await this.#start(1000)).ended;
    if (code !== 0) throw new Error(`singer-target ended with ${code ?? signal}: ${output}`);
    this.#keep(printed);
  }

  /** Whether it lived for so long. */
  async kill(delayMs: number, rows: number): Promise<boolean> {
    const target = await this.#start(rows);
    await sleep(delayMs);
    target.kill('SIGKILL');
    const { signal, printed } = await target.ended;
    await Promise.all([this.#pair.from.settled(), this.#pair.to.settled()]);
    this.#keep(printed);
    return signal === 'SIGKILL';
  }

  /** What was there before the times of the last STATE, and has not changed since. */
  certain(): ApiCopy {
    const before = (name: string, { at }: { at: string }): boolean => at < (this.#bookmarks[name] ?? '');
    return new Map(
      [...this.#pair.from.copy()].map(([name, records]) => [
        name,
        new Map([...records].filter(([, record]) => before(name, record))),
      ]),
    );
  }

  #start(rows: number): Promise<Command> {
    const tap = startTap(this.#pair, this.#state);
    const args = ['singer-target', '--config', this.#config, '--flush-rows', String(rows)];
    return startCommand(this.#pair, args, { input: tap.stdout });
  }

  #keep(printed: string): void {
    const state = printed.split('\n').at(-2);
    if (state !== undefined) this.#bookmarks = (JSON.parse(state) as { bookmarks: Bookmarks }).bookmarks;
    writeFileSync(this.#state, JSON.stringify({ bookmarks: this.#bookmarks }));
  }
}

function startTap(pair: ApiPair, state: string): ChildProcessByStdio<null, Readable, null> {
  const [program, ...words] = [...TAP, '--config', path.join(pair.folder, 'tap.json'), '--state', state];
  // It complains when nobody reads it any more.
  const tap = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  endWith(pair, tap);
  return tap;
}

function business({ random }: Arena<ApiPair>, api: ApiSide): void {
  for (let i = 0; i < CHANGES; i++) api.change(random);
}

export const TAP_ATTACKS: readonly Attack<ApiPair>[] = [TAP_DIES, TARGET_KILLED];
