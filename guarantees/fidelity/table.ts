/** Random tables of random values, and random ways to load them. */
import fc from 'fast-check';
import type pg from 'pg';
import type { StreamOptions } from '../../src/core/project.ts';
import type { Random } from '../random.ts';
import { quote, type RuleOf } from './cells.ts';
import { randomType, type RandomType } from './types.ts';

interface RandomColumn extends RandomType {
  name: string;
  required: boolean;
}

export interface RandomTable {
  name: string;
  columns: RandomColumn[];
  /** What the stream does with it. */
  stream: StreamOptions;
  /** Rows that were inserted; their ids count from 1. */
  rows: number;
}

export function randomTable(random: Random, name: string): RandomTable {
  const types = sample(random, randomType, random.int(1, 9));
  const columns = types.map((type, i) => ({
    ...type,
    name: `${i} ${type.sql}`,
    required: random.chance(0.15),
  }));
  return { name, columns, stream: randomStream(random, columns), rows: 0 };
}

export function createTable({ name, columns }: RandomTable): string {
  const list = columns.map(
    (column) => `${quote(column.name)} ${column.sql}${column.required ? ' NOT NULL' : ''}`,
  );
  return `CREATE TABLE ${name} (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL, ${list.join(', ')})`;
}

/** Inserts rows, with few distinct ones repeated so often that a table may be larger than a batch. */
export async function insertRows(client: pg.Client, random: Random, table: RandomTable): Promise<void> {
  const distinct = random.int(0, 60);
  const times = random.pick([1, 1, 3, 50]);
  const first = table.rows + 1;
  await insert(client, table, randomCells(random, table, distinct), {
    id: `${first} + n - 1 + r * ${distinct}`,
    from: `generate_series(0, ${times - 1}) AS r`,
    conflict: '',
  });
  table.rows += distinct * times;
}

/** Gives some rows new values; returns how many. */
export async function changeRows(client: pg.Client, random: Random, table: RandomTable): Promise<number> {
  if (table.rows === 0) return 0;
  const changed = random.int(1, Math.min(table.rows, 60));
  const step = Math.floor(table.rows / changed);
  const set = ['updated_at', ...table.columns.map((column) => column.name)];
  await insert(client, table, randomCells(random, table, changed), {
    id: `1 + (n - 1) * ${step}`,
    from: '(SELECT 1) AS once',
    conflict: `ON CONFLICT (id) DO UPDATE SET ${set.map((name) => `${quote(name)} = excluded.${quote(name)}`).join(', ')}`,
  });
  return changed;
}

interface Insertion {
  id: string;
  from: string;
  conflict: string;
}

async function insert(
  client: pg.Client,
  { name, columns }: RandomTable,
  cells: (string | null)[][],
  { id, from, conflict }: Insertion,
): Promise<void> {
  const list = columns.map(({ sql }, c) => `a${c}::${sql}`);
  const arrays = columns.map((_, c) => `$${c + 1}::text[]`);
  await client.query(
    `INSERT INTO ${name} SELECT ${[id, 'now()', ...list].join(', ')}
       FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS u(${columns.map((_, c) => `a${c}`).join(', ')}, n), ${from}
     ${conflict}`,
    cells,
  );
}

/** Column by column. */
function randomCells(random: Random, table: RandomTable, rows: number): (string | null)[][] {
  return table.columns.map(({ value, required }) =>
    sample(random, required ? value : fc.option(value, { freq: 6, nil: null }), rows),
  );
}

function sample<T>(random: Random, values: fc.Arbitrary<T>, count: number): T[] {
  return count === 0 ? [] : fc.sample(values, { seed: random.int(0, 2 ** 31 - 1), numRuns: count });
}

function randomStream(random: Random, columns: readonly RandomColumn[]): StreamOptions {
  const stream: StreamOptions = random.pick<StreamOptions>([
    { load: 'replace' },
    { load: 'append', cursor: 'updated_at' },
    { load: 'append', cursor: 'updated_at', overlap: 86_400 },
    { load: 'merge', cursor: 'updated_at' },
    { load: 'merge', cursor: 'updated_at', overlap: 86_400 },
  ]);
  const names = columns.map((column) => column.name);
  if (random.chance(0.2) && names.length > 1) stream.columns = { exclude: [random.pick(names)] };
  const left = names.filter(
    (name) => !stream.columns || !('exclude' in stream.columns) || !stream.columns.exclude?.includes(name),
  );
  if (random.chance(0.2)) stream.rename = { [random.pick(left)]: 'renamed "✓"' };
  if (random.chance(0.25)) stream.types = { [random.pick(left)]: 'text' };
  const partition =
    random.chance(0.4) &&
    partitionOf(
      random,
      columns,
      left.filter((name) => !stream.types?.[name]),
    );
  if (partition)
    stream.partition_by = { ...partition, column: stream.rename?.[partition.column] ?? partition.column };
  return stream;
}

const FEW = new Set(['boolean', 'colour', 'tint']);
const DATES = new Set(['date', 'timestamp', 'timestamptz']);

function partitionOf(
  random: Random,
  columns: readonly RandomColumn[],
  left: readonly string[],
): StreamOptions['partition_by'] {
  const few = columns.find(({ sql, name }) => FEW.has(sql) && left.includes(name));
  if (few) return { column: few.name, by: 'value' };
  const date = columns.find(({ sql, name }) => DATES.has(sql) && left.includes(name));
  if (date && random.chance(0.5)) return { column: date.name, by: 'year' };
  return random.pick([
    { column: 'updated_at', by: 'day' },
    { column: 'updated_at', by: 'hour' },
    { column: '_sluice_loaded_at', by: 'day' },
  ]);
}

export interface Expected {
  /** A query whose rows are what should arrive, as the server writes it. */
  sql: string;
  rules: RuleOf;
}

/** What of the table should arrive, under which names. */
export function expectedOf({ name, columns, stream }: RandomTable): Expected {
  const excluded = stream.columns && 'exclude' in stream.columns ? (stream.columns.exclude ?? []) : [];
  const rules: RuleOf = {};
  const list = columns
    .filter((column) => !excluded.includes(column.name))
    .map((column) => {
      const target = stream.rename?.[column.name] ?? column.name;
      const asText = stream.types?.[column.name] === 'text';
      if (column.rule && !asText) rules[target] = column.rule;
      const from = quote(column.name);
      const value = asText ? `${from}::text` : (column.text?.(from) ?? from);
      return `${value} AS ${quote(target)}`;
    });
  return { sql: `SELECT ${['id', 'updated_at', ...list].join(', ')} FROM ${name} ORDER BY id`, rules };
}
