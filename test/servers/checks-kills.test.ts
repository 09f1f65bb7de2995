/** A process that is killed while rows of a database go aside, or while they are loaded again: each is in one place, and in one only. */
import { expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { readQuarantine, replayQuarantine } from '../../src/engine/quarantine-ops.ts';
import { killedAt } from '../support/killed-at.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

async function wasKilled(pair: Pair, at: number, args: string[]): Promise<boolean> {
  const { connections, pipelines } = (await pair.context()).project;
  return killedAt({ folder: pair.folder, project: { connections, pipelines } }, at, { args });
}

interface Places {
  rows: number[];
  kept: string[];
}

async function places(pair: Pair): Promise<Places> {
  const rows = (await pair.state('t')) ? await pair.query('t', 'SELECT id FROM t ORDER BY id') : [];
  const kept: string[] = [];
  for await (const { raw } of readQuarantine(await pair.context(), 'p')) kept.push(raw);
  return { rows: rows.map(({ id }) => Number(id)), kept: kept.sort() };
}

it('loses and doubles nothing, wherever it is killed', async () => {
  // Rows of before are read again by every run.
  const stream: StreamOptions = {
    load: 'merge',
    cursor: 'at',
    overlap: 1000 * 86_400,
    checks: { even: 'id % 2 = 0' },
  };
  const rowOf = (id: number): string => `{"id":${id},"at":"2026-01-01 00:00:00+00:00"}`;
  let replays = 0;
  for (let at = 1, first = true, second = true, replay = true; first || second || replay; at++) {
    await using pair = await Pair.open(
      server(),
      { 'public.t': stream },
      `CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL); INSERT INTO t SELECT i, '2026-01-01Z' FROM generate_series(1, 4) i`,
    );
    const loaded: Places = { rows: [2, 4], kept: [rowOf(1), rowOf(3)] };
    first &&= await wasKilled(pair, at, ['run']);
    expect([{ rows: [], kept: [] }, loaded]).toContainEqual(await places(pair));
    await pair.run();
    expect(await places(pair)).toEqual(loaded);

    await pair.db.query(`INSERT INTO t SELECT i, '2026-01-01Z' FROM generate_series(5, 6) i`);
    const more: Places = { rows: [2, 4, 6], kept: [...loaded.kept, rowOf(5)] };
    second &&= await wasKilled(pair, at, ['run']);
    expect([loaded, more]).toContainEqual(await places(pair));
    await pair.run();
    expect(await places(pair)).toEqual(more);

    pair.streams = { 'public.t': { ...stream, checks: { small: 'id < 5' } } };
    const all: Places = { rows: [1, 2, 3, 4, 6], kept: [rowOf(5)] };
    replay &&= await wasKilled(pair, at, ['quarantine', 'replay', 'p']);
    if (replay) replays++;
    const between = await places(pair);
    // Each file of quarantine has a commit of its own.
    expect([more, { ...more, rows: all.rows, kept: all.kept }]).toContainEqual(between);
    await replayQuarantine(await pair.context(), 'p');
    expect(await places(pair)).toEqual(all);
  }
  // Before the file is there, between it and the commit, and after that.
  expect(replays).toBeGreaterThanOrEqual(3);
});
