/** Extreme values of every type, one by one: what `check` says of it is what a run makes of it. */
import { describe, expect, it } from 'vitest';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { type SqlPair, Pair } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide, SqlSide } from '../../guarantees/sides.ts';
import type { StreamDiagnosis } from '../../src/engine/diagnose-types.ts';
import { agree, diagnose } from '../support/diagnosis.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();

/** A type, values of it, and a type that is pinned. */
type Case = [native: string, values: string[], type?: string];

function pinned(native: string, values: string[], types: (string | undefined)[]): Case[] {
  return types.map((type) => (type === undefined ? [native, values] : [native, values, type]));
}

interface Job {
  cases: readonly Case[];
  from: SqlSide;
  to: DestinationSide;
  /** What names of streams begin with. */
  schema: string;
  /** Whether the source itself refuses to read a value: then a run is tried with one of them only. */
  refuses?: (place: { table: string; id: string; type: string }) => Promise<boolean>;
}

/**
 * Looks at all values, gives each that would be refused a table of its own, and runs: every one of these is refused, and of
 * the others as many are changed as was said. `look` is told what was said at first, by table.
 */
async function hold(
  { cases, from, to, schema, refuses }: Job,
  look: (said: StreamDiagnosis[]) => Promise<void> = async () => {},
): Promise<void> {
  await using pair: SqlPair = new Pair<SqlSide, DestinationSide>(from, () => to, {});
  const stream = (table: string, [native, , type]: Case): void => {
    const key = [native.endsWith('UNIQUE') ? 'v' : 'id'];
    const types = type === undefined ? {} : { types: { v: type } };
    pair.streams[`${schema}.${table}`] = { table, load: 'merge', key, ...types };
  };
  for (const [t, each] of cases.entries()) {
    const rows = each[1].map((value, i) => `(${i}, ${value})`).join(', ');
    await from.query(`CREATE TABLE t${t} (id int PRIMARY KEY, v ${each[0]})`);
    await from.query(`INSERT INTO t${t} VALUES ${rows}`);
    stream(`t${t}`, each);
  }
  const said = await diagnose(pair, { limit: 100 });
  expect(said.filter(({ status }) => status === 'unknown' || status === 'failed')).toEqual([]);
  for (const { table, findings } of said) {
    const each = cases[Number(table.slice(1))]!;
    for (const [nth, id] of idsOf(findings.filter(({ fate }) => fate === 'refused')).entries()) {
      if (refuses && nth > 0) {
        const refused = await refuses({ table, id, type: each[2]! });
        expect({ each, id, refused }).toEqual({ each, id, refused: true });
        await from.query(`DELETE FROM ${table} WHERE id = ${id}`);
        continue;
      }
      const one = `${table}r${id}`;
      await from.query(`CREATE TABLE ${one} (id int PRIMARY KEY, v ${each[0]})`);
      await from.query(`INSERT INTO ${one} SELECT * FROM ${table} WHERE id = ${id}`);
      await from.query(`DELETE FROM ${table} WHERE id = ${id}`);
      stream(one, each);
    }
  }
  const again = await agree(pair);
  expect(new Set(again.map(({ status }) => status))).toEqual(new Set(['fits', 'changes', 'refused']));
  await look(said);
}

/** Of rows that have a number for a key. */
function idsOf(findings: StreamDiagnosis['findings']): string[] {
  return findings.flatMap(({ keys }) => keys.flatMap(({ id }) => (typeof id === 'string' ? [id] : [])));
}

const words = (text: string): string[] => text.trim().split(/\s+/);
const texts = (text: string): string[] => words(text).map((word) => `'${word.replaceAll('_', ' ')}'`);

const INTS = words('0 -32768 32767 32768 -32769 2147483647 -2147483648 16777217');
const BIG = [...INTS, ...words('9223372036854775807 -9223372036854775808 9007199254740993')];
const NUMERICS = [
  ...BIG,
  ...words("32767.4 32767.5 -32768.5 99.994 99.995 -99.995 'NaN' 0.001 1e-50 1e300 1e-400 1e308 1.8e308"),
  ...words('9223372036854775807.4 9223372036854775807.5'),
];
const FLOATS = words(
  `0 -32768 32767.4 32767.5 99.994 99.995 'NaN' 'Infinity' '-Infinity' '-0' 0.1 0.001 1e-40 1e-46 16777217 1e300
   3.4028235e38 3.4028236e38 9223372036854774784 9223372036854775808 0.30000000000000004`,
);
const SINGLES = words(`0.1 16777216 'NaN' 'Infinity' 32767.5 99.995 1e30`);
const TEXTS = texts(
  `_12_ 12.345 1e3 NaN x 99999 2026-02-30 2026-02-28 {"a":1} { true 00010203-0405-0607-0809-0a0b0c0d0e0f 1e400`,
);
const DATES = texts(
  `2026-01-01 infinity -infinity 5874897-12-31 294276-12-31 294277-01-01 4714-11-24_BC 0001-12-31_BC 0001-01-01 9999-12-31 10000-01-01`,
);
const MOMENTS = texts(
  `2026-01-01 2026-01-01_00:00:00.000001 infinity -infinity 4714-11-24_00:00:00_BC 0001-12-31_23:59:59.999999_BC 0001-01-01
   9999-12-31_23:59:59.999999 10000-01-01 294247-01-10_04:00:54.775806 294247-01-10_04:00:54.775807 294276-12-31_23:59:59.999999`,
);

const SQL_NAMES: Readonly<Record<string, string>> = {
  int16: 'int2',
  int32: 'int4',
  int64: 'int8',
  float32: 'float4',
  float64: 'float8',
};

it('types that are pinned in PostgreSQL refuse, round and keep values as was said', async () => {
  const cases = [
    ...pinned('int4', INTS, ['int16', 'decimal(4,2)', 'float32', 'bool', 'text']),
    ...pinned('int8', BIG, ['int16', 'int32', 'decimal(18,0)', 'float32', 'float64']),
    ...pinned('numeric', NUMERICS, ['int16', 'int64', 'decimal(4,2)', 'float32', 'float64']),
    ...pinned('float8', FLOATS, ['int16', 'int64', 'decimal(4,2)', 'decimal(30,10)', 'float32']),
    ...pinned('float4', SINGLES, ['int16', 'decimal(4,2)', 'decimal(38,2)', 'float64']),
    ...pinned('text', TEXTS, [
      'int32',
      'decimal(6,2)',
      'float64',
      'json',
      'uuid',
      'date',
      'timestamp',
      'bool',
    ]),
    ...pinned('timestamp', MOMENTS, ['date', 'timestamptz']),
    ...pinned('date', DATES, ['timestamp', 'timestamptz']),
  ];
  const from = await PostgresSide.open(server());
  const to = await PostgresTargetSide.open(server());
  const refuses: Job['refuses'] = async ({ table, id, type }) => {
    const sql = `SELECT v::${SQL_NAMES[type] ?? type} FROM ${table} WHERE id = ${id}`;
    return from.query(sql).then(
      () => false,
      () => true,
    );
  };
  // What is loaded stands for the same value, unless it was said that it does not.
  await hold({ cases, from, to, schema: 'public', refuses }, async (said) => {
    for (const { table, findings } of said) {
      const [native, values, type] = cases[Number(table.slice(1))]!;
      if (native === 'text' || type === 'bool') continue;
      const loaded = await to.db.query<{ id: number; v: string }>(`SELECT id, v::text AS v FROM ${table}`);
      const lost: number[] = [];
      for (const { id, v } of loaded.rows) {
        const [row] = await from.query(
          `SELECT v = '${v}'::${native.startsWith('int') ? 'numeric' : native} AS same FROM ${table} WHERE id = ${id}`,
        );
        if (row!['same'] !== true) lost.push(id);
      }
      const changed = idsOf(findings.filter(({ fate }) => fate !== 'refused')).map(Number);
      const named = (ids: number[]): unknown => ids.toSorted((a, b) => a - b).map((id) => values[id]);
      expect({ native, type, lost: named(lost) }).toEqual({ native, type, lost: named(changed) });
    }
  });
});

describe.runIf(mariadbPresent)('into and from MariaDB', () => {
  it('every value of PostgreSQL', async () => {
    const keys = [`repeat('ä', 255)`, `repeat('ä', 256)`, `repeat(' ', 256)`, `'x' || repeat(' ', 255)`];
    const bytes = [`decode(repeat('00', 255), 'hex')`, `decode(repeat('00', 256), 'hex')`];
    const cases = [
      ...pinned('timestamp', MOMENTS, [undefined, 'date']),
      ...pinned('timestamptz NOT NULL', MOMENTS.slice(0, 5), [undefined]),
      ...pinned('date', DATES, [undefined, 'timestamp']),
      ...pinned('float4', words(`'NaN' '-0' 0 3.4028235e38 'Infinity' 1e-45`), [undefined]),
      ...pinned('float8', words(`'NaN' '-0' 0 1.7976931348623157e308 '-Infinity' 5e-324`), [undefined]),
      ...pinned('numeric(10,2) NOT NULL', words(`'NaN' 99999999.99`), [undefined]),
      ...pinned('numeric(10,2)', words(`'NaN' 1.01 100.00`), [undefined, 'decimal(4,2)']),
      ...['text', 'varchar(300)'].flatMap((native) =>
        keys.map((value): Case => [`${native} UNIQUE`, [value]]),
      ),
      ...bytes.map((value): Case => ['bytea UNIQUE', [value]]),
    ];
    const from = await PostgresSide.open(server());
    const to = await MysqlTargetSide.open(mariadb());
    await hold({ cases, from, to, schema: 'public' });
  });

  it('every value of MariaDB, in PostgreSQL', async () => {
    const some = texts(
      `_12_ +12.50 -32769 .5 5. 1e3 . 00012 TRUE 2024-02-30 2024-02-29 2024-00-10 2024-02-29_24:00:00 2024-02-29T23:59:59.1234560
       24:00:00 024:00:00.000000 24:00:00.1 99:59:59 0000-01-01 9999999999999999999999999999999999999999 a\\0b [1] [1
       00010203-0405-0607-0809-0A0B0C0D0E0F é 9223372036854775808 -9223372036854775808 2147483648`,
    );
    const forced = ['int16', 'int32', 'int64', 'decimal(6,1)', 'bool', 'date', 'timestamp', 'time', 'uuid'];
    const cases = [
      ...pinned('date', texts('0000-00-00 0000-01-01 2024-02-30 2024-02-00 9999-12-31 2024-02-29'), [
        undefined,
        'timestamp',
        'text',
      ]),
      ...pinned(
        'datetime(6)',
        texts('0000-00-00 2024-02-29_23:59:59.999999 2024-02-29 2023-02-29 0000-03-01_01:00:00'),
        [undefined, 'date'],
      ),
      ...pinned('time(6)', texts('-838:59:59 24:00:00 24:00:00.000001 00:00:00.5 100:00:00'), [
        undefined,
        'time',
      ]),
      ...pinned('tinyint', words('0 1 2 -128'), ['bool', 'text']),
      ...pinned('bigint unsigned', words('0 9223372036854775807 9223372036854775808 18446744073709551615'), [
        undefined,
        'int64',
        'int32',
        'decimal(18,0)',
      ]),
      ...pinned('decimal(12,4)', words('0 -99.9900 99.9999 99999999.0000 32768.0000 -32768'), [
        undefined,
        'decimal(4,2)',
        'int16',
      ]),
      ...pinned('varchar(60)', ["''", ...some], [undefined, ...forced]),
      // MariaDB takes a number that ends with a point for JSON.
      ...pinned('varchar(60)', ["''", ...some.filter((value) => value !== "'5.'")], ['json']),
      ...pinned('varbinary(40)', words(`'x' UNHEX(REPEAT(11,16)) UNHEX('C3A9') UNHEX('C3')`), [
        'uuid',
        'text',
      ]),
    ];
    const from = await MysqlSide.open(mariadb());
    const to = await PostgresTargetSide.open(server());
    await hold({ cases, from, to, schema: from.database });
  });
});
