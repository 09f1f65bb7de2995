import { describe, expect, it } from 'vitest';
import {
  type CommitRecord,
  Fold,
  parseCommit,
  parseSnapshot,
  renderCommit,
  renderSnapshot,
  schemaVersionFor,
} from './records.ts';
import { render } from './records-json.ts';

const SCHEMA = { fields: [{ name: 'id', type: 'int64', nullable: false }], key: ['id'] };

function record(seq: number, more: Partial<CommitRecord> = {}): CommitRecord {
  return {
    format: 1,
    seq,
    table: 'orders',
    stream: 'public.orders',
    kind: 'load',
    run: `run-${seq}`,
    host: 'box',
    load: `load-${seq}`,
    fence: 1,
    at: `2026-01-0${seq} 00:00:00.000001+00`,
    wallMs: 1000 + seq,
    rows: 0,
    add: [],
    remove: [],
    purge: [],
    slices: [],
    ...more,
  };
}

function file(key: string, rows: number, more: object = {}): CommitRecord['add'][number] {
  return { key, rows, bytes: rows * 10, partition: {}, schema: 0, origin: 1, ...more };
}

function fold(...records: CommitRecord[]): Fold {
  const result = new Fold();
  for (const each of records) result.apply(each, `commit ${each.seq}`);
  return result;
}

describe('folding', () => {
  it('adds, removes and counts', () => {
    const state = fold(
      record(1, {
        schema: SCHEMA,
        add: [file('a', 5), file('b', 7)],
        checkpoint: { cursor: ['t'], watermark: '1' },
      }),
      record(2, { remove: ['a'], add: [file('c', 1)], fence: 4 }),
      record(3, { kind: 'retain', purge: ['a'], stream: 'maintenance', fence: 0 }),
    ).state()!;
    expect(state).toMatchObject({
      version: 3,
      rows: 8,
      bytes: 80,
      fence: 4,
      stream: 'public.orders',
      loadedAt: '2026-01-02 00:00:00.000001+00',
    });
    expect(state.files.map((each) => each.key)).toEqual(['b', 'c']);
    expect(state.removed).toEqual([]);
    expect(state.checkpoint).toEqual({ cursor: ['t'], watermark: '1' });
  });

  it('remembers removed files and when they went', () => {
    const state = fold(
      record(1, { schema: SCHEMA, add: [file('a', 5)] }),
      record(2, { remove: ['a'] }),
    ).state()!;
    expect(state.removed).toEqual([{ key: 'a', bytes: 50, seq: 2, wallMs: 1002 }]);
    expect(state).toMatchObject({ rows: 0, bytes: 0, files: [] });
  });

  it('keeps the history of the schema', () => {
    const wider = {
      fields: [
        { name: 'id', type: 'int64', nullable: false },
        { name: 'tier', type: 'utf8', nullable: true },
      ],
      key: ['id'],
    };
    const state = fold(record(1, { schema: SCHEMA }), record(2, { schema: wider })).state()!;
    expect(state.schemas.map((each) => [each.seq, each.changes])).toEqual([
      [1, []],
      [2, ['+ tier utf8']],
    ]);
    expect(schemaVersionFor(state, wider)).toEqual({ version: 1, isNew: false });
    expect(schemaVersionFor(state, SCHEMA)).toEqual({ version: 2, isNew: true });
    expect(schemaVersionFor(undefined, SCHEMA)).toEqual({ version: 0, isNew: true });
  });

  it('does not change a state that was handed out', () => {
    const folding = fold(record(1, { schema: SCHEMA, add: [file('a', 5)] }));
    const before = folding.state()!;
    folding.apply(record(2, { remove: ['a'] }), 'k');
    expect(before.files).toHaveLength(1);
    expect(before.rows).toBe(5);
  });

  it.each([
    ['a gap', record(3), /number 3 where 2 belongs/],
    ['another table', record(2, { table: 'other' }), /belongs to table "other"/],
    ['removing what is not there', record(2, { remove: ['z'] }), /removes "z"/],
    ['a name twice', record(2, { add: [file('a', 1)] }), /already taken/],
    ['an unknown schema', record(2, { add: [file('n', 1, { schema: 1 })] }), /schema version 1 of 1/],
    ['purging what is live', record(2, { purge: ['a'] }), /purges "a"/],
  ])('refuses %s and stays as it was', (_, next, message) => {
    const folding = fold(record(1, { schema: SCHEMA, add: [file('a', 5)] }));
    expect(() => folding.apply(next, 'k')).toThrow(message);
    expect(folding.state()).toMatchObject({ version: 1, rows: 5 });
  });

  it('does not take a name again that is kept for readers', () => {
    const folding = fold(record(1, { schema: SCHEMA, add: [file('a', 5)] }), record(2, { remove: ['a'] }));
    expect(folding.problem(record(3, { add: [file('a', 1)] }))).toMatch(/already taken/);
  });
});

describe('records as files', () => {
  const whole = record(2, {
    schema: SCHEMA,
    partitionBy: { column: 'd', by: 'day' },
    add: [file('a', 1, { partition: { year: '2026', month: null }, cursor: { min: '1', max: '2' } })],
    checkpoint: {
      cursor: ['t'],
      watermark: '2026-01-01 00:00:00+00',
      unfinished: { layout: 'x', slices: [], done: [], horizon: 1 },
    },
  });

  it('are read as they were written', () => {
    expect(parseCommit(renderCommit(whole), 'k')).toEqual(whole);
    const state = fold(
      record(1, { schema: SCHEMA, add: [file('a', 5)] }),
      record(2, { remove: ['a'], add: [file('b', 6)] }),
    ).state()!;
    expect(parseSnapshot(renderSnapshot(state), 'k')).toEqual(state);
  });

  it.each([
    ['nothing', '', /not JSON/],
    ['half a file', renderCommit(whole).slice(0, 100), /not JSON/],
    ['a list', '[]', /does not hold an object/],
    ['a record without its end', JSON.stringify(whole), /does not end in a checksum/],
    ['a changed digit', renderCommit(whole).replace('"seq":', '"seq":1'), /checksum does not fit/],
    ['a missing field', render({ format: 1, seq: 1 }), /field "table" is not text/],
    [
      'a broken file entry',
      renderCommit({ ...whole, add: [{ ...whole.add[0]!, rows: -1 }] }),
      /field "add\[0\].rows" is not a count/,
    ],
    [
      'a broken schema',
      render({ ...whole, schema: { fields: [{}], key: [] } }),
      /field "schema.fields\[0\].name" is not text/,
    ],
    ['an unknown kind', render({ ...whole, kind: 'magic' }), /one of load, checkpoint/],
  ])('are refused with the place: %s', (_, text, message) => {
    expect(() => parseCommit(text, 'the/key.json')).toThrow(message);
    expect(() => parseCommit(text, 'the/key.json')).toThrow(/"the\/key.json"/);
  });

  it('of a newer format ask for an update', () => {
    expect(() => parseCommit(render({ ...whole, format: 2 }), 'k')).toThrow(
      expect.objectContaining({ code: 'lake.format_newer', recovery: 'config' }),
    );
  });

  it('a snapshot whose totals do not match its files is refused', () => {
    const state = fold(record(1, { schema: SCHEMA, add: [file('a', 5)] })).state()!;
    expect(() => parseSnapshot(renderSnapshot({ ...state, rows: 6 }), 'k')).toThrow(/sum of the files/);
  });
});
