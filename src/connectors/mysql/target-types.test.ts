import { expect, it } from 'vitest';
import { foundType, widensType } from './target-types.ts';

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
