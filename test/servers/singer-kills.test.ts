/** Singer loads that die at every change of the disk: run again they end as if nothing had happened, and no tap outlives them. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it, vi } from 'vitest';
import { record, schema, state, TapLake } from '../support/tap-lake.ts';
import { FileLake } from '../support/file-lake.ts';
import { type Died, dieAt, killedAt } from '../support/killed-at.ts';

/** Whatever a load changes: what lies in the spool and beside a tap as well. */
const ON = 'commits|spool|singer|parquet$';

const SCHEMA = schema({ id: { type: 'integer' }, at: { type: 'integer' } });
const rows = (from: number, to: number): Record<string, unknown>[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ id: (from + i) % 40, at: from + i }));
const STREAM = { schema: SCHEMA['schema'], key: ['id'], bookmark: 'at', every: 10 };
const EXPECTED = [[40, 100, 3220]];
const QUERY = 'SELECT count(*), max("at"), sum("at") FROM t';

it('a tap is run again from where its rows are', async () => {
  let kills = 0;
  for (let at = 1, killed = true; killed; at++) {
    await using pair = new TapLake({ load: 'merge' });
    // The first rows are there already.
    pair.config = { streams: { t: { ...STREAM, rows: rows(1, 60) } } };
    await pair.run();
    pair.config = { streams: { t: { ...STREAM, rows: rows(1, 100) } } };
    killed = await killedAt(pair, at, { on: ON });
    if (killed) kills++;
    for (const { pid } of pair.seen)
      await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 5000 });
    await pair.run();
    expect(await pair.query(QUERY)).toEqual(EXPECTED);
    // What was started before has left nothing.
    expect(readdirSync(path.join(pair.folder, '.sluice', 'spool'))).toEqual([]);
    expect(readdirSync(path.join(pair.folder, '.sluice', 'singer'))).toEqual(['files-t.log']);
  }
  expect(kills).toBeGreaterThanOrEqual(4);
});

it('a target that is killed and given the rest after its last state ends the same', async () => {
  const all = rows(1, 100);
  let kills = 0;
  for (let at = 1, killed = true; killed; at++) {
    await using lake = new FileLake({});
    await lake.context();
    let from = 0;
    const feed = async (n: number): Promise<Died> => {
      const messages = all
        .slice(from)
        .flatMap((row) => [record(row), ...((row['at'] as number) % 10 === 0 ? [state(row['at'])] : [])]);
      const input = [SCHEMA, ...messages].map((message) => `${JSON.stringify(message)}\n`).join('');
      const died = await dieAt(lake, n, {
        args: ['singer-target', 'lake', '--flush-rows', '30'],
        on: ON,
        input,
      });
      from = Number(died.lines.at(-1) ?? from);
      return died;
    };
    ({ killed } = await feed(at));
    if (killed) {
      kills++;
      expect(await feed(Infinity)).toMatchObject({ killed: false });
    }
    expect(from).toBe(100);
    expect(await lake.query(QUERY)).toEqual(EXPECTED);
  }
  expect(kills).toBeGreaterThanOrEqual(4);
});
