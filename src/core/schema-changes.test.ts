import { describe, expect, it } from 'vitest';
import { changesOfJson, changeText, nextVersions, type SchemaVersion } from './schema-changes.ts';
import { schemaFromJson, type SchemaJson } from './schema.ts';

const BEFORE: SchemaJson = {
  fields: [
    { name: 'id', type: 'int32', nullable: false },
    { name: 'old', type: 'utf8', nullable: true },
    { name: 'v', type: 'utf8', nullable: false, native: 'varchar(40)' },
    { name: 'n', type: 'int32', nullable: true },
    { name: 'was', type: 'date', nullable: true, gone: true },
  ],
  key: ['id'],
};

function after(change: (fields: SchemaJson['fields']) => SchemaJson['fields'], key = ['id']): SchemaJson {
  return { fields: change(structuredClone(BEFORE.fields)), key };
}

describe('changes of a schema', () => {
  it.each<[string, SchemaJson, string[]]>([
    ['none', BEFORE, []],
    ['another order', after((fields) => fields.toReversed()), []],
    [
      'columns of the table',
      after(
        ([id, , ...others]) => [
          { ...id!, type: 'int64', nullable: true },
          ...others,
          { name: 'new', type: 'date', nullable: true },
        ],
        ['id', 'new'],
      ),
      ['id int32 → int64', 'id may be NULL', '+ new date', '- old', 'key (id) → (id, new)'],
    ],
    [
      'columns of the source',
      after((fields) =>
        fields.map((field) => {
          if (field.name === 'old') return { ...field, gone: true };
          if (field.name === 'v') return { ...field, native: 'varchar(80)', source: 'label' };
          return { name: field.name, type: field.type, nullable: field.nullable };
        }),
      ),
      [
        'old is gone from the source and becomes NULL',
        'v varchar(40) → varchar(80) in the source',
        'v is label in the source',
        'was is back in the source',
      ],
    ],
    [
      'a type of a table that was made anew',
      after((fields) => fields.map((field) => (field.name === 'n' ? { ...field, type: 'utf8' } : field))),
      ['n int32 → utf8'],
    ],
  ])('%s', (_, now, texts) => {
    expect(changesOfJson(BEFORE, now).map(changeText)).toEqual(texts);
    expect(changesOfJson(undefined, now)).toEqual([]);
  });
});

it('versions are counted from the first one, also where that was not written down', () => {
  const [first, second] = [BEFORE, after((fields) => fields.slice(1))].map(schemaFromJson);
  const commit = { commit: 7, at: '2026-01-01', run: 'r' };
  const none: readonly SchemaVersion[] = [];
  const made = nextVersions(none, { before: undefined, after: first! }, commit);
  expect(made).toEqual([{ version: 1, ...commit, changes: [] }]);
  expect(nextVersions(made, { before: first, after: first! }, commit)).toBe(made);
  const changes = [{ kind: 'dropped', column: 'id' }];
  expect(nextVersions(made, { before: first, after: second! }, commit)[1]).toEqual({
    version: 2,
    ...commit,
    changes,
  });
  expect(nextVersions(none, { before: first, after: second! }, commit)).toEqual([
    { version: 2, ...commit, changes },
  ]);
});
