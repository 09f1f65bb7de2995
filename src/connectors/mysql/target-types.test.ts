import { expect, it } from 'vitest';
import type { Field } from '../../core/schema.ts';
import { foundType, joinTypes, targetType, widensType } from './target-types.ts';

it('text of a narrower character set is another type, which grows', () => {
  expect(foundType('VARCHAR(40)', 'utf8mb4')).toBe('varchar(40)');
  expect(foundType('varchar(40)', 'latin1')).toBe('varchar(40) character set latin1');
  expect(foundType('char(36)', 'ascii')).toBe('char(36)');
  expect(foundType("enum('a')", 'latin1')).toBe("enum('a')");
  expect(foundType('int(11)', null)).toBe('int');
  expect(widensType('varchar(40) character set latin1', 'varchar(40)')).toBe(true);
  expect(widensType('longtext character set utf8mb3', 'longtext')).toBe(true);
  expect(widensType('varchar(300) character set latin1', 'varchar(255)')).toBe(false);
});

function typesOf(fields: Partial<Field>[], key: string[] = [], dialect?: string): string[] {
  const all = fields.map((field, i): Field => ({
    name: `c${i}`,
    type: { kind: 'utf8' },
    nullable: true,
    ...field,
  }));
  const schema = { fields: all, key, ...(dialect !== undefined && { dialect }) };
  return all.map((field) => targetType(field, { schema, indexed: key.length > 0 }, true));
}

it('texts and bytes have the lengths of the source, the shortest first, as long as a row has room', () => {
  const binary = { kind: 'binary' } as const;
  expect(
    typesOf([{ length: 20 }, {}, { length: 16_000 }, { length: 300 }, { type: binary, length: 16 }]),
  ).toEqual(['varchar(20)', 'longtext', 'longtext', 'varchar(300)', 'varbinary(16)']);
  expect(typesOf([{ length: 16_000 }])).toEqual(['varchar(16000)']);
  expect(typesOf([{ length: 17_000 }, { type: binary, length: 64_000 }])).toEqual([
    'longtext',
    'varbinary(64000)',
  ]);
  expect(new Set(typesOf(Array.from({ length: 1000 }, () => ({ length: 40 }))))).toEqual(
    new Set(['varchar(40)', 'longtext']),
  );
});

it('a key has its lengths when an index takes them, and else up to 255', () => {
  expect(typesOf([{ length: 768 }], ['c0'])).toEqual(['varchar(768)']);
  expect(typesOf([{ length: 769 }], ['c0'])).toEqual(['varchar(255)']);
  expect(typesOf([{ length: 600 }, { length: 100 }, {}], ['c0', 'c1'])).toEqual([
    'varchar(600)',
    'varchar(100)',
    'longtext',
  ]);
  expect(typesOf([{ length: 600 }, { length: 100 }, {}], ['c0', 'c1', 'c2'])).toEqual([
    'varchar(255)',
    'varchar(100)',
    'varchar(255)',
  ]);
  // What is long beside a key leaves it as it is.
  expect(typesOf([{ length: 16_000 }, { length: 300 }], ['c1'])).toEqual(['longtext', 'varchar(300)']);
});

it('whole numbers and times of MySQL keep their types, unless they were made others', () => {
  const natives: [string, Field['type'], string][] = [
    ['int(10) unsigned zerofill', { kind: 'int64' }, 'int unsigned'],
    ['tinyint(1)', { kind: 'int16' }, 'tinyint(1)'],
    ['tinyint(1)', { kind: 'bool' }, 'tinyint(1)'],
    ['tinyint(4)', { kind: 'int16' }, 'tinyint'],
    ['mediumint(9)', { kind: 'int32' }, 'mediumint'],
    ['bigint(20) unsigned', { kind: 'decimal', precision: 20, scale: 0 }, 'bigint unsigned'],
    ['int(11)', { kind: 'int64' }, 'bigint'],
    ['int(11)', { kind: 'utf8' }, 'longtext'],
    ['year(4)', { kind: 'int16' }, 'smallint'],
    ['datetime(3)', { kind: 'timestamp', zone: false }, 'datetime(3)'],
    ['datetime', { kind: 'timestamp', zone: true }, 'datetime(6)'],
  ];
  const fields = natives.map(([native, type]) => ({ native, type }));
  expect(typesOf(fields, [], 'mysql')).toEqual(natives.map(([, , type]) => type));
  expect(typesOf([{ native: 'int(10) unsigned', type: { kind: 'int64' } }])).toEqual(['bigint']);
});

it('numbers with and without a sign grow to what holds both', () => {
  expect(joinTypes('int', 'int unsigned')).toBe('bigint');
  expect(joinTypes('tinyint unsigned', 'tinyint')).toBe('smallint');
  expect(joinTypes('bigint unsigned', 'int')).toBe('decimal(20,0)');
  expect(joinTypes('bigint', 'int unsigned')).toBeUndefined();
  expect(joinTypes('int', 'longtext')).toBeUndefined();
  expect(widensType('int unsigned', 'bigint')).toBe(true);
  expect(widensType('int unsigned', 'int')).toBe(false);
  expect(widensType('int', 'bigint unsigned')).toBe(false);
  expect(widensType('smallint', 'float')).toBe(true);
  expect(widensType('bigint unsigned', 'decimal(20,0)')).toBe(true);
  expect(widensType('bigint unsigned', 'decimal(19,0)')).toBe(false);
  expect(widensType('datetime(3)', 'datetime(6)')).toBe(true);
  expect(widensType('datetime(3)', 'datetime')).toBe(false);
});
