import { expect, it } from 'vitest';
import { InternalError } from './errors.ts';
import { type Schema, sameSchema, schemaFromJson, schemaToJson } from './schema.ts';

const SCHEMA: Schema = {
  fields: [
    { name: 'id', type: { kind: 'int64' }, nullable: false, native: 'bigint' },
    {
      name: 'a "b"',
      type: { kind: 'decimal', precision: 12, scale: 2 },
      nullable: true,
      native: 'numeric(12,2)',
    },
    { name: 'at', type: { kind: 'timestamp', zone: true }, nullable: true, native: undefined },
  ],
  key: ['id'],
};

it('a schema is the same after it was stored as JSON', () => {
  const stored = JSON.stringify(schemaToJson(SCHEMA));
  expect(schemaFromJson(JSON.parse(stored) as ReturnType<typeof schemaToJson>)).toEqual(SCHEMA);
});

it('a stored type of a newer version is named', () => {
  const json = schemaToJson(SCHEMA);
  json.fields[1]!.type = 'decimal(76,2)';
  expect(() => schemaFromJson(json)).toThrow(InternalError);
  expect(() => schemaFromJson(json)).toThrow(/"decimal\(76,2\)" of column "a "b""/);
});

it('schemas differ by names, types, NULLs, order and key', () => {
  const [id, amount, at] = SCHEMA.fields;
  expect(sameSchema(SCHEMA, structuredClone(SCHEMA))).toBe(true);
  expect(sameSchema(SCHEMA, { ...SCHEMA, key: [] })).toBe(false);
  expect(sameSchema(SCHEMA, { ...SCHEMA, fields: [amount!, id!, at!] })).toBe(false);
  expect(sameSchema(SCHEMA, { ...SCHEMA, fields: [id!, { ...amount!, nullable: false }, at!] })).toBe(false);
  expect(
    sameSchema(SCHEMA, {
      ...SCHEMA,
      fields: [id!, amount!, { ...at!, type: { kind: 'timestamp', zone: false } }],
    }),
  ).toBe(false);
});
