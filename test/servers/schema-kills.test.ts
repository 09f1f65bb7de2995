/** A process that is killed while it accepts changes of columns, or while it loads what was accepted. */
import { expect, it } from 'vitest';
import { changeText } from '../../src/core/schema-changes.ts';
import { schema } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';
import { killedAt } from '../support/killed-at.ts';

async function historyOf(pair: FileLake): Promise<string[][]> {
  const [found] = await schema.history(pair.project, 'p', { directory: pair.folder });
  return found!.versions.map(({ changes }) => changes.map(changeText)).toReversed();
}

it('leaves one of two states, wherever it is killed', async () => {
  for (let at = 1, accepting = true, loading = true; accepting || loading; at++) {
    await using pair = new FileLake({ files: '*.csv', schema: 'freeze' });
    pair.write('a.csv', 'id\n1\n');
    await pair.run();
    pair.write('b.csv', 'id,extra\n2,x\n');
    accepting &&= await killedAt(pair, at, { args: ['schema', 'accept', 'p', 't'] });
    await schema.accept(pair.project, 'p', 't', { directory: pair.folder });
    loading &&= await killedAt(pair, at, { args: ['run'] });
    const killed = await historyOf(pair);
    expect([[[]], [[], ['+ extra utf8']]]).toContainEqual(killed);
    const rows = await pair.query('SELECT id FROM t ORDER BY id');
    expect(rows).toEqual(killed.length === 1 ? [[1]] : [[1], [2]]);
    await pair.run();
    expect(await historyOf(pair)).toEqual([[], ['+ extra utf8']]);
    expect(await pair.query('SELECT id, extra FROM t ORDER BY id')).toEqual([
      [1, null],
      [2, 'x'],
    ]);
  }
});
