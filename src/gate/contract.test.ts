import { describe, expect, it } from 'vitest';
import { SchemaError } from '../core/errors.ts';
import { type Field, type Schema, schemaToJson } from '../core/schema.ts';
import { parseType } from '../core/types.ts';
import { evolve } from './contract.ts';

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
    ['a dropped column is told once', 'id int64, old utf8 null', 'id int64', 'id int64, old utf8 null', []],
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
    ['NULL from now on', 'id int64, n utf8', 'id int64, n utf8 null', 'id int64, n utf8 null', []],
    [
      'a date becomes a moment',
      'id int64, t date',
      'id int64, t timestamp',
      'id int64, t timestamp',
      ['t date → timestamp'],
    ],
  ])('%s', (_, ...given) => {
    const [table, incoming, result, changes] = given;
    const evolved = evolve(table === undefined ? undefined : schema(table), schema(incoming), 'public.t');
    expect(show(evolved.schema)).toBe(result);
    expect(evolved.changes).toEqual(changes);
  });

  it('keeps a key whose columns are listed in another order, and takes one where there was none', () => {
    const [table, incoming] = [
      schema('id int64, b int64', ['id', 'b']),
      schema('id int64, b int64', ['b', 'id']),
    ];
    expect(evolve(table, incoming, 't').schema.key).toEqual(['b', 'id']);
    expect(evolve(schema('id int64', []), schema('id int64'), 't').schema.key).toEqual(['id']);
  });
});

describe('what cannot follow stops the stream', () => {
  it('and every column is named', () => {
    const stopped = (): unknown =>
      evolve(
        schema('id int64, a int32, b utf8, c timestamp'),
        schema('id int64, a utf8, b int32, c timestamptz'),
        'public.t',
      );
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
    expect(() =>
      evolve(schema('id int64, b int64', before), schema('id int64, b int64', after), 't'),
    ).toThrow(message);
  });
});
