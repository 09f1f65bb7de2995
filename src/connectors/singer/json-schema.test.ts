import { expect, test } from 'vitest';
import { renderType } from '../../core/types.ts';
import { arraysOf, typesOf } from './json-schema.ts';

function typeOf(property: object, more: object = {}): string | undefined {
  const type = typesOf({ type: 'object', properties: { x: property }, ...more }).get('x');
  return type && renderType(type);
}

const BIG = 18_446_744_073_709_552_000;

test.each([
  [{ type: 'string' }, 'utf8'],
  [{ type: ['null', 'string'] }, 'utf8'],
  [{ type: ['string', 'null'], format: 'date-time' }, 'timestamptz'],
  [{ type: 'string', format: 'date' }, 'date'],
  [{ type: 'string', format: 'time' }, 'time'],
  [{ type: 'string', format: 'uuid' }, 'uuid'],
  [{ type: 'string', format: 'email' }, 'utf8'],
  [{ type: 'string', format: 'singer.decimal' }, 'utf8'],
  [{ type: 'string', format: 'singer.decimal', precision: 20, scale: 4 }, 'decimal(20,4)'],
  [
    { type: 'string', format: 'singer.decimal', additionalProperties: { precision: 20, scale: 4 } },
    'decimal(20,4)',
  ],
  [{ type: 'boolean' }, 'bool'],
  [{ type: 'integer' }, 'int64'],
  [{ type: 'integer', minimum: -32_768, maximum: 32_767 }, 'int16'],
  [{ type: 'integer', minimum: 0, maximum: 65_535 }, 'int32'],
  [{ type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }, 'int32'],
  [{ type: 'integer', minimum: -(2 ** 63), maximum: 2 ** 63 }, 'int64'],
  [{ type: 'integer', minimum: 0, maximum: BIG }, 'decimal(20,0)'],
  [{ type: 'integer', minimum: 0 }, 'int64'],
  [{ type: 'number' }, 'float64'],
  [{ type: 'number', multipleOf: 0.01 }, 'decimal(38,2)'],
  [{ type: 'number', multipleOf: 1e-10 }, 'decimal(38,10)'],
  [
    {
      type: 'number',
      multipleOf: 0.01,
      minimum: -1000,
      maximum: 1000,
      exclusiveMaximum: true,
      exclusiveMinimum: true,
    },
    'decimal(5,2)',
  ],
  [{ type: 'number', multipleOf: 0.01, exclusiveMaximum: 1000, exclusiveMinimum: -1000 }, 'decimal(5,2)'],
  [{ type: 'number', multipleOf: 1e-38, minimum: -1e62, maximum: 1e62 }, 'float64'],
  [{ type: 'number', multipleOf: 0.25 }, 'float64'],
  [{ type: 'object', properties: { y: { type: 'string' } } }, 'json'],
  [{ type: ['null', 'array'], items: {} }, 'json'],
  [{ anyOf: [{ type: 'object' }, { type: 'null' }] }, 'json'],
  [{ anyOf: [{ type: 'string', format: 'date-time' }, { type: 'null' }] }, 'timestamptz'],
  [{ anyOf: [{ type: 'string', format: 'date-time' }, { type: ['string', 'null'] }] }, 'utf8'],
  [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, 'float64'],
  [{ type: ['integer', 'string', 'null'] }, 'utf8'],
  [{ type: ['boolean', 'object'] }, 'json'],
  [
    { anyOf: [{ type: 'integer' }, { type: 'number', multipleOf: 0.01, maximum: 9, minimum: -9 }] },
    'decimal(21,2)',
  ],
  [{ allOf: [{ type: 'string' }, { format: 'date' }] }, 'date'],
  [{ $ref: '#/definitions/when' }, 'timestamptz'],
  [{ anyOf: [{ $ref: '#/$defs/a~1b' }, { type: 'null' }] }, 'int64'],
  [{ $ref: '#/definitions/loop' }, undefined],
  [{ $ref: 'https://example.com/x.json' }, undefined],
  [{}, undefined],
  [{ type: 'null' }, undefined],
  [{ enum: ['a', 1] }, undefined],
  [{ anyOf: [{}, { type: 'integer' }] }, undefined],
])('%j is %s', (property, type) => {
  const definitions = {
    when: { type: 'string', format: 'date-time' },
    loop: { $ref: '#/definitions/loop' },
  };
  expect(typeOf(property, { definitions, $defs: { 'a/b': { type: 'integer' } } })).toBe(type);
});

test('a schema may be a reference itself, and be made of several', () => {
  const schema = {
    $ref: '#/definitions/row',
    definitions: {
      row: { allOf: [{ properties: { a: { type: 'integer' } } }, { $ref: '#/definitions/more' }] },
      more: { properties: { b: { type: 'boolean' } } },
    },
  };
  expect([...typesOf(schema)]).toEqual([
    ['a', { kind: 'int64' }],
    ['b', { kind: 'bool' }],
  ]);
});

test.each([undefined, null, 7, [], { properties: [] }, { properties: { x: 7 } }])(
  '%j is no schema',
  (schema) => {
    expect([...typesOf(schema).values()].filter(Boolean)).toEqual([]);
  },
);

test('objects in arrays are found at any depth, whatever leads to them', () => {
  const schema = {
    definitions: { tax: { type: 'object', properties: { rate: { type: 'number', multipleOf: 0.01 } } } },
    type: 'object',
    properties: {
      id: { type: 'integer' },
      tags: { type: 'array', items: { type: 'string' } },
      lines: {
        type: ['null', 'array'],
        items: {
          type: 'object',
          properties: {
            sku: { type: 'string' },
            taxes: { anyOf: [{ type: 'null' }, { type: 'array', items: { $ref: '#/definitions/tax' } }] },
          },
        },
      },
      at: { type: 'object', properties: { taxes: { type: 'array', items: { $ref: '#/definitions/tax' } } } },
    },
  };
  expect(arraysOf(schema).map(({ path, types }) => [path.join('.'), [...types.keys()]])).toEqual([
    ['lines', ['sku', 'taxes']],
    ['lines.taxes', ['rate']],
    ['at.taxes', ['rate']],
  ]);
  expect(arraysOf({ properties: { a: { $ref: '#' } } })).toEqual([]);
});
