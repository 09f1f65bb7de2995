/** When a load exists and when not: commits, failures, and others who load the same table. */
import { expect } from 'vitest';
import { ConflictError, TransientError } from '../core/errors.ts';
import type { Cell } from './batch-rows.ts';
import { CAST, type DestinationCheck, expectRows, refusal } from './destination-suite.ts';
import { load, nextMoment, openWriter, PEOPLE, rowsReader, sliceOf, stage, STAGE_ALL } from './kit-load.ts';

export const COMMIT_CHECKS: readonly DestinationCheck[] = [
  {
    name: 'shows several slices of one commit at once',
    async run(under) {
      const destination = await under.destination();
      const writer = await openWriter(destination, 'people');
      const loads = [];
      for (const [i, row] of CAST.entries())
        loads.push(await stage(writer, { rows: [row], slice: `slice ${i}`, together: true }));
      await expectRows(under, 'people', []);
      await writer.commit(loads, { kind: 'nothing' }, { cursor: [] });
      await writer.close();
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'leaves nothing to see of a load that is aborted',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      const writer = await openWriter(destination, 'people');
      const staged = await stage(writer, { rows: [['4', 'Dan', null]] });
      await writer.abort([staged]);
      await writer.abort([staged]);
      await writer.close();
      await expectRows(under, 'people', CAST);
      await load(destination, 'people', { rows: [['5', 'Eve', null]] });
      await expectRows(under, 'people', [...CAST, ['5', 'Eve', null]]);
    },
  },
  {
    name: 'passes on why a reader failed, leaves nothing to see and goes on',
    async run(under) {
      const destination = await under.destination();
      const writer = await openWriter(destination, 'people');
      const failWith = new TransientError('reading people: connection lost', { code: 'kit.lost' });
      const reader = rowsReader(PEOPLE, CAST, { failWith });
      await expect(
        writer.stage(sliceOf('all'), reader, STAGE_ALL, new AbortController().signal),
      ).rejects.toMatchObject({ recovery: 'transient', code: 'kit.lost' });
      const staged = await stage(writer, { rows: CAST });
      await writer.commit([staged], { kind: 'nothing' }, { cursor: [] });
      await writer.close();
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'stops at once when it is told, and leaves nothing to see',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      const writer = await openWriter(destination, 'people');
      const stop = new AbortController();
      const ended = Promise.withResolvers<void>();
      const reader = rowsReader(PEOPLE, [['4', 'Dan', null]], {
        before: async () => {
          setTimeout(() => stop.abort(), 50);
          await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
          ended.resolve();
        },
      });
      await refusal(writer.stage(sliceOf('all'), reader, STAGE_ALL, stop.signal), 'cancelled');
      await ended.promise;
      await writer.close();
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'forgets a load whose process died before the commit',
    async run(under) {
      const dead = await under.destination();
      const writer = await openWriter(dead, 'people');
      await stage(writer, { rows: [['4', 'never', null]] });
      const next = await under.destination();
      expect(await next.describe('people', new AbortController().signal)).toBeUndefined();
      await load(next, 'people', { rows: CAST });
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'loads what was planned again, under the same lease and of the same moment',
    async run(under) {
      const destination = await under.destination();
      const same = { slice: 'again', fence: 3, loadedAt: nextMoment(), history: undefined };
      const supersede = { kind: 'key' as const, key: ['id'] };
      for (let time = 0; time < 2; time++)
        await load(destination, 'people', { rows: CAST, supersede, ...same });
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'refuses a commit that was planned before another one',
    async run(under) {
      const [one, two] = [await under.destination(), await under.destination()];
      await load(one, 'people', { rows: CAST });
      const late = await openWriter(one, 'people', { fence: 2 });
      const staged = await stage(late, { rows: [['4', 'late', null]] });
      await load(two, 'people', { rows: [['5', 'Eve', null]], fence: 2 });
      await refusal(late.commit([staged], { kind: 'nothing' }, { cursor: [] }), 'conflict');
      await refusal(openWriter(one, 'people', { expectedVersion: 1 }), 'conflict');
      await expectRows(under, 'people', [...CAST, ['5', 'Eve', null]]);
    },
  },
  {
    name: 'lets one of two first loads win',
    async run(under) {
      const [one, two] = [await under.destination(), await under.destination()];
      const writers = [await openWriter(one, 'people'), await openWriter(two, 'people')];
      const staged = [await stage(writers[0]!, { rows: CAST }), await stage(writers[1]!, { rows: CAST })];
      const results = await Promise.allSettled(
        writers.map((writer, i) => writer.commit([staged[i]!], { kind: 'nothing' }, { cursor: [] })),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(ConflictError);
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'refuses an older fence, and an empty commit shuts it out',
    async run(under) {
      const [old, heir] = [await under.destination(), await under.destination()];
      await load(old, 'people', { rows: CAST, fence: 3 });
      const writer = await openWriter(old, 'people', { fence: 3 });
      const staged = await stage(writer, { rows: [['4', 'late', null]] });
      const shut = await openWriter(heir, 'people', { fence: 4 });
      await shut.commit([], { kind: 'nothing' }, undefined);
      await refusal(writer.commit([staged], { kind: 'nothing' }, { cursor: [] }), 'conflict');
      const state = (await heir.describe('people', new AbortController().signal))!;
      expect(state).toMatchObject({ fence: 4, rows: 3 });
      await refusal(load(old, 'people', { rows: CAST, fence: 3 }), 'conflict');
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'tells who was shut out and finds rows of others so',
    async run(under) {
      const [old, heir] = [await under.destination(), await under.destination()];
      const keyed = { history: undefined, fence: 3 };
      const late = await openWriter(old, 'people', keyed);
      await late.abort([await stage(late, { rows: [] })]);
      const next = await openWriter(heir, 'people', { ...keyed, fence: 4 });
      await next.commit([await stage(next, { rows: CAST })], { kind: 'nothing' }, { cursor: [] });
      await next.close();
      const again = stage(late, { rows: CAST }).then((staged) =>
        late.commit([staged], { kind: 'nothing' }, { cursor: [] }),
      );
      await refusal(again, 'conflict');
      await late.close();
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'stores a checkpoint without rows, and keeps it when none is given',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST, checkpoint: { cursor: ['age'], watermark: '1' } });
      const writer = await openWriter(destination, 'people');
      await writer.commit([], { kind: 'nothing' }, { cursor: ['age'], watermark: '2' });
      await writer.commit([], { kind: 'nothing' }, undefined);
      await writer.close();
      const state = await (await under.destination()).describe('people', new AbortController().signal);
      expect(state).toMatchObject({ checkpoint: { cursor: ['age'], watermark: '2' }, rows: 3 });
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'loads two tables at once without mixing them',
    async run(under) {
      const destination = await under.destination();
      const tables = ['a', 'b', 'c'];
      for (let round = 0; round < 3; round++) {
        const rows = (table: string): Cell[][] =>
          Array.from({ length: 500 }, (_, i) => [String(round * 1000 + i), `${table}${i}`, null]);
        const writers = await Promise.all(tables.map((table) => openWriter(destination, table)));
        const staged = await Promise.all(
          writers.map((writer, i) => stage(writer, { rows: rows(tables[i]!) })),
        );
        await Promise.all(
          writers.map((writer, i) =>
            writer.commit([staged[i]!], { kind: 'nothing' }, { cursor: [], readAt: nextMoment() }),
          ),
        );
      }
      for (const table of tables) {
        const names = (await under.read(table))!.rows.map((row) => row[1]!);
        expect(names).toHaveLength(1500);
        expect(names.every((name) => name.startsWith(table))).toBe(true);
      }
    },
  },
  {
    name: 'can be closed twice, also with work left undone',
    async run(under) {
      const destination = await under.destination();
      await stage(await openWriter(destination, 'people'), { rows: CAST });
      await destination.close();
      await destination.close();
      expect(await under.read('people')).toBeUndefined();
    },
  },
];
