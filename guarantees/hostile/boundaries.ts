/** Values at the ends of what types hold, on both sides of where calendars, formats and other programs have theirs. */
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { expectSame, type Loaded } from './compare.ts';
import { checkedStreams } from './project.ts';

interface Case {
  type: string;
  values: readonly string[];
  /** Values that the lake has no place for: they become NULL and are counted. */
  changed?: readonly string[];
}

const DAYS = [
  '4713-11-24 BC',
  '0001-12-31 BC',
  '0001-01-01',
  '1582-10-04',
  '1582-10-05',
  '1582-10-14',
  '1582-10-15',
  '1900-02-28',
  '1969-12-31',
  '1970-01-01',
  '2000-02-29',
  '9999-12-31',
  '10000-01-01',
  '294247-01-11',
  '5874897-12-31',
  'infinity',
  '-infinity',
];

const TIMES = [
  '4714-11-24 00:00:00 BC',
  '0001-12-31 23:59:59.999999 BC',
  '0001-01-01 00:00:00',
  '1582-10-10 00:00:00',
  '1677-09-21 00:12:43.145224',
  '1969-12-31 23:59:59.999999',
  '1970-01-01 00:00:00',
  '1970-01-01 00:00:00.000001',
  '1999-12-31 23:59:59.999999',
  '2000-01-01 00:00:00',
  '2026-03-29 02:30:00',
  '2262-04-11 23:47:16.854776',
  '9999-12-31 23:59:59.999999',
  '10000-01-01 00:00:00',
  '294247-01-10 04:00:54.775806',
  'infinity',
  '-infinity',
];
const LATE_TIMES = ['294247-01-10 04:00:54.775807', '294276-12-31 23:59:59.999999'];

/** A float is the whole of its bits: denormals, the least and the greatest, both zeros. */
const DOUBLES = [
  '0',
  '-0',
  '4.9406564584124654e-324',
  '-4.9406564584124654e-324',
  '2.2250738585072009e-308',
  '2.2250738585072014e-308',
  '1.7976931348623157e308',
  '-1.7976931348623157e308',
  '0.1',
  '0.30000000000000004',
  '9007199254740993',
  '1e15',
  '1e16',
  '1e17',
  '123456789012345680',
  'NaN',
  'infinity',
  '-infinity',
];
const REALS = [
  '0',
  '-0',
  '1.401298464324817e-45',
  '1.1754942e-38',
  '1.17549435e-38',
  '3.4028235e38',
  '-3.4028235e38',
  '0.1',
  '16777217',
  '1e7',
  '1e10',
  'NaN',
  'infinity',
  '-infinity',
];

const DIGITS = '1234567890'.repeat(100);

const CASES: Readonly<Record<string, Case>> = {
  day: { type: 'date', values: DAYS },
  moment: { type: 'timestamp', values: TIMES, changed: LATE_TIMES },
  instant: {
    type: 'timestamptz',
    values: TIMES.map((text) => (/inf/.test(text) ? text : text.replace(/( BC)?$/, '+00$1'))),
    changed: LATE_TIMES.map((text) => `${text}+00`),
  },
  instant_zone: {
    type: 'timestamptz',
    values: [
      '2026-10-25 02:30:00+02',
      '2026-10-25 02:30:00+01',
      '2026-01-01 00:00:00+15:59:59',
      '1883-11-18 12:03:58-04:56:02',
    ],
  },
  time: { type: 'time', values: ['00:00:00', '23:59:59.999999', '24:00:00', '00:00:00.000001'] },
  time_zone: { type: 'timetz', values: ['00:00:00+15:59', '24:00:00-15:59', '23:59:59.999999-15:59:59'] },
  span: {
    type: 'interval',
    values: [
      '178000000 years',
      '-178000000 years',
      '-1 year +2 mons -3 days +04:05:06.789',
      '2562047788:00:54.775807',
      '0',
      '1 mon -1 day',
      '00:00:00.000001',
      'infinity',
      '-infinity',
    ],
  },
  double: { type: 'float8', values: DOUBLES },
  single: { type: 'float4', values: REALS },
  exact: {
    type: 'numeric',
    values: [
      DIGITS,
      `-${DIGITS}.${DIGITS}`,
      `0.${'0'.repeat(999)}1`,
      '1.000',
      '-0',
      'NaN',
      'Infinity',
      '-Infinity',
      '1e400',
      '1e-400',
    ],
  },
  thousand: { type: 'numeric(1000,0)', values: ['9'.repeat(1000), `-${'9'.repeat(1000)}`, '0'] },
  scale_below: { type: 'numeric(1000,-500)', values: [`1${'0'.repeat(1000)}`, '0', 'NaN'] },
  scale_above: { type: 'numeric(3,500)', values: [`0.${'0'.repeat(497)}123`, '0'] },
  widest: {
    type: 'numeric(38,0)',
    values: ['9'.repeat(38), `-${'9'.repeat(38)}`, '0', '1'],
    changed: ['NaN'],
  },
  fraction: {
    type: 'numeric(38,38)',
    values: [`0.${'9'.repeat(38)}`, `-0.${'0'.repeat(37)}1`],
    changed: ['NaN'],
  },
  eighteen: {
    type: 'numeric(18,9)',
    values: ['999999999.999999999', '-999999999.999999999', '0.000000001'],
    changed: ['NaN'],
  },
  rounded: { type: 'numeric(5,-3)', values: ['99999000', '-1000', '499'], changed: ['NaN'] },
  money: { type: 'money', values: ['92233720368547758.07', '-92233720368547758.08', '0.01'] },
  small: { type: 'int2', values: ['32767', '-32768'] },
  whole: { type: 'int4', values: ['2147483647', '-2147483648'] },
  big: { type: 'int8', values: ['9223372036854775807', '-9223372036854775808', '9007199254740993'] },
  oid: { type: 'oid', values: ['0', '4294967295'] },
  bits: { type: 'varbit', values: ['', '0', '1'.repeat(1000)] },
  id: {
    type: 'uuid',
    values: [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '80000000-0000-0000-0000-000000000000',
    ],
  },
};

function create([name, { type, values, changed = [] }]: [string, Case]): string {
  const rows = [...values, ...changed].map((value) => `('${value}')`);
  return `
    CREATE TABLE ${name} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v ${type}, n int DEFAULT 1);
    INSERT INTO ${name} (v) VALUES ${rows.join(', ')}, (NULL);`;
}

/** What the server would have to hold for the lake to be right. */
function expected([name, { changed = [] }]: [string, Case]): Loaded {
  if (changed.length === 0) return { table: name, from: name };
  const list = changed.map((value) => `'${value}'`).join(', ');
  return { table: name, from: name, instead: { v: `(CASE WHEN v NOT IN (${list}) THEN v END)` } };
}

async function asValues(arena: Arena): Promise<void> {
  const cases = Object.entries(CASES);
  const pair = await arena.open({}, cases.map(create).join(''));
  for (const load of arena.brief ? ['merge'] : ['merge', 'append', 'replace']) {
    const options = load === 'replace' ? { load } : { load, cursor: 'xmin' };
    pair.to.connection = { type: 'lake', path: `./${load}` };
    pair.streams = checkedStreams(Object.fromEntries(cases.map(([name]) => [`public.${name}`, options])));
    const from = cases.map(expected);
    await runAndCount(arena, pair);
    await expectSame(arena, pair, from);
    if (arena.brief) continue;
    for (const [name] of cases) await pair.from.query(`UPDATE ${name} SET n = n + 1 WHERE id % 2 = 0`);
    await pair.run();
    await expectSame(arena, pair, from);
  }
}

/** Every value that has no place is counted, and no other. */
async function runAndCount(arena: Arena, pair: Pair): Promise<void> {
  const { streams } = await pair.attempt();
  for (const { stream, totals, error } of streams) {
    if (error) throw new Error(`${stream}: ${error.code}: ${error.message}`);
    const changed = CASES[stream.replace('public.', '')]?.changed?.length ?? 0;
    arena.tally.faults += changed;
    if ((totals.coerced['v'] ?? 0) !== changed)
      throw new Error(
        `${stream}: ${changed} values have no place in the lake, ${totals.coerced['v'] ?? 0} were counted`,
      );
  }
}

/** The same values as cursor, twice as many of them in the second load. */
async function asCursors(arena: Arena): Promise<void> {
  const names = ['day', 'moment', 'instant', 'small', 'whole', 'big'];
  const pair = await arena.open(
    {},
    names.map((name) => create([name, { ...CASES[name]!, changed: [] }])).join(''),
  );
  const loads = arena.brief ? ['merge'] : ['merge', 'append'];
  const from = names.flatMap((name) =>
    loads.map((load): Loaded => ({ table: `${name}_${load}`, from: name })),
  );
  pair.streams = checkedStreams(
    Object.fromEntries(
      names.flatMap((name) =>
        loads.map((load) => [
          `${name} ${load}`,
          { sql: `SELECT * FROM ${name}`, table: `${name}_${load}`, key: 'id', load, cursor: 'v' },
        ]),
      ),
    ),
  );
  const load = async (): Promise<void> => {
    const { streams } = await pair.attempt();
    for (const { stream, error } of streams)
      if (error) throw new Error(`${stream}: ${error.code}: ${error.message}`);
    await expectSame(arena, pair, from);
  };
  await load();
  await load();
  // Integers tell of new rows only above those that were read.
  for (const name of ['day', 'moment', 'instant'])
    await pair.from.query(`INSERT INTO ${name} (v) VALUES ('infinity'), (NULL), (now()), ('infinity')`);
  for (const name of ['small', 'whole', 'big'])
    await pair.from.query(`INSERT INTO ${name} (v) SELECT max(v) FROM ${name}`);
  await load();
}

async function run(arena: Arena): Promise<string> {
  await asValues(arena);
  if (!arena.brief) await asCursors(arena);
  return 'works; what the lake has no place for is NULL and counted';
}

export const BOUNDARIES: Attack = {
  name: 'boundaries',
  part: 'hostile',
  promise: 'exact-values',
  tries:
    'Dates and times before Christ, around 1582, 1970, 9999 and 294276, infinite, or at 24:00; denormals, both zeros, numerics of 1,000 digits, with scales from -500 to 500, NaN and infinities: as values and, where they can be, as cursors',
  rounds: 1,
  brief: true,
  run,
};
