/** A process that is killed while it puts records aside, or while it loads them again: each is in one place, and in one only. */
import { expect, it } from 'vitest';
import { quarantine } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';
import { killedAt } from '../support/killed-at.ts';

async function places(pair: FileLake): Promise<{ rows: number[]; kept: string[] }> {
  const rows = (await pair.query('SELECT n FROM t ORDER BY n').catch(() => [])) as [number][];
  const kept: string[] = [];
  for await (const { raw } of quarantine.read(pair.project, 'p', { directory: pair.folder })) kept.push(raw);
  return { rows: rows.map(([n]) => n), kept };
}

it('loses and doubles nothing, wherever it is killed', async () => {
  let replays = 0;
  for (let at = 1, run = true, replay = true; run || replay; at++) {
    await using pair = new FileLake({ files: '*.csv', types: { n: 'int64' } });
    pair.write('a.csv', 'n\n1\nx\n3\ny\n');
    run &&= await killedAt(pair, at, { args: ['run'] });
    const { rows, kept } = await places(pair);
    expect([rows, kept]).toEqual(
      rows.length === 0
        ? [[], []]
        : [
            [1, 3],
            ['x', 'y'],
          ],
    );
    await pair.run();
    expect(await places(pair)).toEqual({ rows: [1, 3], kept: ['x', 'y'] });

    pair.stream = { files: { path: '*.csv', null: ['x'] }, types: { n: 'int64' } };
    replay &&= await killedAt(pair, at, { args: ['quarantine', 'replay', 'p'] });
    if (replay) replays++;
    const after = await places(pair);
    expect([
      { rows: [1, 3], kept: ['x', 'y'] },
      { rows: [1, 3, null], kept: ['y'] },
    ]).toContainEqual(after);
    await quarantine.replay(pair.project, 'p', { directory: pair.folder });
    expect(await places(pair)).toEqual({ rows: [1, 3, null], kept: ['y'] });
  }
  // Before the file is there, between it and the commit, and after that.
  expect(replays).toBeGreaterThanOrEqual(3);
});
