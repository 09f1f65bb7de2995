import type pg from 'pg';
import { renderType } from '../../src/core/types.ts';
import { Session } from '../../src/duckdb/session.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { type Cell, differences, type LakeTable, quote, reading, serverRows, spell } from './cells.ts';
import { compareReaders } from './second-reader.ts';
import { changeRows, createTable, expectedOf, insertRows, randomTable, type RandomTable } from './table.ts';
import { USER_TYPES } from './types.ts';

const TABLES = 5;
const TABLES_BRIEF = 3;
const SETTINGS = `SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1`;

export const randomTables: Attack = {
  name: 'random-tables',
  part: 'fidelity',
  promise: 'exact-values',
  tries:
    'loads tables of random columns and values, weighted to extremes, with random options, changes rows, loads again, and compares every cell with what the server prints and every file with what a second Parquet reader finds',
  rounds: 24,
  brief: true,
  async run(arena) {
    const { random } = arena;
    const pair = await arena.open({}, USER_TYPES);
    const client = await pair.from.connect();
    await client.query(SETTINGS);
    const tables = Array.from({ length: arena.brief ? TABLES_BRIEF : TABLES }, (_, i) =>
      randomTable(random, `t${i}`),
    );
    pair.to.connection = {
      ...pair.to.connection,
      compression: random.pick(['zstd', 'zstd', 'snappy', 'gzip', 'none']),
      ...(random.chance(0.3) && { row_group_rows: 2048 }),
    };
    for (const table of tables) {
      pair.streams[`public.${table.name}`] = table.stream;
      await client.query(createTable(table));
      await told(table, insertRows(client, random, table));
    }
    const history = tables.map((table) => table.rows);
    await pair.run();
    await compare(pair, client, tables);
    for (const [i, table] of tables.entries()) {
      history[i]! += await told(table, changeRows(client, random, table));
      const before = table.rows;
      await told(table, insertRows(client, random, table));
      history[i]! += table.rows - before;
    }
    await pair.run();
    await compare(pair, client, tables);
    await expectHistory(pair, tables, history);
    await compareFiles(arena, pair, tables);
    return 'works';
  },
};

/** An error says in which table it was. */
async function told<T>(table: RandomTable, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new Error(`${(error as Error).message}\nin ${describe(table)}`, { cause: error });
  }
}

function describe(table: RandomTable): string {
  return `${createTable(table)}; with ${JSON.stringify(table.stream)}`;
}

async function compare(pair: Pair, client: pg.Client, tables: readonly RandomTable[]): Promise<void> {
  for (const table of tables) {
    const { sql, rules } = expectedOf(table);
    const server = await serverRows(client, sql);
    const found = differences(server, await told(table, readTable(pair, table.name, server.names)), rules);
    if (found.length > 0) throw new Error(`${found.join('\n')}\nin ${describe(table)}`);
  }
}

async function readTable(pair: Pair, table: string, names: readonly string[]): Promise<LakeTable> {
  const fields = (await pair.to.schema(table))?.fields.filter((field) => !field.name.startsWith('_sluice_'));
  // A table that had no rows yet may not be there.
  if (!fields) return { columns: names.map((name) => ({ name, type: '' })), rows: [] };
  const columns = fields.map(({ name, type }) => ({ name, type: renderType(type) }));
  const list = columns.map(({ name, type }, i) => `${reading(type, quote(name))} AS c${i}`);
  const rows = await pair.to.query(table, `SELECT ${list.join(', ')} FROM main.${quote(table)} ORDER BY id`);
  return {
    columns,
    rows: rows.map((row) =>
      columns.map(({ type }, i): Cell => {
        const value = row[`c${i}`] as Cell;
        return value === null ? null : spell(type, value);
      }),
    ),
  };
}

/** What is appended is there as often as it was changed, however often it was read. */
async function expectHistory(
  pair: Pair,
  tables: readonly RandomTable[],
  expected: readonly number[],
): Promise<void> {
  for (const [i, table] of tables.entries()) {
    const wanted = table.stream.load === 'append' ? expected[i]! : table.rows;
    if (wanted === 0) continue;
    const [row] = await pair.to.query(
      table.name,
      `SELECT count(*)::INT AS n FROM main.${table.name}_history`,
    );
    if (row!['n'] !== wanted)
      throw new Error(`${String(row!['n'])} versions of ${wanted} rows are kept\nin ${describe(table)}`);
  }
}

/** Every file that is live, by a reader that has nothing to do with its writer. */
async function compareFiles(arena: Arena, pair: Pair, tables: readonly RandomTable[]): Promise<void> {
  const session = await Session.open({
    memoryBytes: 256 << 20,
    tempDirectory: `${pair.folder}/second`,
    threads: 1,
  });
  try {
    for (const table of tables) {
      for (const file of (await pair.to.state(table.name))?.files ?? []) {
        arena.signal.throwIfAborted();
        await told(table, compareReaders(session, `${pair.to.root}/${file.key}`));
      }
    }
  } finally {
    session.close();
  }
}
