/** Every type that is loaded by types.test.ts, with its extremes. Values are what a user would write between quotes. */
import type { Cell } from '../../guarantees/fidelity/cells.ts';

export interface TypeCase {
  /** As in CREATE TABLE. */
  type: string;
  /** What the lake must make of it. */
  lake: string;
  values: string[];
  /** What the lake holds for a text that the server prints; the same text unless told. */
  rule?: (server: string) => Cell;
}

/** Types of the user's own that the cases below refer to. */
export const USER_TYPES: string = String.raw`
  CREATE SCHEMA "Odd Schema";
  CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube; CREATE EXTENSION seg; CREATE EXTENSION isn;
  CREATE TYPE mood AS ENUM ('sad', '', 'O''Brien "✓" 😀', 'a,b {} \ ');
  CREATE TYPE "Odd Schema"."odd.type ""x""" AS ENUM ('NULL', 'null');
  CREATE TYPE pair AS (n int, "Label, odd" text, at timestamptz);
  CREATE TYPE nested AS (p pair, list int[]);
  CREATE TYPE floatrange AS RANGE (subtype = float8);
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE DOMAIN amount AS numeric(12,3);
  CREATE DOMAIN amount2 AS amount CHECK (VALUE < 1000000);
  CREATE DOMAIN amount3 AS amount2;
  CREATE DOMAIN "Odd Schema".wide AS numeric(50,2);
  CREATE DOMAIN code AS char(3);
  CREATE DOMAIN feeling AS mood;
  CREATE DOMAIN numbers AS int[];
  CREATE DOMAIN moment AS timestamptz(3);
  CREATE DOMAIN couple AS pair;
  CREATE DOMAIN doc AS jsonb;
  CREATE DOMAIN raw AS bytea;
  CREATE DOMAIN ident AS uuid;
  CREATE DOMAIN span AS int4range;
  CREATE DOMAIN dozen AS text CHECK (length(VALUE) = 12);
`;

const nullOf =
  (...texts: string[]) =>
  (server: string): Cell =>
    texts.includes(server) ? null : server;

/** Elements of PostgreSQL's array text as JSON: what an array must become. */
function arrayJson(element: (text: string) => string): (server: string) => string {
  return (server) => {
    // Lower bounds other than 1 have no place in JSON.
    const text = server.replace(/^(\[-?\d+:-?\d+\])+=/, '');
    return text.replace(/"((?:[^"\\]|\\.)*)"|[^{},]+|[{}]/g, (part, quoted: string | undefined) => {
      if (quoted !== undefined) return element(quoted.replace(/\\(.)/gs, '$1'));
      if (part === '{') return '[';
      if (part === '}') return ']';
      return part === 'NULL' ? 'null' : element(part);
    });
  };
}

const word = (text: string): string => JSON.stringify(text);
const number = (text: string): string => (/^-?\d/.test(text) ? text : word(text));
const bool = (text: string): string => (text === 't' ? 'true' : 'false');
const moment = (text: string): string => word(text.replace(' ', 'T').replace(/\+00\b/, '+00:00'));

const LONGEST = '9'.repeat(38);
const ALL_BYTES = `\\x${Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0')).join('')}`;

const NUMBERS: TypeCase[] = [
  { type: 'boolean', lake: 'bool', values: ['t', 'f'] },
  { type: 'smallint', lake: 'int16', values: ['-32768', '32767', '0', '-1'] },
  { type: 'integer', lake: 'int32', values: ['-2147483648', '2147483647', '0', '-1', '65536'] },
  {
    type: 'bigint',
    lake: 'int64',
    values: [
      '-9223372036854775808',
      '9223372036854775807',
      '0',
      '-1',
      '9007199254740993',
      '-9007199254740993',
      '4294967295',
      '4294967296',
      '-4294967296',
      '2147483648',
      '-2147483649',
    ],
  },
  { type: 'oid', lake: 'int64', values: ['0', '1', '2147483647', '2147483648', '4294967295'] },
  { type: 'numeric(1,0)', lake: 'decimal(1,0)', values: ['9', '-9', '0', 'NaN'], rule: nullOf('NaN') },
  {
    type: 'numeric(4,2)',
    lake: 'decimal(4,2)',
    values: ['99.99', '-99.99', '0.01', '-0.01', '0', '10', 'NaN'],
    rule: nullOf('NaN'),
  },
  { type: 'numeric(4,4)', lake: 'decimal(4,4)', values: ['0.9999', '-0.9999', '0.0001', '0'] },
  { type: 'numeric(5,0)', lake: 'decimal(5,0)', values: ['99999', '-99999', '10000', '-10000', '1'] },
  { type: 'numeric(9,0)', lake: 'decimal(9,0)', values: ['999999999', '-999999999', '100000000', '1'] },
  {
    type: 'numeric(9,4)',
    lake: 'decimal(9,4)',
    values: ['99999.9999', '-99999.9999', '0.0001', '10000', '0.1', '12345.678'],
  },
  {
    type: 'numeric(9,9)',
    lake: 'decimal(9,9)',
    values: ['0.999999999', '-0.999999999', '0.000000001', '0.0001', '0.1'],
  },
  {
    type: 'numeric(10,2)',
    lake: 'decimal(10,2)',
    values: [
      '99999999.99',
      '-99999999.99',
      '0.01',
      '1234.5',
      '42949672.95',
      '42949672.96',
      '-42949672.96',
      '21474836.48',
      '-0.01',
    ],
  },
  {
    type: 'numeric(18,0)',
    lake: 'decimal(18,0)',
    values: [
      LONGEST.slice(0, 18),
      `-${LONGEST.slice(0, 18)}`,
      '1',
      '4294967296',
      '-4294967297',
      '9007199254740993',
      '1000000000000',
    ],
  },
  {
    type: 'numeric(18,6)',
    lake: 'decimal(18,6)',
    values: ['999999999999.999999', '-999999999999.999999', '0.000001', '-0.000001', '100000000', '123456.7'],
  },
  {
    type: 'numeric(18,18)',
    lake: 'decimal(18,18)',
    values: [`0.${LONGEST.slice(0, 18)}`, `-0.${LONGEST.slice(0, 18)}`, '0.000000000000000001', '0.5'],
  },
  {
    type: 'numeric(19,0)',
    lake: 'decimal(19,0)',
    values: [
      LONGEST.slice(0, 19),
      `-${LONGEST.slice(0, 19)}`,
      '1',
      '-1',
      '18446744073709551',
      '9223372036854775807',
      '9223372036854775808',
    ],
  },
  {
    type: 'numeric(19,2)',
    lake: 'decimal(19,2)',
    values: ['99999999999999999.99', '-99999999999999999.99', '0.01', '-0.01', '12.30'],
  },
  {
    type: 'numeric(38,0)',
    lake: 'decimal(38,0)',
    values: [
      LONGEST,
      `-${LONGEST}`,
      '1',
      '-1',
      '18446744073709551616',
      '-18446744073709551616',
      `1${'0'.repeat(37)}`,
    ],
  },
  {
    type: 'numeric(38,10)',
    lake: 'decimal(38,10)',
    values: [
      `${LONGEST.slice(0, 28)}.${LONGEST.slice(0, 10)}`,
      `-${LONGEST.slice(0, 28)}.${LONGEST.slice(0, 10)}`,
      '0.0000000001',
      '1',
      '-1',
      'NaN',
    ],
    rule: nullOf('NaN'),
  },
  {
    type: 'numeric(38,38)',
    lake: 'decimal(38,38)',
    values: [`0.${LONGEST}`, `-0.${LONGEST}`, `0.${'0'.repeat(37)}1`, '0.1'],
  },
  { type: 'numeric(5,-2)', lake: 'decimal(7,0)', values: ['9999900', '-9999900', '149', '151', '0'] },
  {
    type: 'numeric(36,-2)',
    lake: 'decimal(38,0)',
    values: [`${LONGEST.slice(0, 36)}00`, `-${LONGEST.slice(0, 36)}00`, '100'],
  },
  { type: 'numeric(37,-2)', lake: 'utf8', values: [`${LONGEST.slice(0, 37)}00`, '100'] },
  { type: 'numeric(3,5)', lake: 'decimal(5,5)', values: ['0.00999', '-0.00999', '0.00001', '0'] },
  { type: 'numeric(3,39)', lake: 'utf8', values: [`0.${'0'.repeat(36)}999`, '0'] },
  { type: 'numeric(39,0)', lake: 'utf8', values: [`${LONGEST}9`, '-1', 'NaN'] },
  { type: 'numeric(1000,500)', lake: 'utf8', values: [`${'9'.repeat(500)}.${'9'.repeat(500)}`, '0', '-1.5'] },
  {
    type: 'numeric',
    lake: 'utf8',
    values: [
      'NaN',
      'Infinity',
      '-Infinity',
      '0.1000',
      '-0.0',
      '0',
      '1e400',
      '1e-400',
      '-12345678901234567890.12345678901234567890',
      '9'.repeat(20_000),
    ],
  },
  {
    type: 'real',
    lake: 'float32',
    values: [
      'NaN',
      'Infinity',
      '-Infinity',
      '-0',
      '0',
      '1e-45',
      '-1e-45',
      '1.1754942e-38',
      '1.17549435e-38',
      '3.4028235e38',
      '0.1',
      '16777217',
      '123456.79',
    ],
  },
  {
    type: 'double precision',
    lake: 'float64',
    values: [
      'NaN',
      'Infinity',
      '-Infinity',
      '-0',
      '0',
      '5e-324',
      '-5e-324',
      '2.225073858507201e-308',
      '2.2250738585072014e-308',
      '1.7976931348623157e308',
      '0.1',
      '0.30000000000000004',
      '9007199254740993',
      '123456789012345678',
    ],
  },
  {
    type: 'money',
    lake: 'decimal(23,4)',
    values: ['-92233720368547758.08', '92233720368547758.07', '0.01', '-0.01', '0', '1234.56'],
    rule: (text) => `${text.replaceAll(/[$,]/g, '')}00`,
  },
];

const TEXTS = [
  '',
  ' ',
  'x',
  'elevenbytes',
  'twelve bytes',
  'thirteenbytes',
  'äöüäöü',
  'äöüäöüß',
  '😀😀😀',
  '😀😀😀!',
  'line\nend\r\n\ttab',
  '\\N',
  '\\',
  '"quotes" and \'quotes\'',
  'NULL',
  '\u0001\u001f\u007f\u0080',
  '\ufeffbom',
  '\uffff\ufffe',
  'e\u0301 ‮ right to left ‬',
  '\u{10ffff} at the end',
  '漢字'.repeat(1000),
  'x'.repeat(100_000),
];

const STRINGS: TypeCase[] = [
  { type: 'text', lake: 'utf8', values: TEXTS },
  { type: 'varchar', lake: 'utf8', values: TEXTS },
  {
    type: 'varchar(12)',
    lake: 'utf8',
    values: ['', ' ', 'twelve bytes', 'äöüäöüäöüäöü', '😀😀😀😀😀😀😀😀😀😀😀😀'],
  },
  // Padded, as the output function prints it; only the cast to text takes the blanks away.
  { type: 'char(5)', lake: 'utf8', values: ['', 'a', 'abcde', '😀', ' a'] },
  { type: 'char', lake: 'utf8', values: ['', 'a', '😀'] },
  { type: '"char"', lake: 'utf8', values: ['', 'a', '\\', '\\200', '\\377'] },
  { type: 'name', lake: 'utf8', values: ['', 'pg_class', 'n'.repeat(63), '😀'] },
  { type: 'citext', lake: 'utf8', values: ['', 'ÄpFel', 'NULL'] },
  {
    type: 'bytea',
    lake: 'binary',
    values: [
      '',
      '\\x00',
      '\\xff',
      '\\x0102030405060708090a0b',
      '\\x0102030405060708090a0b0c',
      '\\x0102030405060708090a0b0c0d',
      '\\xc3',
      '\\xeda080',
      ALL_BYTES,
      `\\x${'00'.repeat(5000)}`,
    ],
  },
  {
    type: 'uuid',
    lake: 'uuid',
    values: [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '00112233-4455-6677-8899-aabbccddeeff',
      '80000000-0000-0000-0000-000000000001',
      '7fffffff-ffff-ffff-ffff-ffffffffffff',
    ],
  },
  {
    type: 'json',
    lake: 'json',
    values: [
      'null',
      '""',
      '{}',
      '[]',
      ' { "a" : 1 , "a" : 2 }\n',
      '1e400',
      '-0',
      '[1.10, 123456789012345678901234567890]',
      '"\\u0000 \\ud83d\\ude00 \\/ é"',
      `${'['.repeat(200)}${']'.repeat(200)}`,
    ],
  },
  {
    type: 'jsonb',
    lake: 'json',
    values: [
      'null',
      '""',
      '{}',
      '[]',
      '{"b":1,"a":[1.10,null,true]}',
      '1e400',
      '-0.00',
      '123456789012345678901234567890.1',
      '"\\u00e9 \\ud83d\\ude00 \\n"',
      `{"${'k'.repeat(3000)}":""}`,
    ],
  },
  { type: 'jsonpath', lake: 'utf8', values: ['$', 'strict $."a b"[*] ? (@ > 1)'] },
  { type: 'xml', lake: 'utf8', values: ['<a b="1">x &amp; y</a>', 'content only'] },
  { type: 'tsvector', lake: 'utf8', values: ['', "'a':1A,3 'fat cat':2", "'it''s'"] },
  { type: 'tsquery', lake: 'utf8', values: ['', "'fat' & !'rat' | 'a':*B"] },
  { type: 'hstore', lake: 'utf8', values: ['', '"a"=>"1","b"=>NULL', '"x y"=>"\\"q\\""'] },
  { type: 'ltree', lake: 'utf8', values: ['', 'Top.Science.Astronomy'] },
  { type: 'cube', lake: 'utf8', values: ['(1, 2),(3, 4)', '(0)'] },
  { type: 'seg', lake: 'utf8', values: ['1.50 .. 2.5', '~7'] },
  { type: 'isbn', lake: 'utf8', values: ['978-0-393-04002-9'] },
];

const DATES = [
  '4713-01-01 BC',
  '0001-12-31 BC',
  '0001-01-01',
  '1582-10-10',
  '1969-12-31',
  '1970-01-01',
  '1999-12-31',
  '2000-01-01',
  '2024-02-29',
  '9999-12-31',
  '10000-01-01',
  '5874897-12-31',
  'infinity',
  '-infinity',
];
const MOMENTS = [
  '4714-11-24 00:00:00 BC',
  '0044-03-15 12:00:00.000001 BC',
  '0001-12-31 23:59:59.999999 BC',
  '0001-01-01 00:00:00',
  '1969-12-31 23:59:59.999999',
  '1970-01-01 00:00:00',
  '1970-01-01 00:00:00.000001',
  '1999-12-31 23:59:59.999999',
  '2000-01-01 00:00:00',
  '2026-07-24 01:05:23.118402',
  '2026-07-24 01:05:23.1',
  '9999-12-31 23:59:59.999999',
  '10000-01-01 00:00:00',
  '294247-01-10 04:00:54.775806',
  '294247-01-10 04:00:54.775807',
  '294247-01-10 04:00:54.775808',
  '294276-12-31 23:59:59.999999',
  'infinity',
  '-infinity',
];
/** 64 bits of microseconds from 1970 end at .775807, which stands for infinity. */
const TOO_LATE = [
  '294247-01-10 04:00:54.775807',
  '294247-01-10 04:00:54.775808',
  '294276-12-31 23:59:59.999999',
];

const TIMES: TypeCase[] = [
  { type: 'date', lake: 'date', values: DATES },
  {
    type: 'time',
    lake: 'time',
    values: ['00:00:00', '24:00:00', '23:59:59.999999', '00:00:00.000001', '12:34:56.1', '01:02:03.45'],
  },
  { type: 'time(0)', lake: 'time', values: ['12:34:56', '24:00:00'] },
  {
    type: 'timetz',
    lake: 'utf8',
    values: ['00:00:00+15:59:59', '24:00:00-15:59', '12:00:00.000001+05:30', '23:59:59.999999+00'],
  },
  { type: 'timestamp', lake: 'timestamp', values: MOMENTS, rule: nullOf(...TOO_LATE) },
  { type: 'timestamp(0)', lake: 'timestamp', values: ['2026-07-24 01:05:23', 'infinity'] },
  {
    type: 'timestamptz',
    lake: 'timestamptz',
    values: MOMENTS.map((text) =>
      text.replace(/( BC)?$/, (era) => (text.includes('infinity') ? '' : `+00${era}`)),
    ),
    rule: nullOf(...TOO_LATE.map((text) => `${text}+00`)),
  },
  {
    type: 'timestamptz(3)',
    lake: 'timestamptz',
    values: ['2026-07-24 01:05:23.118+05:45', '2026-07-24 01:05:23.1-03:30'],
  },
  {
    type: 'interval',
    lake: 'utf8',
    values: [
      '1 year 2 mons -3 days 04:05:06.789001',
      '-178000000 years',
      '178000000 years',
      '0',
      '-00:00:00.000001',
      'infinity',
      '-infinity',
      '1000000 hours',
    ],
  },
  { type: 'interval hour to minute', lake: 'utf8', values: ['26:10', '-00:01'] },
  { type: 'interval(2)', lake: 'utf8', values: ['1.23 seconds'] },
];

const OTHERS: TypeCase[] = [
  {
    type: 'inet',
    lake: 'utf8',
    values: ['192.168.0.1', '10.0.0.0/8', '10.1.2.3/32', '::1', 'fe80::1/64', '::ffff:1.2.3.4'],
  },
  { type: 'cidr', lake: 'utf8', values: ['192.168.0.1', '10.0.0.0/8', '::/0', '::1'] },
  { type: 'macaddr', lake: 'utf8', values: ['08:00:2b:01:02:03', 'ff:ff:ff:ff:ff:ff'] },
  { type: 'macaddr8', lake: 'utf8', values: ['08:00:2b:01:02:03:04:05'] },
  { type: 'bit(1)', lake: 'utf8', values: ['0', '1'] },
  { type: 'bit(9)', lake: 'utf8', values: ['101010101', '000000000'] },
  { type: 'varbit', lake: 'utf8', values: ['', '1', '0000000000000000000000000000000001'] },
  { type: 'point', lake: 'utf8', values: ['(1,-0)', '(0.1,1e+300)', '(Infinity,NaN)'] },
  { type: 'line', lake: 'utf8', values: ['{1,-1,0.1}'] },
  { type: 'lseg', lake: 'utf8', values: ['[(0,0),(1,1)]'] },
  { type: 'box', lake: 'utf8', values: ['(2,2),(0,0)'] },
  { type: 'path', lake: 'utf8', values: ['[(0,0),(1,1)]', '((0,0),(1,1))'] },
  { type: 'polygon', lake: 'utf8', values: ['((0,0),(1,1),(1,0))'] },
  { type: 'circle', lake: 'utf8', values: ['<(0.1,2),3>'] },
  { type: 'pg_lsn', lake: 'utf8', values: ['0/0', 'FFFFFFFF/FFFFFFFF'] },
  { type: 'pg_snapshot', lake: 'utf8', values: ['10:20:10,14,15'] },
  { type: 'txid_snapshot', lake: 'utf8', values: ['10:20:10,14,15'] },
  { type: 'xid', lake: 'utf8', values: ['0', '4294967295'] },
  { type: 'xid8', lake: 'utf8', values: ['18446744073709551615'] },
  { type: 'cid', lake: 'utf8', values: ['4294967295'] },
  { type: 'tid', lake: 'utf8', values: ['(4294967295,65535)'] },
  { type: 'regclass', lake: 'utf8', values: ['pg_class'] },
  { type: 'regtype', lake: 'utf8', values: ['"char"', 'numeric'] },
  { type: 'regproc', lake: 'utf8', values: ['pg_catalog.now', '-'] },
  { type: 'aclitem', lake: 'utf8', values: ['postgres=r*w/postgres'] },
  { type: 'refcursor', lake: 'utf8', values: ['', 'a b'] },
  { type: 'int2vector', lake: 'utf8', values: ['', '1 -2 3'] },
  { type: 'oidvector', lake: 'utf8', values: ['', '1 4294967295'] },
  { type: 'int4range', lake: 'utf8', values: ['empty', '[1,5)', '(,)', '[1,)'] },
  { type: 'int8range', lake: 'utf8', values: ['[-9223372036854775808,9223372036854775807)'] },
  { type: 'numrange', lake: 'utf8', values: ['[1.10,2.20]', '(,0.00]'] },
  { type: 'daterange', lake: 'utf8', values: ['[2024-02-29,infinity)', '["0044-03-15 BC",2024-01-01)'] },
  { type: 'tsrange', lake: 'utf8', values: ['["2024-01-01 00:00:00.000001","2024-01-02 00:00:00"]'] },
  { type: 'tstzrange', lake: 'utf8', values: ['["2024-01-01 00:00:00.000001+00",)', '[-infinity,infinity]'] },
  { type: 'int4multirange', lake: 'utf8', values: ['{}', '{[1,3),[5,8)}'] },
  { type: 'tstzmultirange', lake: 'utf8', values: ['{["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00"]}'] },
  { type: 'floatrange', lake: 'utf8', values: ['[0.1,NaN]'] },
];

const ARRAYS: TypeCase[] = [
  {
    type: 'int4[]',
    lake: 'json',
    values: [
      '{}',
      '{1,NULL,-3}',
      '{{1,2},{3,NULL}}',
      '{{{1},{2}},{{3},{4}}}',
      '[0:2]={1,2,3}',
      '[-1:0][2:3]={{1,2},{3,4}}',
      '{NULL}',
      '{2147483647}',
    ],
    rule: arrayJson(number),
  },
  { type: 'int4[3][3]', lake: 'json', values: ['{1}', '{{1,2,3,4}}'], rule: arrayJson(number) },
  {
    type: 'int8[]',
    lake: 'json',
    values: ['{9223372036854775807,-9223372036854775808}'],
    rule: arrayJson(number),
  },
  {
    type: 'text[]',
    lake: 'json',
    values: [
      '{}',
      '{"",NULL,"NULL","a,b","{}","\\"","\\\\","line\nend","😀"}',
      '{{a,b},{c,NULL}}',
      '{{{a}},{{"x y"}}}',
    ],
    rule: arrayJson(word),
  },
  { type: 'varchar(3)[]', lake: 'json', values: ['{abc,"  "}'], rule: arrayJson(word) },
  { type: 'bool[]', lake: 'json', values: ['{t,f,NULL}'], rule: arrayJson(bool) },
  {
    type: 'numeric[]',
    lake: 'json',
    values: ['{1.10,NaN,Infinity,-0.001,123456789012345678901234567890.123456789}'],
    rule: arrayJson(number),
  },
  { type: 'numeric(10,2)[]', lake: 'json', values: ['{1.1,99999999.99}'], rule: arrayJson(number) },
  { type: 'float8[]', lake: 'json', values: ['{0.1,NaN,-Infinity,1e-323,-0}'], rule: arrayJson(number) },
  { type: 'real[]', lake: 'json', values: ['{0.1,3.4028235e+38}'], rule: arrayJson(number) },
  {
    type: 'timestamptz[]',
    lake: 'json',
    values: [
      '{"2024-01-01 00:00:00.000001+00",infinity,NULL,"294276-12-31 23:59:59.999999+00"}',
      '{{"0044-03-15 12:00:00+00 BC"}}',
    ],
    rule: arrayJson(moment),
  },
  {
    type: 'timestamp[]',
    lake: 'json',
    values: ['{"2024-01-01 00:00:00.000001",-infinity}'],
    rule: arrayJson(moment),
  },
  {
    type: 'date[]',
    lake: 'json',
    values: ['{2024-02-29,infinity,"0044-03-15 BC",5874897-12-31}'],
    rule: arrayJson(word),
  },
  { type: 'time[]', lake: 'json', values: ['{24:00:00,00:00:00.000001}'], rule: arrayJson(word) },
  { type: 'interval[]', lake: 'json', values: ['{"1 day 00:00:00.000001",infinity}'], rule: arrayJson(word) },
  { type: 'bytea[]', lake: 'json', values: ['{"\\\\x00ff",""}'], rule: arrayJson(word) },
  { type: 'uuid[]', lake: 'json', values: ['{00112233-4455-6677-8899-aabbccddeeff}'], rule: arrayJson(word) },
  {
    type: 'json[]',
    lake: 'json',
    values: ['{"{\\"a\\": 1.10}",NULL,"null"}'],
    rule: arrayJson((text) => text),
  },
  { type: 'jsonb[]', lake: 'json', values: ['{"[1, 2]"}'], rule: arrayJson((text) => text) },
  { type: 'inet[]', lake: 'json', values: ['{10.0.0.1,10.0.0.0/8}'], rule: arrayJson(word) },
  { type: 'money[]', lake: 'json', values: ['{$1.50}'], rule: arrayJson(word) },
  { type: 'int4range[]', lake: 'json', values: ['{"[1,5)",empty}'], rule: arrayJson(word) },
  { type: 'tsvector[]', lake: 'json', values: [`{"'a':1"}`], rule: arrayJson(word) },
  { type: 'int2vector[]', lake: 'json', values: ['{"1 2"}'], rule: () => '[[1,2]]' },
  { type: 'hstore[]', lake: 'json', values: ['{"\\"a\\"=>\\"1\\""}'], rule: () => '[{"a": "1"}]' },
  { type: 'mood[]', lake: 'json', values: ['{sad,""}'], rule: arrayJson(word) },
  { type: 'amount2[]', lake: 'json', values: ['{1.500,NULL}'], rule: arrayJson(number) },
  {
    type: 'pair[]',
    lake: 'json',
    values: ['{"(1,a,)",NULL}'],
    rule: () => '[{"n":1,"Label, odd":"a","at":null},null]',
  },
];

const OWN: TypeCase[] = [
  { type: 'mood', lake: 'utf8', values: ['sad', '', 'O\'Brien "✓" 😀', 'a,b {} \\ '] },
  { type: '"Odd Schema"."odd.type ""x"""', lake: 'utf8', values: ['NULL', 'null'] },
  {
    type: 'pair',
    lake: 'json',
    values: ['(1,"a ""b"" \\\\ 😀","2024-01-01 00:00:00.000001+00")', '(,,)'],
    rule: (text) =>
      text === '(,,)'
        ? '{"n":null,"Label, odd":null,"at":null}'
        : '{"n":1,"Label, odd":"a \\"b\\" \\\\ 😀","at":"2024-01-01T00:00:00.000001+00:00"}',
  },
  {
    type: 'nested',
    lake: 'json',
    values: ['("(7,,)","{1,NULL}")'],
    rule: () => '{"p":{"n":7,"Label, odd":null,"at":null},"list":[1,null]}',
  },
  { type: 'positive', lake: 'int32', values: ['1', '2147483647'] },
  { type: 'amount', lake: 'decimal(12,3)', values: ['999999999.999', '-0.001', 'NaN'], rule: nullOf('NaN') },
  { type: 'amount2', lake: 'decimal(12,3)', values: ['999999.999'] },
  { type: 'amount3', lake: 'decimal(12,3)', values: ['-999999999.999'] },
  { type: '"Odd Schema".wide', lake: 'utf8', values: ['1.50', `${'9'.repeat(48)}.99`] },
  { type: 'code', lake: 'utf8', values: ['ab', 'abc'] },
  { type: 'feeling', lake: 'utf8', values: ['sad', ''] },
  { type: 'numbers', lake: 'json', values: ['{{1,NULL}}'], rule: arrayJson(number) },
  { type: 'moment', lake: 'timestamptz', values: ['2026-07-24 01:05:23.118+00', '-infinity'] },
  { type: 'couple', lake: 'json', values: ['(1,,)'], rule: () => '{"n":1,"Label, odd":null,"at":null}' },
  { type: 'doc', lake: 'json', values: ['{"a": 1}'] },
  { type: 'raw', lake: 'binary', values: ['\\x00ff'] },
  { type: 'ident', lake: 'uuid', values: ['00112233-4455-6677-8899-aabbccddeeff'] },
  { type: 'span', lake: 'utf8', values: ['[1,5)'] },
  { type: 'dozen', lake: 'utf8', values: ['twelve bytes'] },
];

export const CASES: readonly TypeCase[] = [...NUMBERS, ...STRINGS, ...TIMES, ...OTHERS, ...ARRAYS, ...OWN];
