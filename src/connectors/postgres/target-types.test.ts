import { expect, it } from 'vitest';
import { keepsType, sameForm } from './target-types.ts';

it.each([
  ['numeric(14,2)', 'numeric(12,4)', false],
  ['numeric(8,4)', 'numeric(12,2)', true],
  ['numeric', 'numeric(12,2)', true],
  ['numeric(12,2)', 'numeric', false],
  ['bigint', 'integer', true],
  ['integer', 'numeric(12,2)', false],
  ['integer', 'double precision', false],
  ['double precision', 'integer', true],
  ['double precision', 'bigint', false],
  ['double precision', 'numeric(5,2)', false],
  ['real', 'real', true],
  ['date', 'timestamp with time zone', false],
  ['name', 'text', false],
  ['character(5)', 'character varying(20)', true],
  ['integer[]', 'integer[]', true],
])('a column %s keeps every %s, or the server refuses it: %s', (found, wanted, keeps) => {
  expect(keepsType(found, wanted)).toBe(keeps);
});

it.each([
  ['bigint', 'bigint', true],
  ['double precision', 'bigint', false],
  ['bigint', 'integer', false],
  ['text', 'integer', false],
  ['timestamp with time zone', 'timestamp(3) without time zone', true],
  ['character(5)', 'text', true],
  ['jsonb', 'json', false],
  // What reads text by itself.
  ['mood', 'text', true],
  ['bytea', 'text', true],
])('into a column %s bytes of %s go as they are: %s', (found, wanted, same) => {
  expect(sameForm(found, wanted)).toBe(same);
});
