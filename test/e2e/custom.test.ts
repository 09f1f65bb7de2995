/** Records that code of the project yields: typed, counted, put aside, and each of them once. */
import { expect, it } from 'vitest';
import { customConnector } from '../../src/connectors/custom/index.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { custom, type CustomStream, DataError, plan, type ProjectDefinition, run } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';

class CustomLake extends FileLake {
  code: CustomStream = { records: () => [] };
  /** Beside that of the tests. */
  others: Record<string, StreamOptions> = {};
  /** In the place of all of them. */
  streams: Record<string, StreamOptions> | undefined;

  override get project(): ProjectDefinition {
    const { connections, pipelines } = super.project;
    return {
      connections: { ...connections, files: custom({ streams: { t: this.code } }) },
      pipelines: { p: { ...pipelines!['p']!, streams: this.streams ?? { t: this.stream, ...this.others } } },
    };
  }
}

it('takes single records, pages, and states that come back when they are committed', async () => {
  await using pair = new CustomLake({ load: 'append' });
  const asked: unknown[] = [];
  pair.code = {
    key: 'id',
    types: { amount: 'decimal(12,2)' },
    async *records({ state, since, preview }) {
      if (!preview) asked.push([state, since]);
      const from = (state as number | undefined) ?? 0;
      yield { id: from, amount: '1.50', big: 12345678901234567890n, at: new Date(Date.UTC(2026, 0, 1)) };
      yield [
        { id: from + 1, amount: 2, tags: ['a'], none: undefined },
        { id: from + 2, amount: 'much' },
      ];
      yield { records: [{ id: from + 3, amount: 0.25 }], state: from + 4 };
    },
  };
  pair.stream = { ...pair.stream, max_bad: 5 };
  expect(await pair.run()).toMatchObject({ totals: { loaded: 3, quarantined: 1 } });
  expect(await pair.run()).toMatchObject({ totals: { loaded: 3, quarantined: 1 } });
  expect(asked).toEqual([
    [undefined, undefined],
    [4, undefined],
  ]);
  expect(await pair.query('SELECT id, amount, big, "at", tags FROM t ORDER BY id LIMIT 2')).toEqual([
    [0, '1.50', '12345678901234567890', '2026-01-01 00:00:00+00', null],
    [1, '2.00', null, null, '["a"]'],
  ]);
  expect(await pair.query('SELECT count(*), max(id) FROM t')).toEqual([[6, 7]]);
});

it('hands the watermark to the code, and loses nothing that comes again', async () => {
  await using pair = new CustomLake({ load: 'merge', cursor: 'n' });
  const since: (string | undefined)[] = [];
  pair.code = {
    key: 'id',
    *records(request) {
      since.push(request.since);
      const from = Number(request.since ?? 0);
      for (let n = from; n < from + 5; n++) yield { id: n, n };
    },
  };
  for (let i = 0; i < 3; i++) await pair.run();
  expect(since).toEqual([undefined, '4', '8']);
  expect(await pair.query('SELECT count(*), max(n) FROM t')).toEqual([[13, 12]]);
});

it('tells what code has thrown, and loads nothing of it', async () => {
  await using pair = new CustomLake({ load: 'merge' });
  let tries = 0;
  pair.code = {
    key: 'id',
    async *records() {
      tries++;
      yield { id: 1 };
      if (tries < 2) throw new Error('the network is gone');
      throw new DataError('reading t: no more', { code: 'own.code' });
    },
  };
  const { streams } = await pair.report();
  expect(streams[0]!.error).toMatchObject({ code: 'own.code' });
  expect(tries).toBe(2);
  pair.code = { records: () => [[1]] };
  expect((await pair.report()).streams[0]!.error).toMatchObject({ code: 'custom.record' });
  expect(await pair.plan()).toMatchObject({ streams: [{ error: { code: 'custom.record' } }] });
});

it('is refused as a whole when it is no code', async () => {
  const project = (records: unknown): ProjectDefinition => ({
    connections: { c: { type: 'custom', streams: { t: { records } } }, l: { type: 'lake', path: './lake' } },
    pipelines: { p: { from: 'c', to: 'l', streams: { t: {} } } },
  });
  await expect(plan(project('x'), 'p')).rejects.toThrow(/has to be a function/);
  await expect(run(project(undefined), 'p')).rejects.toThrow(/has to be a function|missing/);
});

it('brings arrays within records as streams of their own, asked for once, and each at its own place', async () => {
  await using pair = new CustomLake({ load: 'merge', cursor: 'n' });
  pair.others = { 't.kids': { load: 'merge', cursor: 't_n' } };
  const since: (string | undefined)[] = [];
  let first = 0;
  pair.code = {
    key: 'id',
    *records(request) {
      since.push(request.since);
      for (let n = first; n < first + 3; n++)
        yield { id: n, n, kids: Array.from({ length: n }, (_, k) => ({ k: BigInt(n) ** 30n, at: k })) };
    },
  };
  const kids = 'SELECT t_id, count(*), max(k), max(kids_index) FROM t_kids GROUP BY 1 ORDER BY 1';
  await pair.report();
  expect(since).toEqual([undefined]);
  expect(await pair.query(kids)).toEqual([
    [1, 1, 1, 0],
    [2, 2, 1073741824, 1],
  ]);
  // One that is behind is brought what it lacks, and then they are together again.
  first = 2;
  await pair.report({ select: ['t'] });
  await pair.report();
  expect(since.slice(1)).toEqual(['2', '4', '2']);
  expect((await pair.query(kids)).map(([id]) => id)).toEqual([1, 2, 3, 4]);
  await pair.report();
  expect(since.slice(4)).toEqual(['4']);
  pair.others = { 't.kids': { load: 'merge', cursor: 'n' } };
  const { streams } = await pair.report();
  expect(streams[1]!.error!.remedy).toContain('t_n');
});

it('appends versions of elements, and none of them twice', async () => {
  await using pair = new CustomLake({ load: 'replace' });
  pair.streams = { 't.kids': { load: 'append', cursor: 't_n' } };
  let n = 1;
  pair.code = {
    key: 'id',
    records: () => {
      const records = [
        { id: 1, n: 1, kids: ['a', 'b'] },
        { id: 2, n, kids: [n === 1 ? 'c' : 'd'] },
      ];
      return [...records, ...records];
    },
  };
  expect((await pair.report()).streams[0]).toMatchObject({ totals: { loaded: 3 } });
  n = 2;
  expect((await pair.report()).streams[0]).toMatchObject({ totals: { loaded: 1 } });
  expect((await pair.report()).streams[0]).toMatchObject({ totals: { loaded: 0 } });
  // The newest version of each.
  expect(await pair.query('SELECT t_id, kids_index, value FROM t_kids ORDER BY ALL')).toEqual([
    [1, 0, 'a'],
    [1, 1, 'b'],
    [2, 0, 'd'],
  ]);
});

it('finds arrays of objects, which no wildcard stands for', async () => {
  await using pair = new CustomLake({ load: 'replace' });
  pair.code = {
    key: 'id',
    records: () => [
      { id: 1, tags: ['a'], kids: [] },
      { id: 2, at: { kids: [{ x: 1 }] }, kids: [{ name: 'n', kids: [{ z: 1 }] }] },
    ],
  };
  const context = { name: 'files', directory: pair.folder, memoryBytes: 512 << 20, workers: 1 };
  const source = await customConnector.openSource!({ streams: { t: pair.code } }, context);
  const found = await source.discover(new AbortController().signal);
  await source.close();
  expect(found.map(({ name, kind, schema, proposal }) => [name, kind, schema.key, proposal.load])).toEqual([
    ['t', 'endpoint', ['id'], 'merge'],
    ['t.at.kids', 'array', ['t_id', 'at_index', 'kids_index'], 'merge'],
    ['t.kids', 'array', ['t_id', 'kids_index'], 'merge'],
    ['t.kids.kids', 'array', ['t_id', 'kids_index', 'kids_kids_index'], 'merge'],
  ]);
  expect(found[2]!.schema.fields.map(({ name }) => name)).toEqual(['t_id', 'kids_index', 'name', 'kids']);
  pair.streams = { '*': { load: 'replace' }, 't.later': { load: 'replace' } };
  const { streams } = await pair.report();
  expect(streams.map(({ stream, status, error }) => [stream, error?.message ?? status])).toEqual([
    ['t', 'loaded'],
    ['t.later', 'nothing-new'],
  ]);
  expect(await pair.query('SELECT count(*) FROM t_later')).toEqual([[0]]);
  pair.streams = { 'x.kids': { load: 'replace' } };
  expect((await pair.report()).streams[0]!.error!.message).toContain('no such stream');
});
