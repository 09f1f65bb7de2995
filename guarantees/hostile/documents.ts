/** Texts, documents and nested values that parsers, quoting and terminals stumble over. */
import type { Arena, Attack } from '../attack.ts';
import { expectSame } from './compare.ts';
import { checkedStreams } from './project.ts';

const SQL = String.raw`
  CREATE TYPE odd_label AS ENUM ('', ' ', 'it''s', '"', E'\n', 'NULL', '../', '漢字');
  CREATE TYPE pair_of AS ("a ""b" text, " " int);
  CREATE DOMAIN d1 AS text CHECK (VALUE <> 'never');
  CREATE DOMAIN d2 AS d1 NOT NULL;
  CREATE DOMAIN d3 AS d2[];
  CREATE TABLE texts (id int PRIMARY KEY, v text, at timestamptz DEFAULT now());
  INSERT INTO texts SELECT i, chr(i) FROM generate_series(1, 300) i;
  INSERT INTO texts SELECT 1000 + i, repeat(chr(i), 13) FROM generate_series(1, 160) i;
  INSERT INTO texts VALUES (2000, ''), (2001, ' '), (2002, NULL), (2003, U&'\FEFF'), (2004, U&'\FEFFmark'), (2005, U&'\+10FFFF'), (2006, U&'\FFFE'), (2007, U&'\FFFF'), (2008, U&'\202E'), (2009, E'\\N'), (2010, E'\r\n'), (2011, '\.'), (2012, 'NULL'), (2013, repeat('é', 6)), (2014, repeat('🎣', 3)), (2015, U&'\D83C\DFA3');
  CREATE TABLE raw (id int PRIMARY KEY, v bytea, at timestamptz DEFAULT now());
  INSERT INTO raw SELECT i, decode(lpad(to_hex(i), 2, '0'), 'hex') FROM generate_series(0, 255) i;
  INSERT INTO raw VALUES (1000, ''), (1001, NULL), (1002, decode(repeat('ff', 1000), 'hex')), (1003, decode(repeat('00', 13), 'hex')), (1004, '\xefbbbf61');
  CREATE TABLE documents (id int PRIMARY KEY, v json, at timestamptz DEFAULT now());
  INSERT INTO documents VALUES (1, '{"a":1,"a":2}'), (2, '"\u0000"'), (3, '1e99999'), (4, '123456789012345678901234567890.123456789012345678901234567890'), (5, ' { "b" : 1 ,  "a":[ ] } '), (6, 'null'), (7, NULL), (8, '"\ud800"'), (9, '""'), (10, ('[' || repeat('[', 4000) || repeat(']', 4000) || ']')::json), (11, '-0'), (12, '{"":{"":null}}'), (13, '"</script>"');
  CREATE TABLE binary_documents (id int PRIMARY KEY, v jsonb, at timestamptz DEFAULT now());
  INSERT INTO binary_documents VALUES (1, '{"a":1,"a":2}'), (2, '"\\u0000"'), (3, '1e1000'), (4, '0.10'), (5, 'null'), (6, NULL), (7, '-0'), (8, '{"b":1,"a":2,"aa":3}'), (9, (repeat('[', 4000) || repeat(']', 4000))::jsonb), (10, '{"":""}');
  CREATE TABLE nested (id int PRIMARY KEY, six int[][][][][][], empty text[], bounds int[], texts text[], composite pair_of, composites pair_of[], label odd_label, labels odd_label[], domains d3, document jsonb[], at timestamptz DEFAULT now());
  INSERT INTO nested VALUES
    (1, '{{{{{{1,NULL},{2,3}}}}}}', '{}', '[5:6][-1:0]={{1,2},{3,4}}', ARRAY['', 'NULL', NULL, '"', '\', ',', '{}', E'\n'], ROW('it''s "x", (y)', NULL), ARRAY[ROW(NULL, 1)::pair_of, NULL], 'it''s', ARRAY['', NULL, '"']::odd_label[], ARRAY['a', 'b'], ARRAY['{"a":"\u00e9"}'::jsonb, NULL]),
    (2, NULL, NULL, '{}', '{}', ROW(NULL, NULL), '{}', '', '{}', '{}', '{}'),
    (3, '{}', ARRAY[NULL]::text[], NULL, NULL, NULL, NULL, E'\n', NULL, NULL, NULL);
  CREATE TABLE ranges (id int PRIMARY KEY, i int4range, n numrange, t tsrange, d daterange, m int4multirange, b bit(8), z varbit, x xml, ip inet, at timestamptz DEFAULT now());
  INSERT INTO ranges VALUES
    (1, 'empty', '(,)', '[-infinity,infinity]', '[4713-01-01 BC,5874897-12-31)', '{}', B'00000000', B'', '<a b="&lt;">é</a>', '::ffff:1.2.3.4/128'),
    (2, '(,5]', '[NaN,NaN]', '(,)', 'empty', '{[1,2),[3,4)}', B'11111111', B'1', '', '10.0.0.0/8'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);`;

const TABLES = ['texts', 'raw', 'documents', 'binary_documents', 'nested', 'ranges'];

async function run(arena: Arena): Promise<string> {
  const pair = await arena.open({}, SQL);
  // The cast to text adds "/32" to hosts; format() does not.
  const loaded = TABLES.map((table) => ({
    table,
    from: table,
    instead: { ip: `(CASE WHEN ip IS NOT NULL THEN format('%s', ip) END)` },
  }));
  for (const load of arena.brief ? ['merge'] : ['merge', 'append', 'replace']) {
    pair.to.connection = { type: 'lake', path: `./${load}` };
    const options = load === 'replace' ? { load } : { load, cursor: 'at' };
    pair.streams = checkedStreams(Object.fromEntries(TABLES.map((table) => [`public.${table}`, options])));
    await pair.run();
    await expectSame(arena, pair, loaded);
    // Also rows that did not change are compared with the table, by all of their values.
    for (const table of TABLES)
      await pair.from.query(`UPDATE ${table} SET at = clock_timestamp() WHERE id % 3 = 0`);
    await pair.run();
    const { totals } = await pair.run();
    if (load !== 'replace' && totals.loaded > 0) throw new Error(`${totals.loaded} rows were loaded again`);
    await expectSame(arena, pair, loaded);
  }
  return 'works';
}

export const DOCUMENTS: Attack = {
  name: 'documents',
  part: 'hostile',
  promise: 'exact-values',
  tries:
    'Texts hold every control character, byte order marks and noncharacters, bytes hold 0x00 and 0xFF, JSON holds `\\u0000`, repeated keys, numbers of any size and 4,000 levels; arrays of six dimensions, empty arrays, composites, ranges and labels hold quotes, NULL and nothing',
  rounds: 1,
  brief: false,
  run,
};
