/** Singer loads that die at every change of the disk: run again they end as if nothing had happened, and no tap outlives them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { record, schema, state, TapLake } from '../support/tap-lake.ts';
import { FileLake } from '../support/file-lake.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Whatever a load changes: what lies in the spool and beside a tap as well. */
const ON = 'commits|spool|singer|parquet$';

interface Ended {
  killed: boolean;
  states: string[];
}

/** Runs the program, which is killed before the n-th change; `input` is written to it. */
async function dieAt(at: number, args: string[], input?: string): Promise<Ended> {
  const child = spawn(
    process.execPath,
    ['--import', './test/support/die-at.ts', 'src/cli/main.ts', ...args],
    { cwd: root, env: { ...process.env, DIE_AT: String(at), DIE_ON: ON }, stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let [out, told] = ['', ''];
  child.stdout.on('data', (text) => (out += String(text)));
  child.stderr.on('data', (text) => (told += String(text)));
  // It may be gone before it has read all.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal === null) expect(code, told).toBe(0);
  return { killed: signal !== null, states: out.split('\n').slice(0, -1) };
}

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
    writeFileSync(path.join(pair.folder, 'sluice.yaml'), JSON.stringify(pair.project));
    ({ killed } = await dieAt(at, ['run', '-C', pair.folder]));
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
    const feed = async (n: number): Promise<Ended> => {
      const messages = all
        .slice(from)
        .flatMap((row) => [record(row), ...((row['at'] as number) % 10 === 0 ? [state(row['at'])] : [])]);
      const input = [SCHEMA, ...messages].map((message) => `${JSON.stringify(message)}\n`).join('');
      const ended = await dieAt(n, ['singer-target', 'lake', '-C', lake.folder, '--flush-rows', '30'], input);
      from = Number(ended.states.at(-1) ?? from);
      return ended;
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
