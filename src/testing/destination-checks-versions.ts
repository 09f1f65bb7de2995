/** Versions of rows: when they begin and end. Only for destinations that keep them. */
import { expect } from 'vitest';
import type { Supersede } from '../core/destination.ts';
import type { Cell } from './batch-rows.ts';
import { type DestinationCheck, type DestinationUnderTest, refusal } from './destination-suite.ts';
import { load, type LoadPlan, microseconds, openWriter, PEOPLE, schemaOf, stage } from './kit-load.ts';

/** The n-th moment. */
function at(n: number): string {
  return `2026-07-${10 + n} 12:00:00.00000${n}+00`;
}

/** A row with the moments between which it was valid. */
function version(cells: Cell[], from: number, to?: number): Cell[] {
  return [...cells, microseconds(at(from)), to === undefined ? null : microseconds(at(to))];
}

function versions(moment: number, plan: LoadPlan): LoadPlan {
  const supersede = { kind: 'versions' as const, key: [...(plan.schema ?? PEOPLE).key], gone: false };
  return { supersede, ...plan, history: 'versions', loadedAt: at(moment) };
}

const ALL: Supersede = { kind: 'versions', key: ['id'], gone: true };

async function expectVersions(under: DestinationUnderTest, table: string, rows: Cell[][]): Promise<void> {
  const text = (row: readonly Cell[]): string => JSON.stringify(row);
  expect(((await under.versions!(table))?.rows ?? []).map(text).sort()).toEqual(rows.map(text).sort());
}

export const VERSION_CHECKS: readonly DestinationCheck[] = [
  {
    name: 'ends the version of a row that changed, begins another, and leaves those that are the same',
    async run(under) {
      const destination = await under.destination();
      const supersede = { kind: 'nothing' as const };
      await load(destination, 'v', versions(1, { rows: [['1', 'Ada', null]], supersede }));
      await load(
        destination,
        'v',
        versions(2, {
          rows: [
            ['1', 'Ada', null],
            ['2', 'Bob', '5'],
            ['3', null, '6'],
          ],
        }),
      );
      const third: Cell[][] = [
        ['1', 'Ada', '0'],
        ['2', 'Bob', null],
        ['3', null, '6'],
        ['4', '', '1'],
      ];
      await load(destination, 'v', versions(3, { rows: third }));
      await load(destination, 'v', versions(4, { rows: [['4', null, '1']] }));
      await expectVersions(under, 'v', [
        version(['1', 'Ada', null], 1, 3),
        version(['1', 'Ada', '0'], 3),
        version(['2', 'Bob', '5'], 2, 3),
        version(['2', 'Bob', null], 3),
        version(['3', null, '6'], 2),
        version(['4', '', '1'], 3, 4),
        version(['4', null, '1'], 4),
      ]);
      const state = await destination.describe('v', new AbortController().signal);
      expect(state).toMatchObject({ rows: 7, versions: true });
    },
  },
  {
    name: 'ends versions of what is gone when all was read, and begins others when it comes back',
    async run(under) {
      const destination = await under.destination();
      const rows: Cell[][] = ['1', '2', '3'].map((id) => [id, 'x', null]);
      await load(destination, 'v', versions(1, { rows, supersede: { kind: 'everything' } }));
      await load(destination, 'v', versions(2, { rows: [rows[0]!] }));
      const writer = await openWriter(destination, 'v', { history: 'versions', loadedAt: at(3) });
      const staged = [
        await stage(writer, { rows: [rows[0]!], slice: 'a', supersede: ALL, together: true }),
        await stage(writer, { rows: [['2', 'y', null]], slice: 'b', supersede: ALL, together: true }),
      ];
      const { changed } = await writer.commit(staged, ALL, { cursor: [] });
      expect(changed).toBe(2);
      await writer.close();
      const fourth = versions(4, { rows: [rows[0]!, rows[2]!], supersede: ALL, together: true });
      await load(destination, 'v', fourth);
      await expectVersions(under, 'v', [
        version(rows[0]!, 1),
        version(rows[1]!, 1, 3),
        version(['2', 'y', null], 3, 4),
        version(rows[2]!, 1, 3),
        version(rows[2]!, 4),
      ]);
    },
  },
  {
    name: 'changes no version when a load is done again, and tells which rows would',
    async run(under) {
      const destination = await under.destination();
      for (const [i, name] of ['A', 'B', 'A'].entries()) {
        const plan = versions(i + 1, { rows: [['1', name, '1']], overlap: i > 0 });
        expect(await load(destination, 'v', plan)).toBe(1);
        for (const moment of [i + 1, 7])
          expect(await load(destination, 'v', { ...plan, overlap: true, loadedAt: at(moment) })).toBe(0);
        await load(destination, 'v', { ...plan, overlap: false, loadedAt: at(8) });
      }
      await load(destination, 'v', versions(4, { rows: [], supersede: ALL, together: true }));
      expect(await load(destination, 'v', versions(5, { rows: [['1', 'A', '1']], overlap: true }))).toBe(1);
      await expectVersions(under, 'v', [
        version(['1', 'A', '1'], 1, 2),
        version(['1', 'B', '1'], 2, 3),
        version(['1', 'A', '1'], 3, 4),
        version(['1', 'A', '1'], 5),
      ]);
    },
  },
  {
    name: 'refuses rows that share a key when they are to begin versions',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'v', versions(1, { rows: [['1', 'x', null]] }));
      const rows: Cell[][] = [
        ['1', 'one', null],
        ['1', 'other', null],
      ];
      await refusal(load(destination, 'v', versions(2, { rows })), 'data');
      const all = versions(2, { rows, supersede: ALL, together: true });
      await refusal(load(destination, 'v', all), 'data');
      await expectVersions(under, 'v', [version(['1', 'x', null], 1)]);
    },
  },
  {
    name: 'takes a column that is new for NULL in versions that are there',
    async run(under) {
      const destination = await under.destination();
      const before = schemaOf('id int64, doc json null');
      const rows: Cell[][] = [
        ['1', '{"a":1}'],
        ['2', '{"a":2}'],
      ];
      await load(destination, 'v', versions(1, { schema: before, rows }));
      const schema = schemaOf('id int64, more utf8 null, doc json null');
      const wider: Cell[][] = [
        ['1', null, '{"a":1}'],
        ['2', 'm', '{"a":2}'],
      ];
      await load(destination, 'v', versions(2, { schema, rows: wider }));
      await expectVersions(under, 'v', [
        version(['1', null, '{"a":1}'], 1),
        version(['2', null, '{"a":2}'], 1, 2),
        version(['2', 'm', '{"a":2}'], 2),
      ]);
    },
  },
  {
    name: 'takes NULLs in the key of versions for equal',
    async run(under) {
      const destination = await under.destination();
      const schema = schemaOf('a int32 null, b int32 null, v int32', ['a', 'b']);
      const rows: Cell[][] = [
        [null, null, '1'],
        ['1', null, '2'],
      ];
      await load(destination, 'v', versions(1, { schema, rows }));
      const all: Supersede = { kind: 'versions', key: ['a', 'b'], gone: true };
      const next = { schema, rows: [[null, null, '3']], supersede: all, together: true };
      await load(destination, 'v', versions(2, next));
      await expectVersions(under, 'v', [
        version([null, null, '1'], 1, 2),
        version([null, null, '3'], 2),
        version(['1', null, '2'], 1, 2),
      ]);
    },
  },
];
