import { describe, expect, it } from 'vitest';
import { SchemaError } from '../core/errors.ts';
import { changeText } from '../core/schema-changes.ts';
import { type Field, type Schema, schemaToJson } from '../core/schema.ts';
import type { SchemaRules } from '../core/stream.ts';
import { parseType } from '../core/types.ts';
import { agree, type Contract, type ContractRequest } from './contract.ts';

/** `id int64, name utf8 null`; the key is `id` where there is one. */
function schema(columns: string, key?: string[]): Schema {
  const fields = columns.split(/, (?![^(]*\))/).map((column): Field => {
    const [name = '', type = '', nullable] = column.split(' ');
    return { name, type: parseType(type)!, nullable: nullable === 'null' };
  });
  return { fields, key: key ?? fields.flatMap(({ name }) => (name === 'id' ? ['id'] : [])) };
}

const show = (of: Schema): string =>
  schemaToJson(of)
    .fields.map(({ name, type, nullable }) => `${name} ${type}${nullable ? ' null' : ''}`)
    .join(', ');

const EVOLVE: SchemaRules = { policy: 'evolve', incompatible: 'side' };

function agreed(
  table: Schema | string | undefined,
  incoming: Schema | string,
  how: Partial<ContractRequest> = {},
): Contract & { texts: string[] } {
  const [before, now] = [table, incoming].map((each) => (typeof each === 'string' ? schema(each) : each));
  const contract = agree({
    stream: 'public.t',
    table: before,
    incoming: now!,
    rules: EVOLVE,
    accepted: false,
    fresh: false,
    keeps: false,
    fixed: new Set(['id', ...(before?.key ?? []), ...now!.key]),
    pinned: new Set(),
    asked: new Set(),
    putsAside: false,
    ...how,
  });
  return { ...contract, texts: contract.changes.map(changeText) };
}

it('a text is as long as it ever was, and has no length once it had none', () => {
  const sized = (length?: number): Schema => ({
    fields: [{ name: 'a', type: { kind: 'utf8' }, nullable: true, ...(length !== undefined && { length }) }],
    key: [],
  });
  const follow = (was: number | undefined, is: number | undefined): unknown => {
    const { schema: after, texts } = agreed(sized(was), sized(is));
    return [after.fields[0]!.length, ...texts];
  };
  expect(follow(20, 20)).toEqual([20]);
  expect(follow(20, 40)).toEqual([40, 'a 20 → 40 characters']);
  expect(follow(40, 20)).toEqual([40]);
  expect(follow(20, undefined)).toEqual([undefined, 'a 20 → any number of characters']);
  expect(follow(undefined, 20)).toEqual([undefined]);
});

describe('a table follows its source', () => {
  it.each<[string, string | undefined, string, string, string[]]>([
    ['a new table', undefined, 'id int64, name utf8', 'id int64, name utf8', []],
    ['nothing new', 'id int64, name utf8 null', 'id int64, name utf8 null', 'id int64, name utf8 null', []],
    [
      'a new column may be NULL',
      'id int64',
      'id int64, extra bool',
      'id int64, extra bool null',
      ['+ extra bool'],
    ],
    ['in the order of the source', 'id int64, b bool', 'b bool, id int64', 'b bool, id int64', []],
    [
      'a dropped column stays',
      'id int64, old utf8, b bool',
      'id int64, b bool',
      'id int64, b bool, old utf8 null',
      ['old is gone from the source and becomes NULL'],
    ],
    [
      'wider numbers',
      'id int32, n int16 null',
      'id int64, n int32 null',
      'id int64, n int32 null',
      ['id int32 → int64', 'n int16 → int32'],
    ],
    [
      'narrower numbers stay wide',
      'id int64, d decimal(12,4)',
      'id int32, d decimal(10,2)',
      'id int64, d decimal(12,4)',
      [],
    ],
    [
      'decimals that need both',
      'id int64, d decimal(10,4)',
      'id int64, d decimal(12,2)',
      'id int64, d decimal(14,4)',
      ['d decimal(10,4) → decimal(14,4)'],
    ],
    ['NULL once is NULL always', 'id int64, n utf8 null', 'id int64, n utf8', 'id int64, n utf8 null', []],
    [
      'NULL from now on',
      'id int64, n utf8',
      'id int64, n utf8 null',
      'id int64, n utf8 null',
      ['n may be NULL'],
    ],
    [
      'several at once',
      'id int32, old utf8, n int64, v utf8',
      'id int64, n utf8, v utf8 null, extra bool',
      'id int64, n__text utf8 null, v utf8 null, extra bool null, old utf8 null, n int64 null',
      [
        'id int32 → int64',
        '+ n__text utf8',
        'v may be NULL',
        '+ extra bool',
        'old is gone from the source and becomes NULL',
        'n goes to n__text',
      ],
    ],
    [
      'a date becomes a moment',
      'id int64, t date',
      'id int64, t timestamp',
      'id int64, t timestamp',
      ['t date → timestamp'],
    ],
  ])('%s', (_, ...given) => {
    const [table, incoming, result, changes] = given;
    const evolved = agreed(table, incoming);
    expect(show(evolved.schema)).toBe(result);
    expect(evolved.texts).toEqual(changes);
    // Whatever it was, it is told once.
    expect(agreed(evolved.schema, incoming).changes).toEqual([]);
  });

  it('keeps a key whose columns are listed in another order, and takes one where there was none', () => {
    const [table, incoming] = [
      schema('id int64, b int64', ['id', 'b']),
      schema('id int64, b int64', ['b', 'id']),
    ];
    expect(agreed(table, incoming)).toMatchObject({ schema: { key: ['b', 'id'] }, changes: [] });
    expect(agreed(schema('id int64', []), 'id int64')).toMatchObject({
      schema: { key: ['id'] },
      texts: ['key () → (id)'],
    });
  });
});

describe('a type that does not fit', () => {
  const before = schema('id int64, n int32');

  it('goes to a column beside, and back, under the same names', () => {
    const text = agreed(before, 'id int64, n utf8');
    expect(text).toMatchObject({ detours: { beside: new Map([['n', 'n__text']]) } });
    expect(text.schema.fields[1]).toMatchObject({ name: 'n__text', source: 'n', of: 'n' });
    const moment = agreed(text.schema, 'id int64, n timestamptz');
    expect(moment.texts).toEqual(['+ n__timestamptz timestamptz', 'n goes to n__timestamptz']);
    const back = agreed(moment.schema, 'id int64, n int64');
    expect(back.texts).toEqual(['n int32 → int64', 'n takes its values again']);
    expect(back.detours.beside.size).toBe(0);
    const again = agreed(back.schema, 'id int64, n json');
    expect(again.texts).toEqual(['n goes to n__text']);
    expect(show(again.schema)).toBe(
      'id int64, n__text utf8 null, n int64 null, n__timestamptz timestamptz null',
    );
    expect(agreed(again.schema, 'id int64').texts).toEqual(['n is gone from the source and becomes NULL']);
  });

  it('takes no name that the table or the source has', () => {
    const { detours } = agreed(
      'id int64, n int32, N__Text utf8',
      'id int64, n utf8, n__text_2 utf8, N__Text utf8',
    );
    expect(detours.beside.get('n')).toBe('n__text_3');
    const { schema: table } = agreed(before, 'id int64, n utf8');
    expect(() => agreed(table, 'id int64, n utf8, n__text utf8')).toThrow(
      'column "n__text" is there already, for values of "n"',
    );
  });

  it.each<[string, Partial<ContractRequest>, RegExp]>([
    ['of a column that rows are found by', { fixed: new Set(['n']) }, /and rows are found by it$/],
    ['that the user has chosen', { pinned: new Set(['n']) }, /as `types` says$/],
    [
      'where that is not wanted',
      { rules: { policy: 'evolve', incompatible: 'stop' } },
      /do not fit one type$/,
    ],
    ['where types stay', { rules: { policy: 'discard', incompatible: 'side' } }, /do not fit one type$/],
  ])('stops the stream when it is one %s', (_, how, message) => {
    expect(() => agreed(before, 'id int64, n utf8', how)).toThrow(message);
    // It fits what is beside already.
    if (how.fixed === undefined) {
      const { schema: table } = agreed(before, 'id int64, n utf8');
      expect(agreed(table, 'id int64, n utf8', how).changes).toEqual([]);
    }
  });

  it('is taken beside when the user accepts it', () => {
    const rules: SchemaRules = { policy: 'evolve', incompatible: 'stop' };
    expect(agreed(before, 'id int64, n utf8', { rules, accepted: true }).texts).toContain(
      'n goes to n__text',
    );
  });

  it('is taken as it is by a table that is made anew', () => {
    expect(agreed(before, 'id int64, n utf8', { fresh: true }).texts).toEqual(['n int32 → utf8']);
    expect(agreed('id int64, old utf8', 'id int64', { fresh: true }).texts).toEqual(['- old']);
  });
});

describe('a frozen schema', () => {
  const rules: SchemaRules = { policy: 'freeze', incompatible: 'side' };

  it.each<[string, string, string | undefined]>([
    ['nothing', 'id int64, n int32, v utf8', undefined],
    ['another order', 'v utf8, id int64, n int32', undefined],
    ['a narrower type', 'id int32, n int16, v utf8', undefined],
    ['a new column', 'id int64, n int32, v utf8, x bool', '+ x bool'],
    ['a wider type', 'id int64, n int64, v utf8', 'n int32 → int64'],
    ['another type', 'id int64, n utf8, v utf8', 'n int32 → utf8'],
    ['a column that is gone', 'id int64, n int32', 'v is gone from the source and becomes NULL'],
    ['NULL', 'id int64, n int32 null, v utf8', 'n may be NULL'],
    ['all of them', 'id int64, n int64, x bool', '+ x bool; v is gone from the source'],
  ])('stops at %s, also when everything is loaded again', (_, incoming, found) => {
    for (const fresh of [false, true]) {
      const look = (): Contract => agreed('id int64, n int32, v utf8', incoming, { rules, fresh });
      if (found === undefined) expect(look().changes).toEqual([]);
      else expect(look).toThrow(found);
    }
  });

  it('stops at a length that changes, for tables that take the types of the source', () => {
    const of = (native: string): Schema => {
      const { fields, key } = schema('id int64, v utf8');
      return { key, fields: [fields[0]!, { ...fields[1]!, native }] };
    };
    const look = (how: Partial<ContractRequest>): Contract =>
      agreed(of('varchar(40)'), of('varchar(80)'), how);
    expect(() => look({ rules })).toThrow('v varchar(40) → varchar(80) in the source');
    expect(look({}).changes).toEqual([]);
  });

  it('takes what the user accepts, and does not mind a name that the user has changed', () => {
    expect(agreed('id int64', 'id int64, x bool', { rules, accepted: true }).texts).toEqual(['+ x bool']);
    const { fields, key } = schema('id int64, v utf8');
    const renamed = { key, fields: [fields[0]!, { ...fields[1]!, source: 'label' }] };
    expect(agreed('id int64, v utf8', renamed, { rules }).texts).toEqual(['v is label in the source']);
  });
});

describe('a schema that discards', () => {
  const rules: SchemaRules = { policy: 'discard', incompatible: 'side' };

  it('leaves out new columns, and keeps types where records can be put aside', () => {
    const found = agreed('id int64, n int32', 'id int64, n utf8, x bool', { rules, putsAside: true });
    expect(found.detours).toEqual({
      beside: new Map(),
      without: ['x'],
      kept: new Map([['n', { kind: 'int32' }]]),
    });
    expect(show(found.schema)).toBe('id int64, n int32');
    expect(found.changes).toEqual([]);
  });

  it('stops elsewhere when a type becomes wider, and takes a narrower one', () => {
    expect(() => agreed('id int64, n int32', 'id int64, n int64', { rules })).toThrow(
      'column "n" was int32 and is now int64 (unknown), and stays what it was by `schema: discard`',
    );
    expect(agreed('id int64, n int32', 'id int64, n int16', { rules }).changes).toEqual([]);
  });

  it('takes all when the user accepts it, and columns of ours always', () => {
    expect(agreed('id int64', 'id int64, x bool', { rules, accepted: true }).texts).toEqual(['+ x bool']);
    expect(agreed('id int64', 'id int64, _sluice_xmin int64', { rules }).texts).toEqual([
      '+ _sluice_xmin int64',
    ]);
  });
});

describe('what cannot follow stops the stream', () => {
  it('and every column is named', () => {
    const stopped = (): unknown =>
      agreed('id int64, a int32, b utf8, c timestamp', 'id int64, a utf8, b int32, c timestamptz', {
        rules: { policy: 'evolve', incompatible: 'stop' },
      });
    expect(stopped).toThrow(SchemaError);
    expect(stopped).toThrow(
      /^loading public\.t: column "a" was int32 and is now utf8 .*; column "b" was utf8 .*; column "c" was timestamp and is now timestamptz/,
    );
  });

  it.each([
    [['id'], ['b'], 'the key was (id) and is now (b)'],
    [['id'], ['id', 'b'], 'the key was (id) and is now (id, b)'],
    [['id'], [], 'the key was (id) and is now gone'],
  ])('key %j becomes %j', (before, after, message) => {
    expect(() => agreed(schema('id int64, b int64', before), schema('id int64, b int64', after))).toThrow(
      message,
    );
  });
});
