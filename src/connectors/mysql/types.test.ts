import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../core/errors.ts';
import { renderType } from '../../core/types.ts';
import type { NativeType } from '../shared/mysql-types.ts';
import { canBeCursor, mapColumn, mapForced, TYPE_RULES } from './types.ts';

function section(file: string): string {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  return /<!-- types -->\n([^]*?)\n<!-- end -->/.exec(text)![1]!;
}

/** Types that the table in TYPES.md names, each with what it becomes. */
function documented(): { type: string; lake: string }[] {
  const rows = section('./TYPES.md').matchAll(/^\| (`.*?`) \| `([^`]+)` \|/gm);
  return [...rows].flatMap(([, types, lake]) =>
    [...types!.matchAll(/`([^`]+)`/g)].map((match) => ({ type: match[1]!, lake: lake! })),
  );
}

/** As the catalog would tell of a type. */
function native(text: string): NativeType {
  const match = /^(\w+)(?:\((\d+)(?:,(\d+))?\))?/.exec(text)!;
  const first = Number(match[2] ?? 0);
  return {
    name: match[1]!,
    unsigned: text.endsWith(' unsigned'),
    precision: first,
    scale: Number(match[3] ?? 0),
    display: match[2] === undefined ? undefined : first,
  };
}

const PLAIN = { tinyint1AsBool: false };

describe('the table of types', () => {
  it('is the same in TYPES.md and in the documentation', () => {
    expect(section('../../../docs/connectors/mysql.md')).toBe(section('./TYPES.md'));
  });

  it('says what types.ts does with each type that it names', () => {
    const rows = documented();
    expect(rows.length).toBeGreaterThan(50);
    expect(
      rows.map(({ type }) => `${type} → ${renderType(mapColumn('c', native(type), PLAIN).type)}`),
    ).toEqual(rows.map(({ type, lake }) => `${type} → ${lake}`));
  });

  it('names every type that types.ts has a rule for', () => {
    const named = new Set(documented().map(({ type }) => native(type).name));
    expect(Object.keys(TYPE_RULES).filter((name) => !named.has(name))).toEqual([]);
  });
});

describe('mapping columns', () => {
  it('takes tinyint(1) for a bool only when told', () => {
    const told = mapColumn('c', native('tinyint(1)'), { tinyint1AsBool: true });
    expect(renderType(told.type)).toBe('bool');
    expect(renderType(mapColumn('c', native('tinyint(4)'), { tinyint1AsBool: true }).type)).toBe('int16');
    expect(renderType(mapForced('c', native('tinyint(1)'), 'bool').type)).toBe('bool');
  });

  it('quotes names', () => {
    expect(mapColumn('a`b', native('time'), PLAIN).select).toBe('CAST(`a``b` AS CHAR)');
  });

  it('refuses a pinned type that is none', () => {
    expect(() => mapForced('c', native('int'), 'integer')).toThrow(ConfigError);
    expect(() => mapForced('c', native('int'), 'decimal(39,0)')).toThrow(ConfigError);
  });

  it('follows whole numbers, dates and times as cursors', () => {
    const types = [
      'bigint unsigned',
      'int',
      'date',
      'datetime',
      'timestamp',
      'decimal(12,2)',
      'double',
      'char(5)',
    ];
    expect(types.filter((type) => canBeCursor(mapColumn('c', native(type), PLAIN).type))).toEqual(
      types.slice(0, 5),
    );
  });
});
