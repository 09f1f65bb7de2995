/** Contracts of tables that come from dumps, whose CREATE TABLE says the types, and whose records can be put aside. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { openCatalog, run, schema, type StreamReport } from '../../src/index.ts';

let directory: string;
beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), 'sluice-dump-'))));
afterEach(() => rmSync(directory, { recursive: true }));

function project(stream: StreamOptions): Parameters<typeof run>[0] {
  return {
    connections: {
      shop: { type: 'dump', path: './shop.sql' },
      lake: { type: 'lake', path: './lake' },
    },
    pipelines: { p: { from: 'shop', to: 'lake', streams: { t: stream } } },
  };
}

function dump(columns: string, ...tuples: string[]): void {
  writeFileSync(
    path.join(directory, 'shop.sql'),
    `CREATE TABLE t (${columns});\nINSERT INTO t VALUES ${tuples.join(',')};\n`,
  );
}

async function load(stream: StreamOptions): Promise<StreamReport> {
  return (await run(project(stream), 'p', { directory })).streams[0]!;
}

async function rows(columns: string): Promise<unknown[][]> {
  const catalog = await openCatalog(path.join(directory, 'lake'));
  try {
    const found: unknown[][] = [];
    const { batches } = await catalog.select(`SELECT ${columns} FROM t ORDER BY id`);
    for await (const batch of batches) found.push(...(batch as unknown[][]));
    return found;
  } finally {
    await catalog.close();
  }
}

it('values of another type go to a column beside', async () => {
  dump('id int PRIMARY KEY, n int', '(1,10)', '(2,20)');
  await load({});
  dump('id int PRIMARY KEY, n text', "(1,'10')", "(2,'many')");
  expect((await load({})).changes).toEqual(['+ n__text utf8', 'n goes to n__text']);
  expect(await load({})).toMatchObject({ status: 'nothing-new', changes: [] });
  expect(await rows('id, n, n__text')).toEqual([
    [1, null, '10'],
    [2, null, 'many'],
  ]);
});

it('a frozen table stops until its changes are accepted', async () => {
  dump('id int PRIMARY KEY, n int', '(1,10)');
  await load({ schema: 'freeze' });
  dump('id int PRIMARY KEY, n bigint, v text', "(1,10,'x')");
  expect((await load({ schema: 'freeze' })).error).toMatchObject({ code: 'schema.frozen' });
  expect(await rows('*')).toEqual([[1, 10]]);
  const changes = ['n int32 → int64', '+ v utf8'];
  expect(await schema.accept(project({ schema: 'freeze' }), 'p', 't', { directory })).toMatchObject({
    changes,
  });
  expect((await load({ schema: 'freeze' })).changes).toEqual(changes);
});

it('a table that discards keeps its types, and puts aside what does not fit', async () => {
  const stream: StreamOptions = { schema: 'discard', max_bad: 5 };
  dump('id int PRIMARY KEY, n int', '(1,10)');
  await load(stream);
  dump('id int PRIMARY KEY, n bigint, v text', "(1,11,'x')", "(2,5000000000,'y')");
  expect(await load(stream)).toMatchObject({ changes: [], totals: { loaded: 1, quarantined: 1 } });
  expect(await rows('*')).toEqual([[1, 11]]);
  expect(await load(stream)).toMatchObject({ status: 'nothing-new' });
});
