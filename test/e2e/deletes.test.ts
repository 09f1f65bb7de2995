/** Rows that are deleted on their way through a DuckDB file, a lake, and another DuckDB file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { connectors } from '../../src/connectors/registry.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import type { ProjectContext } from '../../src/engine/context.ts';
import { planPipeline } from '../../src/engine/plan.ts';
import { runPipeline } from '../../src/engine/run.ts';
import type { StreamReport } from '../../src/engine/types.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-deletes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ask = (name: string, ...sql: string[]): ReturnType<typeof askDuckdb> =>
  askDuckdb(path.join(folder, name), ...sql);

const streams: Record<string, StreamOptions> = {
  'main.t': { table: 't', load: 'merge', cursor: 'changed', key: 'id', deletes: 'flag' },
  t: { load: 'merge', cursor: 'changed', deletes: 'remove' },
};

async function context(): Promise<ProjectContext> {
  const pipeline = (from: string, to: string, name: string) => ({
    from,
    to,
    streams: { [name]: streams[name]! },
  });
  return {
    connectors: await connectors(),
    project: {
      directory: folder,
      connections: {
        from: { type: 'duckdb', path: './from.duckdb' },
        lake: { type: 'lake', path: './lake' },
        to: { type: 'duckdb', path: './to.duckdb' },
      },
      pipelines: { one: pipeline('from', 'lake', 'main.t'), two: pipeline('lake', 'to', 't') },
      state: { type: 'sqlite', path: '.sluice/state.db' },
      memoryBytes: 512 << 20,
    },
  };
}

async function run(pipeline: string): Promise<StreamReport> {
  const [report] = (await runPipeline(await context(), pipeline, {})).streams;
  expect(report!.error).toBeUndefined();
  return report!;
}

async function bothRun(): Promise<(number | undefined)[][]> {
  const reports = [await run('one'), await run('two')];
  for (const pipeline of ['one', 'two']) {
    const { streams: compared } = await verifyPipeline(await context(), pipeline, {});
    expect(compared).toMatchObject([{ status: 'equal' }]);
  }
  return reports.map(({ totals: { loaded, deleted } }) => [loaded, deleted]);
}

it('are flagged in the lake, and removed from what is made of it', async () => {
  await ask(
    'from.duckdb',
    `CREATE TABLE t (id int64, v text, changed timestamptz DEFAULT now())`,
    `INSERT INTO t (id, v) SELECT i, 'v' || i % 7 FROM range(3000) r(i)`,
  );
  expect(await bothRun()).toEqual([
    [3000, undefined],
    [3000, undefined],
  ]);
  await ask(
    'from.duckdb',
    'DELETE FROM t WHERE id % 100 = 5',
    `INSERT INTO t (id, v) VALUES (5000, 'new')`,
    `INSERT INTO t VALUES (-1, 'old', '2020-01-01')`,
  );
  expect((await planPipeline(await context(), 'one', {})).streams[0]).toMatchObject({ deletes: 'flag' });
  expect(await bothRun()).toEqual([
    [2, 30],
    [2, 30],
  ]);
  expect(await ask('to.duckdb', 'SELECT count(*)::INT AS n FROM t')).toEqual([{ n: 2972 }]);
  await ask('from.duckdb', `INSERT INTO t (id, v) VALUES (5, 'back'), (105, 'back')`);
  expect(await bothRun()).toEqual([
    [2, 0],
    [2, 0],
  ]);
  // What is not selected any more is not gone.
  streams['t'] = { ...streams['t'], where: `v <> 'v1'` };
  await ask('from.duckdb', 'DELETE FROM t WHERE id IN (1, 2)');
  expect((await run('one')).totals.deleted).toBe(2);
  expect((await run('two')).totals).toMatchObject({ loaded: 0, deleted: 2 });
  expect(await ask('to.duckdb', 'SELECT count(*)::INT AS n FROM t')).toEqual([{ n: 2972 }]);
});

it('cannot be found where rows of the source are not hashed', async () => {
  writeFileSync(path.join(folder, 'x.csv'), 'id,v\n1,a\n');
  const made = await context();
  made.project.connections['files'] = { type: 'files', path: '.' };
  made.project.pipelines['out'] = {
    from: 'files',
    to: 'to',
    streams: { x: { files: 'x.csv', load: 'merge', key: 'id', deletes: 'remove' } },
  };
  const { streams: planned } = await planPipeline(made, 'out', {});
  expect(planned[0]!.error).toMatchObject({ code: 'deletes.unsupported' });
});
