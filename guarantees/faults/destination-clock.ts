/** The clock of the machine that loads is wrong, jumps, or stands in an odd time zone. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { pauseAt } from '../pause.ts';
import { addRows, changeRows, FAULT, openShop, runInChild, TABLES, tablesOf } from './destination-ground.ts';
import { mustBeWhole, mustHeal } from './expect.ts';

const YEAR = 365 * 24 * 3600 * 1000;
const SHIM = fileURLToPath(new URL('destination-clock-shim.ts', import.meta.url));

/** A run whose clock is off, see the shim; it must go well. */
async function runOff(pair: Pair, clock: string, env: Record<string, string> = {}): Promise<void> {
  const { errors } = await runInChild(pair, {
    nodeOptions: ['--import', SHIM],
    env: { ...env, SLUICE_ATTACK_CLOCK: clock },
  });
  const error = errors.find((each) => each !== undefined);
  if (error) throw new Error(`with the clock off by ${clock}: ${error.code}: ${error.message}`);
}

async function change(pair: Pair, first: number): Promise<void> {
  await addRows(pair, first, 3);
  await changeRows(pair, `since ${first} `);
}

const yearOff: Attack = {
  ...FAULT,
  name: 'clock-year-off',
  tries: 'The clock of the loader is a year ahead, then a year behind, then right again',
  brief: true,
  async run(arena) {
    const pair = await openShop(arena, 'items');
    await pair.run();
    for (const [i, clock] of (arena.brief ? [YEAR] : [YEAR, -YEAR]).entries()) {
      await change(pair, 100 + i * 10);
      await pair.run();
      // Replaced a moment ago: a query may still be reading them.
      const replaced = (await pair.to.state('items'))!.removed.map(({ key }) => key);
      if (replaced.length === 0) throw new Error('the load replaced no file');
      await change(pair, 150 + i * 10);
      arena.tally.faults++;
      await runOff(pair, String(clock));
      const gone = replaced.filter((key) => !existsSync(path.join(pair.to.root, key)));
      if (gone.length > 0) throw new Error(`replaced files were not kept: ${gone.join(', ')}`);
      await mustBeWhole(arena, pair, tablesOf(pair));
      await timesOfDatabase(pair);
      await change(pair, 200 + i * 10);
      await mustHeal(arena, pair, tablesOf(pair));
      await timesOfDatabase(pair);
    }
    return 'works';
  },
};

/** All times in the table must be the database's, to the minute. */
async function timesOfDatabase(pair: Pair): Promise<void> {
  for (const table of tablesOf(pair)) {
    const [row] = await pair.to.query(
      table,
      `SELECT count(*) FILTER (abs(epoch(_sluice_loaded_at) - epoch(now())) > 300)::INT AS wrong FROM main.${table}_history`,
    );
    if (row!['wrong'] !== 0)
      throw new Error(`${table}: ${String(row!['wrong'])} rows were loaded at a wrong time`);
    const { checkpoint, loadedAt } = (await pair.to.state(table))!;
    for (const time of [checkpoint?.readAt, checkpoint?.watermark, loadedAt])
      if (time !== undefined && Math.abs(Date.parse(time) - Date.now()) > 300_000)
        throw new Error(`${table}: the lake has the time ${time}`);
  }
}

const beside: Attack = {
  ...FAULT,
  name: 'clock-year-off-beside',
  tries:
    'A run whose clock is a year ahead ends and sweeps while other runs, here and on other machines, are at work',
  async run(arena) {
    const pair = await openShop(arena);
    await pair.run();
    const { streams } = pair;
    const { 'public.items': items, ...others } = streams;
    await change(pair, 100);
    pair.streams = { 'public.items': items! };
    const paused = await pauseAt(pair, 'before:commit:1');
    const elsewhere = path.join(pair.to.root, '_sluice/staging/elsewhere~1~abc/0');
    mkdirSync(elsewhere, { recursive: true });
    for (const name of ['../owner.json', '0.parquet']) writeFileSync(path.join(elsewhere, name), '{}');

    pair.streams = others;
    arena.tally.faults++;
    await runOff(pair, String(YEAR));
    if (!existsSync(elsewhere) || readdirSync(elsewhere).length === 0)
      throw new Error('scratch files of another machine were removed');
    rmSync(path.dirname(elsewhere), { recursive: true });
    const [outcome] = await paused.goOn();
    if (outcome?.status !== 'loaded')
      throw new Error(`the run beside it ended with ${outcome?.status} ${outcome?.code}`);
    pair.streams = streams;
    await mustHeal(arena, pair, TABLES);
    await overtake(arena, pair);
    return 'works; a lease may end early, then the commit decides';
  },
};

/** By its clock the lease of the other run is over: it takes the stream, and the other one must not commit. */
async function overtake(arena: Arena, pair: Pair): Promise<void> {
  const { streams } = pair;
  pair.streams = { 'public.items': streams['public.items']! };
  await change(pair, 300);
  const paused = await pauseAt(pair, 'before:commit:1');
  arena.tally.faults++;
  await runOff(pair, String(YEAR));
  const [outcome] = await paused.goOn();
  if (outcome?.code !== 'lake.fenced' && outcome?.code !== 'lake.conflict')
    throw new Error(`the run that was overtaken ended with ${outcome?.status} ${outcome?.code}`);
  pair.streams = streams;
  await mustHeal(arena, pair, TABLES);
}

const jumps: Attack = {
  ...FAULT,
  name: 'clock-jumps',
  tries: 'The clock of the loader is set back or forth while it runs, at random moments',
  rounds: 3,
  async run(arena) {
    const pair = await openShop(arena);
    await pair.run();
    for (const [i, by] of [-YEAR, -3_600_000, YEAR, 120_000].entries()) {
      await change(pair, 100 + i * 10);
      arena.tally.faults++;
      await runOff(pair, `0,${by},${arena.random.int(1, 150)}`);
      await mustBeWhole(arena, pair, TABLES);
      await timesOfDatabase(pair);
    }
    await mustHeal(arena, pair, TABLES);
    return 'works';
  },
};

const zones: Attack = {
  ...FAULT,
  name: 'time-zones',
  tries:
    'The loader runs in time zones with odd offsets, in the hour that exists twice, and in one that does not exist',
  async run(arena) {
    const pair = await openShop(arena);
    pair.streams = {
      ...pair.streams,
      'public.items': { ...pair.streams['public.items'], partition_by: { column: 'updated_at', by: 'hour' } },
    };
    const places = [
      'Pacific/Kiritimati',
      'America/St_Johns',
      'Asia/Kathmandu',
      'Africa/Monrovia',
      'No/Where',
    ];
    for (const [i, zone] of places.entries()) {
      await addRows(pair, 100 + i * 10, 3);
      await changeRows(pair, `in ${zone} `);
      arena.tally.faults++;
      // In Newfoundland clocks go back at 2026-11-01 04:30 UTC.
      const autumn = Date.UTC(2026, 10, 1, 4, 15) - Date.now();
      await runOff(pair, String(zone === 'America/St_Johns' ? autumn : 0), { TZ: zone, PGTZ: zone });
      await mustBeWhole(arena, pair, TABLES);
      await timesOfDatabase(pair);
    }
    return 'works';
  },
};

export const CLOCK_FAULTS: readonly Attack[] = [yearOff, beside, jumps, zones];
