/**
 * Divides the rows of a Parquet file into their partitions, with memory for a part of the rows. A sort needs more memory the
 * more rows there are, and DuckDB's own PARTITION_BY keeps buffers for every partition that it has met; here every partition
 * becomes a query of its own over rows that fit.
 */
import { rmSync } from 'node:fs';
import type { Session } from '../../../duckdb/session.ts';
import { duckText, literalPattern } from '../../../duckdb/types.ts';
import { textLengths } from './row-groups.ts';

/** How many parts are taken out of a file, each by reading all of it, before it is cut into as many smaller files. */
const FAN_OUT = 8;
const HASH = '_sluice_hash';
/** Keeps the order of the rows. */
const ROW = '_sluice_row';
/** Position in a pass. Not DuckDB's rowid: a table may have a column of that name. */
const AT = '_sluice_at';

export interface Split {
  session: Session;
  /** Rows that fit into memory as a table, if they have as many bytes as expected. */
  passRows: number;
  rowBytes: number;
  /** Number of partition levels. */
  levels: number;
  /** Writes a query to a new file for a while, and returns its path. */
  write(query: string): Promise<string>;
}

export interface Partition {
  /** Values of the levels. */
  values: (string | null)[];
  rows: number;
  /** Gives its rows, in the order of the file. */
  query: string;
}

interface Part {
  hash: string;
  rows: number;
  /** How many rows of the expected width it is worth. */
  weight: number;
  values: (string | null)[];
}

/** The query with what a split needs to tell partitions apart. */
export function withPartition(query: string, levels: readonly string[]): string {
  const named = levels.map((sql, i) => `${sql} AS ${level(i)}`);
  return `SELECT *, hash(${levels.map((_, i) => level(i)).join(', ')}) AS ${HASH}, row_number() OVER () AS ${ROW} FROM (SELECT *, ${named.join(', ')} FROM (${query}))`;
}

/** The partitions of a file that holds a query {@link withPartition}; each has to be read before the next is asked for. */
export async function* partitionsOf(split: Split, file: string): AsyncGenerator<Partition> {
  // The API drops a byte order mark that begins a text, so that none may begin one.
  const levels = Array.from({ length: split.levels }, (_, n) => `'=' || ${level(n)} AS ${level(n)}`).join(
    ', ',
  );
  const lengths = textLengths(await split.session.columns(`FROM ${scan(file)}`, 'looking at columns'));
  const rows = await split.session.rows(
    `SELECT ${HASH} AS hash, ${levels}, count(*)::DOUBLE AS n, sum(${lengths.join(' + ')})::DOUBLE AS bytes FROM ${scan(file)} GROUP BY ALL ORDER BY ALL`,
    'counting partitions',
  );
  const parts = rows.map((row) => ({
    hash: String(row['hash']),
    rows: Number(row['n']),
    // Some turn out to be wider than the first ones.
    weight: Math.max(Number(row['n']), Number(row['bytes']) / split.rowBytes),
    values: Array.from(
      { length: split.levels },
      (_, n) => (row[level(n)] as string | null)?.slice(1) ?? null,
    ),
  }));
  yield* divide(split, file, passesOf(parts, split.passRows));
}

async function* divide(split: Split, file: string, passes: Part[][]): AsyncGenerator<Partition> {
  const size = passes.length <= FAN_OUT ? 1 : Math.ceil(passes.length / FAN_OUT);
  for (let i = 0; i < passes.length; i += size) {
    const some = passes.slice(i, i + size);
    if (some.length === 1) {
      yield* collect(split, file, some[0]!);
      continue;
    }
    const smaller = await split.write(`SELECT * FROM ${scan(file)} WHERE ${among(some.flat())}`);
    try {
      yield* divide(split, smaller, some);
    } finally {
      rmSync(smaller, { force: true });
    }
  }
}

/** A partition that is larger than memory has a pass for itself, and is read from the file. */
async function* collect(split: Split, file: string, pass: Part[]): AsyncGenerator<Partition> {
  const { session } = split;
  const select = `SELECT * EXCLUDE (${HASH}, ${ROW}, ${levelList(split)}) FROM`;
  if (pass.length === 1) {
    const [{ values, rows }] = pass as [Part];
    yield { values, rows, query: `${select} ${scan(file)} WHERE ${among(pass)}` };
    return;
  }
  const order = `ORDER BY ${HASH}, ${levelList(split)}, ${ROW}`;
  await session.run(
    `CREATE OR REPLACE TEMP TABLE sluice_pass AS SELECT *, row_number() OVER (${order}) - 1 AS ${AT} FROM ${scan(file)} WHERE ${among(pass)} ORDER BY ${AT}`,
    'collecting rows of partitions',
  );
  try {
    let first = 0;
    for (const part of pass) {
      const range = `${AT} BETWEEN ${first} AND ${first + part.rows - 1}`;
      yield {
        values: part.values,
        rows: part.rows,
        query: `${select.replace('(', `(${AT}, `)} sluice_pass WHERE ${range} AND ${among([part])}`,
      };
      first += part.rows;
    }
  } finally {
    await session.run('DROP TABLE IF EXISTS sluice_pass', 'dropping a temporary table');
  }
}

/** Consecutive parts that fit into memory together; parts with one hash stay together. Pure. */
function passesOf(parts: readonly Part[], passRows: number): Part[][] {
  const passes: Part[][] = [];
  let rows = 0;
  for (const part of parts) {
    const last = passes.at(-1);
    if (last && (rows + part.weight <= passRows || last.at(-1)!.hash === part.hash)) {
      last.push(part);
      rows += part.weight;
    } else {
      passes.push([part]);
      rows = part.weight;
    }
  }
  return passes;
}

function among(parts: readonly Part[]): string {
  return `${HASH} BETWEEN ${hashSql(parts[0]!)} AND ${hashSql(parts.at(-1)!)}`;
}

function hashSql(part: Part): string {
  return `CAST('${part.hash}' AS UBIGINT)`;
}

function scan(file: string): string {
  return `read_parquet(${duckText(literalPattern(file))}, hive_partitioning = false)`;
}

function levelList(split: Split): string {
  return Array.from({ length: split.levels }, (_, i) => level(i)).join(', ');
}

function level(index: number): string {
  return `_sluice_level_${index}`;
}
