/** Names that a server takes and that quoting, folders, views or objects of JavaScript may stumble over. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { streamName } from '../../src/connectors/shared/stream-name.ts';
import { duckName } from '../../src/duckdb/types.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { expectInside, expectSame, type Loaded } from './compare.ts';
import { mustFail } from '../faults/expect.ts';
import { checkedStreams } from './project.ts';

const LONG = 'a name of sixty-three bytes that only its very last tells …';

/** None has more than 63 bytes. NUL is the one character that no name of the server can have. */
const NAMES = [
  `it's`,
  `"quoted"`,
  '"',
  `''`,
  '`tick`',
  'with space',
  ' before',
  'after ',
  ' ',
  'line\nbreak',
  'car\rriage',
  'tab\there',
  '\u0001\u001b[31m',
  '\u007f',
  '\u00a0',
  '\u200b',
  '\ufeffmark',
  '\u00e9',
  'e\u0301',
  'עברית',
  '\u202eevil',
  '漢字',
  '🎣',
  '👩‍👩‍👧',
  'ﬁ',
  'ß',
  'İ',
  '\u212a',
  'select',
  'table',
  'user',
  'order by',
  'null',
  'NaN',
  '.',
  '..',
  'a.b',
  '.a',
  'b.',
  '_sluice',
  '_',
  'CON',
  'nul.txt',
  'per%cent',
  '%2F',
  '%2e%2e',
  '100%',
  'sl/ash',
  '../up',
  '/',
  'back\\slash',
  'C:\\',
  'st*r',
  'co:lon',
  'pi|pe',
  'q?mark',
  '[a-z]',
  '{b,c}',
  '${HOME}',
  '$1',
  ';--',
  '/* */',
  '#',
  '~',
  '-rf',
  '=',
  'a=b',
  '(x)',
  '@',
  '0',
  '1e5',
  '-0',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'column0',
  'rowid',
  'filename',
  'year',
  'c0',
  'old',
  'new',
  `${LONG}1`,
  `${LONG}2`,
];

/** Pairs that are one name for whoever ignores capitals, among them DuckDB. */
const TWINS = ['a', 'A', 'Ünï', 'ünï', 'a_1'];

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** One table with all of them as columns, loaded in each way; the odd ones are key, cursor and partition as well. */
async function asColumns(arena: Arena): Promise<void> {
  const names = [...NAMES, ...TWINS];
  const [key, cursor, part] = ['"quoted"', 'line\nbreak', '../up'];
  const types = new Map([
    [key, 'int PRIMARY KEY'],
    [cursor, 'timestamptz'],
  ]);
  const definitions = names.map((name) => `${quote(name)} ${types.get(name) ?? 'text'}`);
  const values = names.map((name, i) =>
    name === key
      ? 'g'
      : name === cursor
        ? `now() - interval '2 hours'`
        : name === part
          ? `'p' || g % 2`
          : `'${i} ' || g`,
  );
  const pair = await arena.open(
    {},
    `CREATE TABLE t (${definitions.join(', ')}); INSERT INTO t SELECT ${values.join(', ')} FROM generate_series(1, 20) g`,
  );
  const sql = 'SELECT * FROM public.t';
  const partition = { column: part, by: 'value' } as const;
  pair.streams = checkedStreams({
    'public.t': { load: 'replace' },
    merged: { sql, table: 'merged', load: 'merge', key, cursor, overlap: '1 s', partition_by: partition },
    appended: { sql, table: 'appended', load: 'append', key: [key, '\u202eevil'], cursor },
  });
  const all = ['t', 'merged', 'appended'].map((table): Loaded => ({ table, from: 'public.t' }));
  await pair.run();
  await expectSame(arena, pair, all);
  await pair.from.query(
    `UPDATE t SET ${quote('__proto__')} = 'changed', ${quote(part)} = 'sl/ash', ${quote(cursor)} = now() WHERE ${quote(key)} % 3 = 0`,
  );
  await pair.run();
  await expectSame(arena, pair, all);
  expectInside(pair, ['t', 'merged', 'appended']);
}

/** One table for each of them, and schemas that are called so; then as streams without a table of their own. */
async function asTables(arena: Arena): Promise<void> {
  // Each table takes a moment.
  const names = [...NAMES, ...TWINS].filter(() => !arena.brief || arena.random.chance(0.1));
  const schemas = ['public', 'Sche"ma ✓', '..', 'per%cent'];
  const tables = names.map((name, i) => ({ schema: schemas[i % schemas.length]!, name, lake: `t_${i}` }));
  const sql = tables.map(
    ({ schema, name }, i) =>
      `CREATE TABLE ${quote(schema)}.${quote(name)} (id int PRIMARY KEY, v text); INSERT INTO ${quote(schema)}.${quote(name)} VALUES (${i}, 'x')`,
  );
  const create = schemas.slice(1).map((schema) => `CREATE SCHEMA ${quote(schema)}`);
  const pair = await arena.open({}, [...create, ...sql].join(';'));
  pair.streams = checkedStreams(
    Object.fromEntries(
      tables.map(({ schema, name, lake }) => [streamName(schema, name), { load: 'replace', table: lake }]),
    ),
  );
  await pair.run();
  await expectSame(
    arena,
    pair,
    tables.map(({ schema, name, lake }) => ({ table: lake, from: `${quote(schema)}.${quote(name)}` })),
  );
  expectInside(
    pair,
    tables.map(({ lake }) => lake),
  );
}

/** What the tables are called when nobody says: letters and digits stay, and two that come to the same are refused. */
async function withoutNames(arena: Arena): Promise<void> {
  const fine = ['ﬁ', 'ß', '漢字', 'with space', 'select', '../up', `${LONG}1`];
  const same: [string, string][] = [
    ['a b', 'a.b'],
    ['T', 't'],
    ['\u00e9', '\u00c9'],
    ['e?', 'e*'],
  ];
  const sql = [...fine, ...same.flat()].map(
    (name) => `CREATE TABLE ${quote(name)} (${quote(name)} int); INSERT INTO ${quote(name)} VALUES (1)`,
  );
  const pair = await arena.open({}, sql.join(';'));
  for (const twins of arena.brief ? same.slice(0, 2) : same) {
    pair.streams = checkedStreams(Object.fromEntries(twins.map((name) => [streamName('public', name), {}])));
    arena.tally.faults++;
    const expected = twins.map((name) => streamName('public', name));
    await mustFail(pair, { codes: ['config.streams'], names: expected });
  }
  pair.streams = checkedStreams(Object.fromEntries(fine.map((name) => [streamName('public', name), {}])));
  const report = await pair.attempt();
  const failed = report.streams.find(({ error }) => error);
  if (failed) throw new Error(`${failed.stream}: ${failed.error!.message}`);
  const loaded = report.streams.map(({ table }, i): Loaded => ({ table, from: quote(fine[i]!) }));
  await expectSame(arena, pair, loaded);
  await viaCommands(arena, pair, loaded);
}

const COMMAND = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The commands themselves, for names that a shell and a terminal have to pass on. */
async function viaCommands(arena: Arena, pair: Pair, tables: readonly Loaded[]): Promise<void> {
  const sluice = async (...args: string[]): Promise<string> =>
    (
      await promisify(execFile)(process.execPath, [COMMAND, 'catalog', ...args, '--lake', pair.to.root], {
        cwd: path.join(pair.folder),
      })
    ).stdout;
  const listed = await sluice('tables', '--format', 'csv');
  for (const { table } of arena.brief ? tables.slice(-1) : tables) {
    if (!listed.includes(table)) throw new Error(`sluice catalog tables does not list ${table}`);
    if (!(await sluice('describe', table)).includes(table))
      throw new Error(`describe does not name ${table}`);
    const found = await sluice('query', `SELECT count(*) AS n FROM ${duckName(table)}`, '--format', 'json');
    if (found !== '{"n":1}\n') throw new Error(`sluice catalog query of ${table} gives ${found}`);
  }
}

async function run(arena: Arena): Promise<string> {
  await asColumns(arena);
  await asTables(arena);
  await withoutNames(arena);
  return 'works; two that would share a table: config.streams';
}

export const NAMES_ATTACK: Attack = {
  name: 'names',
  part: 'hostile',
  promise: 'any-data',
  tries:
    'Schemas, tables, columns, keys, cursors and partitions are called by quotes, blanks, line ends, control characters, wildcards, paths, reserved words, properties of JavaScript, names that differ in capitals or in how an accent is written, and names of 63 bytes that differ in the last',
  rounds: 1,
  brief: true,
  run,
};
