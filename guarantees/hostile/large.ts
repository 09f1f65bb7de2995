/** Values of hundreds of megabytes and rows that are much wider than those before them. */
import type { RunOptions } from '../../src/engine/types.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { parseSize } from '../../src/core/units.ts';
import type { Arena, Attack } from '../attack.ts';
import { errorOf, expectError } from '../faults/expect.ts';
import type { Pair } from '../pair.ts';
import { expectSame } from './compare.ts';
import { checkedStreams } from './project.ts';

const SMALL_ROWS = `
  CREATE TABLE t (id int PRIMARY KEY, before text, v VALUE, after text, part int DEFAULT 1, at timestamptz DEFAULT now());
  INSERT INTO t SELECT g, 'x', NULL, 'y' FROM generate_series(1, 3000) g;`;
const MEBIBYTES = (count: number, seed: string): string => `repeat(md5(${seed}), ${count} * 32768)`;

/** Type, value, and the column that the error has to name. */
const VALUES = [
  { type: 'text', value: MEBIBYTES(200, `'t'`), column: 'v' },
  { type: 'bytea', value: `decode(${MEBIBYTES(400, `'b'`)}, 'hex')`, column: 'v' },
  { type: 'jsonb', value: `jsonb_build_object('a', ${MEBIBYTES(200, `'j'`)})`, column: 'v' },
] as const;

async function hugeValues(arena: Arena): Promise<string> {
  for (const { type, value, column } of VALUES) {
    arena.say(type);
    const insert = `INSERT INTO t VALUES (4000, 'x', ${value}, 'y'); INSERT INTO t SELECT g, 'x', NULL, 'y' FROM generate_series(5000, 6000) g;`;
    await meetLarge(arena, { type, insert, column, options: {} });
  }
  // None is too large for itself.
  const several = `INSERT INTO t VALUES (4000, ${MEBIBYTES(50, `'a'`)}, ${MEBIBYTES(55, `'b'`)}, ${MEBIBYTES(50, `'c'`)})`;
  await meetLarge(arena, { type: 'text', insert: several, column: 'v', options: {} });
  const two = `INSERT INTO t SELECT 4000 + g, 'x', ${MEBIBYTES(40, 'g::text')}, 'y', g FROM generate_series(1, 2) g`;
  const partition_by = { column: 'part', by: 'value' } as const;
  await meetLarge(arena, { type: 'text', insert: two, column: 'v', options: { partition_by } });
  await meetLarge(arena, { type: 'text', insert: two, column: 'v', options: {}, changed: true });
  return 'data.row_too_large, works with the memory it asks for';
}

interface Large {
  type: string;
  insert: string;
  column: string;
  options: StreamOptions;
  /** The large rows come with a second load, and are compared with the table. */
  changed?: boolean;
}

/** Refused by name with nothing visible, and loaded with exactly the budget that the error asks for. */
async function meetLarge(arena: Arena, { type, insert, column, options, changed }: Large): Promise<void> {
  const pair = await arena.open(
    checkedStreams({ 'public.t': { load: 'merge', cursor: 'at', ...options } }),
    SMALL_ROWS.replace('VALUE', type),
  );
  if (changed) {
    await pair.run();
    await pair.from.query(`UPDATE t SET at = clock_timestamp() WHERE id = 1`);
  }
  await pair.from.query(insert);
  const before = await pair.to.state('t');
  const { memory, workers } = await expectRefusal(arena, pair, column);
  if ((await pair.to.state('t'))?.version !== before?.version) throw new Error('something of it is visible');
  pair.memoryBytes = memory;
  const error = await errorOf(pair, { workers });
  if (error)
    throw new Error(
      `${type} does not load with ${memory} bytes, as was said: ${error.code}: ${error.message}`,
    );
  await expectSame(arena, pair, [{ table: 't', from: 't' }]);
  if (type !== 'text') return;
  await pair.from.query(`UPDATE t SET at = now() WHERE id < 10`);
  await mustLoad(pair, { workers });
  await expectSame(arena, pair, [{ table: 't', from: 't' }]);
}

async function expectRefusal(
  arena: Arena,
  pair: Pair,
  column: string,
): Promise<{ memory: number; workers: number }> {
  arena.tally.faults++;
  const error = await errorOf(pair);
  if (!error) throw new Error('the row was loaded with a budget that it does not fit');
  expectError(error, { codes: ['data.row_too_large'], names: ['"public.t"', `"${column}"`, /\d MB/] });
  const said = /--memory (\S+) --workers (\d)/.exec(error.remedy!);
  if (!said) throw new Error(`no amount of memory is asked for: ${error.remedy}`);
  return { memory: parseSize(said[1]!), workers: Number(said[2]) };
}

async function mustLoad(pair: Pair, options: RunOptions = {}): Promise<void> {
  const error = await errorOf(pair, options);
  if (error) throw new Error(`${error.code}: ${error.message}`);
}

export const HUGE_VALUES: Attack = {
  name: 'huge-values',
  part: 'hostile',
  promise: 'any-data',
  tries:
    'Among small rows there is one with a text, bytea or jsonb of 200 MiB, or with several values of 50 MiB, with the default memory and then with exactly the memory that the error asks for; in a first load, in partitions, and among rows that are compared with the table',
  rounds: 1,
  brief: false,
  run: hugeValues,
};

/** The width of rows is estimated from the first ones, which these prove wrong. */
async function widening(arena: Arena): Promise<string> {
  const rows = [
    [300, 32_768],
    [20_000, 640],
    [100_000, 32],
  ] as const;
  for (const [count, length] of rows) {
    for (const partitioned of [false, true]) {
      arena.say(`${count} rows of ${length * 32} bytes${partitioned ? ' in partitions' : ''}`);
      const partition_by = { column: 'part', by: 'value' } as const;
      const pair = await arena.open(
        checkedStreams({
          'public.t': { load: 'append', cursor: 'at', ...(partitioned && { partition_by }) },
        }),
        `${SMALL_ROWS.replace('VALUE', 'text')}
         INSERT INTO t SELECT 10000 + g, 'x', repeat(md5(g::text), ${length}), 'y', g % 5 FROM generate_series(1, ${count}) g`,
      );
      await mustLoad(pair);
      await expectSame(arena, pair, [{ table: 't', from: 't' }]);
    }
  }
  return 'works';
}

export const WIDENING: Attack = {
  name: 'widening',
  part: 'hostile',
  promise: 'fixed-memory',
  tries:
    'After thousands of rows of a few bytes come hundreds of megabytes in rows of 1 kB, 20 kB and 1 MB, with the default memory, in partitions and without',
  rounds: 1,
  brief: false,
  run: widening,
};

const KINDS = [
  'int',
  'text',
  'numeric(12,2)',
  'timestamptz',
  'bool',
  'float8',
  'date',
  'int2',
  'uuid',
  'bytea',
  'jsonb',
  'int[]',
  'real',
  'numeric',
  'time',
  'varchar(10)',
];

/** Types of fixed size alone would not fit 1,600 into a page of the server; most are NULL in each row. */
async function columns(arena: Arena): Promise<string> {
  const list = Array.from(
    { length: 1599 },
    (_, i) => `"column ${i} with a name of some length" ${KINDS[i % KINDS.length]}`,
  );
  const values = Array.from(
    { length: 1599 },
    (_, i) => `CASE WHEN (g + ${i}) % 7 = 0 THEN ${sample(KINDS[i % KINDS.length]!, i)} END`,
  );
  const pair = await arena.open({}, `CREATE TABLE t (id int PRIMARY KEY, ${list.join(', ')})`);
  await pair.from.query(`INSERT INTO t SELECT g, ${values.join(', ')} FROM generate_series(1, 2500) g`);
  pair.streams = checkedStreams({ 'public.t': { load: 'merge', cursor: 'xmin' } });
  await mustLoad(pair);
  await expectSame(arena, pair, [{ table: 't', from: 't' }]);
  await pair.from.query(
    `UPDATE t SET "column 1598 with a name of some length" = NULL, "column 1 with a name of some length" = 'new' WHERE id % 100 = 0`,
  );
  const merged = await withMoreMemory(arena, pair, 't');
  const partition_by = { column: 'column 4 with a name of some length', by: 'value' } as const;
  pair.streams = checkedStreams({ 'public.t': { load: 'replace', table: 'parts', partition_by } });
  const parted = await withMoreMemory(arena, pair, 'parts');
  return `works; merged: ${merged}; in partitions: ${parted}`;
}

/** Each step of a query holds 2,048 rows of all columns; the more steps, the more of them. */
async function withMoreMemory(arena: Arena, pair: Pair, table: string): Promise<string> {
  const before = (await pair.to.state(table))?.version;
  const given = pair.memoryBytes;
  const error = await errorOf(pair);
  if (error) {
    arena.tally.faults++;
    expectError(error, { codes: ['memory.exhausted'], names: [] });
    if ((await pair.to.state(table))?.version !== before) throw new Error('something of it is visible');
    pair.memoryBytes = 1536 << 20;
    await mustLoad(pair);
    pair.memoryBytes = given;
  }
  await expectSame(arena, pair, [{ table, from: 't' }]);
  return error ? 'memory.exhausted, works with 1.5 GiB' : 'works';
}

function sample(kind: string, i: number): string {
  switch (kind) {
    case 'text':
    case 'varchar(10)':
      return `'t' || g`;
    case 'timestamptz':
      return `to_timestamp(g * ${i + 1})`;
    case 'bool':
      return 'g % 2 = 0';
    case 'date':
      return `date '2000-01-01' + g`;
    case 'uuid':
      return 'md5(g::text)::uuid';
    case 'bytea':
      return `decode(to_hex(g + 4096), 'hex')`;
    case 'jsonb':
      return 'to_jsonb(g)';
    case 'int[]':
      return 'ARRAY[g]';
    case 'time':
      return `time '00:00' + g * interval '1 second'`;
    default:
      return `(g % 30000)::${kind}`;
  }
}

export const COLUMNS: Attack = {
  name: 'columns',
  part: 'hostile',
  promise: 'any-data',
  tries:
    'A table has 1,600 columns, the most that the server allows, of 16 types with long names, and 2,500 rows; it is loaded whole, merged and in partitions, with the default memory',
  rounds: 1,
  brief: false,
  run: columns,
};

async function nulls(arena: Arena): Promise<string> {
  const pair = await arena.open(
    checkedStreams({
      'public.long': { load: 'append', cursor: 'id' },
      'public.wide': { load: 'replace' },
    }),
    `CREATE TABLE long AS SELECT g::int8 AS id, NULL::text AS t, NULL::int AS i, NULL::numeric(30,2) AS n FROM generate_series(1, 10000000) g;
     CREATE TABLE wide (${Array.from({ length: 1600 }, (_, i) => `c${i} ${KINDS[i % KINDS.length]}`).join(', ')});
     INSERT INTO wide (c0) SELECT NULL FROM generate_series(1, 10000)`,
  );
  await mustLoad(pair);
  const sql =
    'SELECT count(*) AS n, count(id) AS ids, count(DISTINCT id) AS different, count(t) + count(i) + count(n) AS others';
  const [lake] = await pair.to.query('long', `${sql} FROM long`);
  const [server] = await pair.from.query(`${sql} FROM long`);
  if (JSON.stringify(lake) !== JSON.stringify(server))
    throw new Error(`the server has ${JSON.stringify(server)}, the lake ${JSON.stringify(lake)}`);
  await expectSame(arena, pair, [{ table: 'wide', from: 'wide' }]);
  return 'works';
}

export const NULLS: Attack = {
  name: 'nulls',
  part: 'hostile',
  promise: 'any-data',
  tries:
    '10 million rows have nothing but NULL beside their number, and 10,000 rows nothing in 1,600 columns',
  rounds: 1,
  brief: false,
  run: nulls,
};
