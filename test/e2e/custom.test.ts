/** Records that code of the project yields: typed, counted, put aside, and each of them once. */
import { expect, it } from 'vitest';
import { custom, type CustomStream, DataError, plan, type ProjectDefinition, run } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';

class CustomLake extends FileLake {
  code: CustomStream = { records: () => [] };

  override get project(): ProjectDefinition {
    const { connections, pipelines } = super.project;
    return {
      connections: { ...connections, files: custom({ streams: { t: this.code } }) },
      pipelines: pipelines!,
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
