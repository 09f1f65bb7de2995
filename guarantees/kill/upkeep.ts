/** kill -9 outside of loads: while a fence or a checkpoint is committed, in a compaction, in a sweep. */
import { openCatalog } from '../../src/catalog/index.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import type { Arena, Attack } from '../attack.ts';
import type { ChildTask } from '../child-run.ts';
import type { SqlPair, Pair } from '../pair.ts';
import { FROM_DATABASES } from '../pairs.ts';
import { killAt } from '../pause.ts';
import type { SourceSql } from '../source-sql.ts';
import { runCommand } from './command.ts';
import { expectAtRest, expectSoundState, linesOf, same } from './rest.ts';

const table = ({ stamp, now, later, laterDay, numbers }: SourceSql): string => `
  CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, day date NOT NULL, at ${stamp});
  CREATE INDEX t_at ON t (at);
  INSERT INTO t SELECT g, 'x', ${laterDay(`date '2026-01-01'`, 'g % 2')}, ${later(now, '-3600')} FROM ${numbers(300)}`;
const APPEND = { t: { cursor: 'at' } };
const MERGE = { t: { cursor: 'at', load: 'merge' } } as const;
const PARTED = { t: { ...APPEND.t, partition_by: { column: 'day', by: 'day' } } } as const;

async function change({ from }: SqlPair): Promise<void> {
  const { now } = from.sql;
  await from.query(`
    UPDATE t SET v = v || 'y', at = ${now} WHERE id % 3 = 0;
    INSERT INTO t SELECT max(id) + 1, 'new', '2026-01-02', ${now} FROM t`);
}

const FENCE: Attack<SqlPair> = {
  name: 'fence',
  part: 'kill',
  promise: 'whole-or-not',
  tries:
    'kills a run with SIGKILL, then the next one while it shuts the first one out, then the one after that',
  rounds: 1,
  pairs: FROM_DATABASES,
  brief: false,
  async run(arena) {
    const pair = await arena.open(MERGE, table);
    await pair.run();
    for (const moment of arena.some(['before:commit:1', 'after:commit:1'])) {
      await change(pair);
      const before = await linesOf(pair, 't');
      // The first kill leaves the lease behind, so the next run begins with a fence.
      for (const at of ['event:step/staged:1', moment, moment]) await killIt(arena, pair, at);
      if (!same(before, await linesOf(pair, 't'))) throw new Error(`a fence changed the table (${moment})`);
      await pair.run();
      await arena.verify(pair, ['t']);
    }
    await expectAtRest(pair);
    return 'works';
  },
};

const STATE_CHANGES: Attack<SqlPair> = {
  name: 'state-changes',
  part: 'kill',
  promise: 'whole-or-not',
  tries:
    '`state reset` and `state set` are killed with SIGKILL at 5 named steps, and the pipeline runs again',
  rounds: 1,
  pairs: FROM_DATABASES,
  brief: false,
  async run(arena) {
    const pair = await arena.open(APPEND, table);
    await pair.run();
    const works = [{ reset: 't' }, { set: 't', watermark: '2020-01-01 00:00:00+00' }] as const;
    for (const work of arena.some(works)) {
      for (const moment of arena.some([
        'before:acquire:1',
        'after:acquire:1',
        'before:commit:1',
        'after:commit:1',
        'before:release:1',
      ])) {
        await change(pair);
        const before = await linesOf(pair, 't');
        await killIt(arena, pair, moment, { work });
        if (!same(before, await linesOf(pair, 't')))
          throw new Error(`${JSON.stringify(work)}, killed at ${moment}, changed the table`);
        await pair.run();
        await arena.verify(pair, ['t']);
      }
    }
    await expectAtRest(pair);
    return 'works';
  },
};

const COMPACTION: Attack = {
  name: 'compaction',
  part: 'kill',
  promise: 'whole-or-not',
  tries: 'a compaction is killed with SIGKILL before and after its files, its commit and its last deletion',
  rounds: 1,
  brief: false,
  async run(arena) {
    const pair = await arena.open(PARTED, table);
    await pair.run();
    for (const moment of arena.some([
      'before:upload:1',
      'after:upload:1',
      'before:commit:1',
      'after:commit:1',
      'before:delete:2',
      'after:delete:2',
    ])) {
      await loadTwice(pair);
      await sameRows(pair, () => killIt(arena, pair, moment, { work: 'compact' }));
      // What a killed compaction leaves does not keep the next one from its work.
      await sameRows(pair, () => runCommand(pair, ['catalog', 'compact']));
      const { files } = (await pair.to.state('t'))!;
      if (files.length !== 2)
        throw new Error(`${files.length} files in 2 partitions after a compaction (${moment})`);
      await pair.run();
      await arena.verify(pair, ['t']);
    }
    await expectAtRest(pair);
    await expectCheck(pair);
    return 'works';
  },
};

const SWEEP: Attack = {
  name: 'sweep',
  part: 'kill',
  promise: 'whole-or-not',
  tries:
    'a sweep of replaced and left files is killed with SIGKILL before and after its commit and its deletions',
  rounds: 1,
  brief: false,
  async run(arena) {
    const pair = await arena.open({ t: { ...PARTED.t, load: 'merge' } }, table);
    await pair.run();
    for (const moment of arena.some([
      'before:commit:1',
      'after:commit:1',
      'before:delete:1',
      'after:delete:1',
      'before:delete:2',
    ])) {
      await loadTwice(pair);
      await change(pair);
      await killIt(arena, pair, 'after:upload:2');
      await sameRows(pair, () => killIt(arena, pair, moment, { work: 'sweep' }));
      await pair.run();
      await arena.verify(pair, ['t']);
    }
    await expectAtRest(pair);
    await expectCheck(pair);
    return 'works';
  },
};

export const UPKEEP_ATTACKS: readonly Attack<SqlPair>[] = [FENCE, STATE_CHANGES, COMPACTION, SWEEP];

async function killIt(
  arena: Arena<SqlPair>,
  pair: SqlPair,
  moment: string,
  options: ChildTask['options'] = {},
): Promise<void> {
  arena.say(`${JSON.stringify(options.work ?? 'run')} at ${moment}`);
  await killAt(pair, moment, options);
  arena.tally.kills++;
  await expectSoundState(pair);
}

/** More files than one in each partition. */
async function loadTwice(pair: Pair): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await change(pair);
    await pair.run();
  }
}

/** Whatever is done to files, readers see the same rows before and after. */
async function sameRows(pair: Pair, work: () => Promise<unknown>): Promise<void> {
  const views = ['current', 'history'] as const;
  const before = await Promise.all(views.map((view) => pair.to.lines('t', view)));
  await work();
  for (const [i, view] of views.entries())
    if (!same(before[i]!, await pair.to.lines('t', view)))
      throw new Error(`the ${view} rows are not the same`);
}

/** Nothing that a commit names is missing or of another size. */
async function expectCheck(pair: Pair): Promise<void> {
  const catalog = openCatalog({ storage: openLocalStorage(pair.to.root), memoryBytes: 128 << 20 });
  try {
    const { findings } = await catalog.check();
    if (findings.length > 0) throw new Error(`the check of the lake found: ${JSON.stringify(findings)}`);
  } finally {
    await catalog.close();
  }
}
