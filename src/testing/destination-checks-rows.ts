/** What a table holds after its loads: how rows meet those that are there. */
import { expect } from 'vitest';
import type { Supersede } from '../core/destination.ts';
import { schemaToJson } from '../core/schema.ts';
import type { Cell } from './batch-rows.ts';
import { CAST, type DestinationCheck, expectRows, refusal } from './destination-suite.ts';
import { load, openWriter, PEOPLE, schemaOf, stage } from './kit-load.ts';

export const ROW_CHECKS: readonly DestinationCheck[] = [
  {
    name: 'creates a table with its first load and describes it',
    async run(under) {
      const destination = await under.destination();
      const signal = new AbortController().signal;
      expect((await destination.check(signal)).title).not.toBe('');
      expect(await destination.describe('people', signal)).toBeUndefined();
      const checkpoint = {
        cursor: ['age'],
        watermark: "7 'quoted' ü",
        high: '36',
        pending: { high: '36', at: '2026-07-24' },
      };
      expect(await load(destination, 'people', { rows: CAST, checkpoint, fence: 5 })).toBe(3);
      for (const each of [destination, await under.destination()]) {
        const state = await each.describe('people', signal);
        expect(state).toMatchObject({ stream: 'stream of people', rows: 3, fence: 5, checkpoint });
        expect(schemaToJson(state!.schema)).toEqual(schemaToJson(PEOPLE));
        expect(state!.version).toBeGreaterThan(0);
      }
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'takes more rows than a batch from a batch that is used again',
    async run(under) {
      const destination = await under.destination();
      const rows = Array.from({ length: 7001 }, (_, i): Cell[] => [
        String(i),
        i % 3 ? `name ${i}` : null,
        i % 7 ? String(i) : null,
      ]);
      await load(destination, 'people', { rows });
      await expectRows(under, 'people', rows);
    },
  },
  {
    name: 'tells how many rows it has read and kept',
    async run(under) {
      const destination = await under.destination();
      const writer = await openWriter(destination, 'people');
      const first = await stage(writer, { rows: CAST });
      expect(first).toMatchObject({ rows: 3, facts: { rows: 3 } });
      await writer.commit([first], { kind: 'nothing' }, { cursor: [] });
      const again = await stage(writer, {
        rows: [...CAST, ['4', 'Dan', '4']],
        overlap: true,
        slice: 'again',
      });
      expect(again).toMatchObject({ rows: 1, facts: { rows: 4 } });
      await writer.abort([again]);
      await writer.close();
    },
  },
  {
    name: 'appends to what is there',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'log', { schema: schemaOf('n int32, text utf8', []), rows: [['1', 'a']] });
      await load(destination, 'log', {
        schema: schemaOf('n int32, text utf8', []),
        rows: [
          ['1', 'a'],
          ['2', 'b'],
        ],
      });
      await expectRows(under, 'log', [
        ['1', 'a'],
        ['1', 'a'],
        ['2', 'b'],
      ]);
    },
  },
  {
    name: 'lets rows take the place of those with their key',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      const supersede = { kind: 'key' as const, key: ['id'] };
      await load(destination, 'people', {
        rows: [
          ['2', 'Bea', '9'],
          ['4', 'Dan', null],
        ],
        supersede,
      });
      await expectRows(under, 'people', [CAST[0]!, ['2', 'Bea', '9'], CAST[2]!, ['4', 'Dan', null]]);
      expect((await destination.describe('people', new AbortController().signal))!.rows).toBe(4);
      await load(destination, 'people', { rows: [], supersede });
      expect((await under.read('people'))!.rows).toHaveLength(4);
    },
  },
  {
    name: 'lets rows take the place of all that the groups have that are named, also of those without rows now',
    async run(under) {
      const destination = await under.destination();
      const schema = schemaOf('order int32, sub utf8 null, n int32, text utf8 null', ['order', 'sub', 'n']);
      const supersede = { kind: 'groups' as const, columns: ['order', 'sub'] };
      const rows: Cell[][] = [
        ['1', 'a', '0', 'x'],
        ['1', 'a', '1', 'y'],
        ['1', null, '0', 'z'],
        ['2', 'a', '0', 'x'],
        ['3', 'a', '0', 'stays'],
      ];
      await load(destination, 'lines', { schema, rows });
      const groups: Cell[][] = [
        ['1', 'a'],
        ['1', 'a'],
        ['1', null],
        ['2', 'a'],
        ['4', 'a'],
      ];
      const now: Cell[][] = [
        ['1', 'a', '0', 'new'],
        ['1', null, '1', 'new'],
        ['4', 'a', '0', null],
      ];
      await load(destination, 'lines', { schema, rows: now, supersede, groups });
      await expectRows(under, 'lines', [...now, rows[4]!]);
      expect((await destination.describe('lines', new AbortController().signal))!.rows).toBe(4);
      await load(destination, 'lines', { schema, rows: [], supersede, groups: [['1', 'a']] });
      await expectRows(under, 'lines', [now[1]!, now[2]!, rows[4]!]);
      await load(destination, 'lines', { schema, rows: [], supersede, groups: [] });
      expect((await destination.describe('lines', new AbortController().signal))!.rows).toBe(3);
    },
  },
  {
    name: 'takes NULLs in a key for equal',
    async run(under) {
      const destination = await under.destination();
      const schema = schemaOf('a int32 null, b utf8 null, v int32', ['a', 'b']);
      const supersede = { kind: 'key' as const, key: ['a', 'b'] };
      await load(destination, 'k', {
        schema,
        rows: [
          ['1', null, '1'],
          [null, null, '2'],
          ['1', 'x', '3'],
          ['2', 'x', '4'],
        ],
      });
      await load(destination, 'k', {
        schema,
        rows: [
          ['1', null, '10'],
          [null, null, '20'],
        ],
        supersede,
      });
      await expectRows(under, 'k', [
        ['1', null, '10'],
        [null, null, '20'],
        ['1', 'x', '3'],
        ['2', 'x', '4'],
      ]);
      expect(
        await load(destination, 'k', {
          schema,
          rows: [
            [null, null, '20'],
            ['2', 'x', '4'],
          ],
          overlap: true,
        }),
      ).toBe(0);
    },
  },
  {
    name: 'refuses rows that share a key when they are to replace by key',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      const rows: Cell[][] = [
        ['2', 'one', null],
        ['2', 'other', null],
      ];
      await refusal(load(destination, 'people', { rows, supersede: { kind: 'key', key: ['id'] } }), 'data');
      await expectRows(under, 'people', CAST);
      const schema = schemaOf('a int32 null, b utf8, v int32', ['a', 'b']);
      await load(destination, 'k', { schema, rows: [['1', 'x', '1']] });
      const same: Cell[][] = [
        [null, 'x', '2'],
        [null, 'x', '3'],
      ];
      const byKey: Supersede = { kind: 'key', key: ['a', 'b'] };
      await refusal(load(destination, 'k', { schema, rows: same, supersede: byKey }), 'data');
      await expectRows(under, 'k', [['1', 'x', '1']]);
    },
  },
  {
    name: 'lets rows take the place of a window, bounds included and excluded',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', {
        rows: ['9', '10', '15', '19', '20', null].map((age, i) => [String(i), 'old', age]),
      });
      await load(destination, 'people', {
        rows: [['100', 'new', '10']],
        supersede: { kind: 'window', column: 'age', from: '10', to: '20' },
      });
      await expectRows(under, 'people', [
        ['0', 'old', '9'],
        ['4', 'old', '20'],
        ['5', 'old', null],
        ['100', 'new', '10'],
      ]);
    },
  },
  {
    name: 'lets rows take the place of those without a value of a column',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', {
        rows: ['9', null, '20', null].map((age, i) => [String(i), 'old', age]),
      });
      const supersede: Supersede = { kind: 'value', column: 'age', value: null };
      await load(destination, 'people', { rows: [['100', 'new', null]], supersede });
      const kept: Cell[][] = [
        ['0', 'old', '9'],
        ['2', 'old', '20'],
      ];
      await expectRows(under, 'people', [...kept, ['100', 'new', null]]);
      await load(destination, 'people', { rows: [], supersede });
      await expectRows(under, 'people', kept);
    },
  },
  {
    name: 'lets rows take the place of those with a text in a column',
    async run(under) {
      const destination = await under.destination();
      const texts = ["it's", "IT'S", "it's ", '', null];
      await load(destination, 'people', { rows: texts.map((name, i) => [String(i), name, null]) });
      const supersede: Supersede = { kind: 'value', column: 'name', value: "it's" };
      await load(destination, 'people', { rows: [['100', "it's", null]], supersede });
      const kept = texts.slice(1).map((name, i): Cell[] => [String(i + 1), name!, null]);
      await expectRows(under, 'people', [...kept, ['100', "it's", null]]);
    },
  },
  {
    name: 'lets rows take the place of everything',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      const schema = schemaOf('id int32, other bool null');
      await load(destination, 'people', { schema, rows: [['1', 'true']], supersede: { kind: 'everything' } });
      expect(await under.read('people')).toEqual({ columns: ['id', 'other'], rows: [['1', 'true']] });
      await load(destination, 'people', { schema, rows: [], supersede: { kind: 'everything' } });
      await expectRows(under, 'people', []);
    },
  },
  {
    name: 'brings the rows of a committed slice only once',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      expect(await load(destination, 'people', { rows: CAST, overlap: true })).toBe(0);
      expect(
        await load(await under.destination(), 'people', {
          rows: [...CAST, ['2', 'Bea', null]],
          overlap: true,
        }),
      ).toBe(1);
      const keyless = schemaOf('v utf8', []);
      await load(destination, 'k', { schema: keyless, rows: [['same'], ['same']] });
      expect(
        await load(destination, 'k', {
          schema: keyless,
          rows: [['same'], ['same'], ['same']],
          overlap: true,
        }),
      ).toBe(1);
      await expectRows(under, 'k', [['same'], ['same'], ['same']]);
    },
  },
  {
    name: 'takes a row that has gone from A to B and back for new',
    async run(under) {
      const destination = await under.destination();
      for (const name of ['A', 'B', 'A'])
        expect(await load(destination, 'people', { rows: [['1', name, null]], overlap: true })).toBe(1);
      expect(await load(destination, 'people', { rows: [['1', 'A', null]], overlap: true })).toBe(0);
    },
  },
];
