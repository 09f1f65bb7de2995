import { parseArgs } from 'node:util';

const BENCHMARKS = [
  'pg-to-lake',
  'pg-to-lake-wide',
  'pg-to-lake-narrow',
  'incremental',
  'pg-to-pg-table',
  'pg-to-pg',
  'pg-to-pg-wide',
  'merge',
  'indexes',
  'mysql-to-pg',
  'pg-to-mysql',
  'lake-to-pg',
  'files-to-pg',
  'files-to-lake',
  'files-daily',
  'bad-rows',
  'rest-to-pg',
  'rest-to-duckdb',
  'insert-ladder',
  'small-loads',
  'singer-to-pg',
  'singer-to-duckdb',
  'sql-dump',
  'export',
] as const;

export type BenchmarkName = (typeof BENCHMARKS)[number];

export interface Arguments {
  names: readonly BenchmarkName[];
  /** `all` was asked for, also when that is one benchmark. */
  all: boolean;
  /** Small tables and few pairs: shows that everything works, not how fast it is. */
  quick: boolean;
  json: boolean;
  pairs: number;
}

export const USAGE: string = `usage: npm run bench -- <name> [options]

names: ${BENCHMARKS.join(', ')}, all

options
  --quick      small tables, some seconds each: shows that it works, not how fast it is
  --pairs <n>  measured pairs of Sluice and its limit (5; with --quick 1)
  --json       the last line of standard output is one JSON object, the rest goes to standard error`;

/** Throws an Error whose message is for the user. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, pairs: { type: 'string' } },
  });
  const [name, ...more] = positionals;
  if (name === undefined) throw new Error('which benchmark?');
  if (more.length > 0)
    throw new Error(`one benchmark at a time, or "all"; there is also "${more.join('", "')}"`);
  const found = BENCHMARKS.filter((each) => name === 'all' || each === name);
  if (found.length === 0) throw new Error(`there is no benchmark "${name}"`);
  const quick = values.quick ?? false;
  const pairs = values.pairs === undefined ? (quick ? 1 : 5) : Number(values.pairs);
  if (!Number.isInteger(pairs) || pairs < 1)
    throw new Error(`--pairs: "${values.pairs}" is not a whole number above 0`);
  return { names: found, all: name === 'all', quick, json: values.json ?? false, pairs };
}
