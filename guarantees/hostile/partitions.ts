/** Values of partitions become names of folders; no value may lead out of the folder of its table or become another one. */
import type { PartitionBy } from '../../src/core/stream.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Streams } from '../pair.ts';
import { expectInside, expectSame } from './compare.ts';
import { checkedStreams } from './project.ts';

const TEXTS = [
  'plain',
  'Plain',
  'a/b',
  '../up',
  '../../../../escape',
  '/etc',
  '.',
  '..',
  '%2F',
  '%2e%2e',
  'a%2Fb',
  '%',
  '',
  ' ',
  '   ',
  '\n',
  'line\nbreak',
  '\t',
  '__HIVE_DEFAULT_PARTITION__',
  '__hive_default_partition__',
  'NULL',
  'null',
  '_',
  '_sluice',
  'x'.repeat(300),
  `${'x'.repeat(299)}y`,
  '\u00e9',
  'e\u0301',
  'עברית',
  '🎣',
  '\ufeffmark',
  'mark',
  '=',
  'a=b',
  `'`,
  '"',
  '\\',
  'C:\\x',
  '*',
  '?',
  '[a]',
  '{}',
  '~',
  '#',
  '\u0001',
  'trailing.',
  'trailing ',
];

const MOMENTS = [
  '4713-01-01 00:00:00+00 BC',
  '0001-12-31 23:59:59.999999+00 BC',
  '0001-01-01 00:00:00+00',
  '1582-10-04 12:00:00+00',
  '1582-10-15 00:00:00+00',
  '1969-12-31 23:59:59.999999+00',
  '1970-01-01 00:00:00+00',
  '2026-03-29 01:59:59.999999+01',
  '2026-03-29 03:00:00+02',
  '2026-10-25 02:30:00+02',
  '2026-10-25 02:30:00+01',
  '9999-12-31 23:59:59.999999+00',
  '10000-01-01 00:00:00+00',
  '294246-12-31 23:59:59+00',
  'infinity',
  '-infinity',
];

const DAYS = [
  '4713-01-01 BC',
  '0001-12-31 BC',
  '0001-01-01',
  '1582-10-10',
  '9999-12-31',
  '10000-01-01',
  '5874897-12-31',
  'infinity',
  '-infinity',
];
const NUMBERS = [
  '1e300',
  '-0',
  '0',
  'NaN',
  'infinity',
  '-infinity',
  '4.9e-324',
  '0.1',
  '100000000000000000000',
];
const DECIMALS = ['99999999999999999999.999', '-0.001', '0', '1000'];

function rows(table: string, type: string, values: readonly string[]): string {
  const list = [...values, ...values.slice(0, 3)]
    .map((value) => `('${value.replaceAll("'", "''")}')`)
    .join(', ');
  return `
    CREATE TABLE ${table} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, p ${type}, v text DEFAULT 'x', at timestamptz DEFAULT now() - interval '2 hours');
    INSERT INTO ${table} (p) VALUES ${list}, (NULL), (NULL);`;
}

const TABLES: Readonly<
  Record<string, { type: string; values: readonly string[]; by: readonly PartitionBy['by'][] }>
> = {
  texts: { type: 'text', values: TEXTS, by: ['value'] },
  instants: { type: 'timestamptz', values: MOMENTS, by: ['value', 'hour'] },
  moments: { type: 'timestamp', values: MOMENTS.map((text) => text.replace(/[+]0\d/, '')), by: ['day'] },
  days: { type: 'date', values: DAYS, by: ['value', 'month'] },
  numbers: { type: 'float8', values: NUMBERS, by: ['value'] },
  decimals: { type: 'numeric(23,3)', values: DECIMALS, by: ['value'] },
  flags: { type: 'bool', values: ['t', 'f'], by: ['value'] },
  bytes: { type: 'bytea', values: ['\\x', '\\x00', '\\x2f2e2e2f', '\\xff'], by: ['value'] },
};

function streamsOf(chosen: readonly (readonly [string, (typeof TABLES)[string]])[], load: string): Streams {
  const streams = chosen.flatMap(([table, { by }]) =>
    by.map((each) => {
      const options = { sql: `SELECT * FROM ${table}`, table: `${table}_${each}`, key: 'id', load };
      const cursor = load === 'replace' ? {} : { cursor: 'at' };
      return [
        `${table} by ${each}`,
        { ...options, ...cursor, partition_by: { column: 'p', by: each } },
      ] as const;
    }),
  );
  return checkedStreams(Object.fromEntries(streams));
}

async function run(arena: Arena): Promise<string> {
  const chosen = Object.entries(TABLES).filter(
    ([name]) => !arena.brief || ['texts', 'instants', 'days'].includes(name),
  );
  const sql = chosen.map(([table, { type, values }]) => rows(table, type, values));
  const tables = chosen.flatMap(([from, { by }]) => by.map((each) => ({ table: `${from}_${each}`, from })));
  for (const load of arena.brief ? (['merge'] as const) : (['merge', 'append', 'replace'] as const)) {
    const pair = await arena.open(streamsOf(chosen, load), sql.join('\n'));
    // Deep enough that what climbs out of the lake is still found.
    pair.to.connection = { type: 'lake', path: './deep/er/lake' };
    await pair.run();
    await expectSame(arena, pair, tables);
    for (const { from } of tables)
      await pair.from.query(`UPDATE ${from} SET v = 'changed', at = now() WHERE id % 4 = 0`);
    await pair.run();
    await expectSame(arena, pair, tables);
    expectInside(
      pair,
      tables.map(({ table }) => table),
    );
    await expectPartitions(pair);
  }
  return 'works';
}

/** Each value has a partition of its own, under its own name. */
async function expectPartitions(pair: Awaited<ReturnType<Arena['open']>>): Promise<void> {
  const files = (await pair.to.state('texts_value'))!.files;
  const found = new Set(files.map(({ partition }) => partition['p'] ?? null));
  const missing = [...TEXTS, null].filter((value) => !found.has(value));
  if (missing.length > 0) throw new Error(`no partition is called ${JSON.stringify(missing)}`);
  const folders = new Set(files.map(({ key }) => key.slice(0, key.lastIndexOf('/'))));
  if (folders.size !== TEXTS.length + 1)
    throw new Error(`${TEXTS.length + 1} partitions share ${folders.size} folders`);
}

export const PARTITIONS: Attack = {
  name: 'partitions',
  part: 'hostile',
  promise: 'any-data',
  tries:
    'Tables are partitioned by texts with slashes, `../`, `%2F`, line ends, only blanks or nothing, by 300 characters, by the very name that stands for NULL, by floats, by dates before Christ and after 9999, by infinity, and by the hours around a change to summer time',
  rounds: 1,
  brief: true,
  run,
};
