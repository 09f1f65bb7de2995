/**
 * `npm run bench -- <name> [--quick] [--json]`: measures the built command against what the machine and the server can do,
 * in the same run. See docs/benchmarks.md.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Arguments, type BenchmarkName, parseArguments, USAGE } from './arguments.ts';
import type { BenchContext, BenchOutcome, BenchResult } from './context.ts';
import { benchBadRows, benchFilesDaily, benchFilesToLake, benchFilesToPostgres } from './from-files.ts';
import { benchFromApi } from './from-api.ts';
import { benchFromLake } from './from-lake.ts';
import { benchIncremental } from './incremental.ts';
import { benchInsertLadder } from './insert-ladder.ts';
import { benchIndexes } from './indexes.ts';
import { findLimit } from './limit.ts';
import { benchMerge } from './merge.ts';
import { hasProc } from '../guarantees/processes.ts';
import { stopOnSignals } from '../guarantees/stop.ts';
import { describeMachine } from './report.ts';
import { benchSinger } from './singer.ts';
import { benchSmallLoads } from './small-loads.ts';
import { benchSqlDump } from './sql-dump.ts';
import { startServer } from './server.ts';
import { LINEITEM, NARROW, WIDE, WIDE_YEAR } from './tables.ts';
import { missingPrograms } from './needs.ts';
import { benchMysql } from './to-mysql.ts';
import { benchExport } from './to-files.ts';
import { benchToLake } from './to-lake.ts';
import { benchToPostgres } from './to-postgres.ts';
import { TPCH } from './tpch.ts';

const PEAK_MB = 300;
const NAIVE_RATIO = 5;
/** Load per core from which on others disturb what is measured. */
const NOISY_LOAD = 0.4;

const BENCHES: Readonly<Record<BenchmarkName, (context: BenchContext) => Promise<BenchOutcome>>> = {
  'pg-to-lake': (context) =>
    benchToLake(
      {
        name: 'pg-to-lake',
        shape: LINEITEM,
        rows: 6_000_000,
        naiveRows: 500_000,
        targets: { ratio: 1.6, peakMb: PEAK_MB, naiveRatio: NAIVE_RATIO },
      },
      context,
    ),
  'pg-to-lake-wide': (context) =>
    benchToLake(
      {
        name: 'pg-to-lake-wide',
        shape: WIDE,
        rows: 1_000_000,
        naiveRows: 50_000,
        targets: { peakMb: PEAK_MB, naiveRatio: NAIVE_RATIO },
      },
      context,
    ),
  'pg-to-lake-narrow': (context) =>
    benchToLake(
      {
        name: 'pg-to-lake-narrow',
        shape: NARROW,
        rows: 5_000_000,
        naiveRows: 500_000,
        targets: { naiveRatio: NAIVE_RATIO },
      },
      context,
    ),
  incremental: benchIncremental,
  'pg-to-pg-table': (context) =>
    benchToPostgres(
      {
        name: 'pg-to-pg-table',
        tables: [{ shape: LINEITEM, rows: 6_000_000 }],
        limit: 'copy',
        targets: { ratio: 1.15, peakMb: PEAK_MB },
      },
      context,
    ),
  merge: benchMerge,
  indexes: benchIndexes,
  'mysql-to-pg': (context) => benchMysql('mysql-to-pg', context),
  'pg-to-mysql': (context) => benchMysql('pg-to-mysql', context),
  'lake-to-pg': benchFromLake,
  'files-to-pg': benchFilesToPostgres,
  'files-to-lake': benchFilesToLake,
  'files-daily': benchFilesDaily,
  'bad-rows': benchBadRows,
  'rest-to-pg': benchFromApi('pg'),
  'rest-to-duckdb': benchFromApi('duckdb'),
  'insert-ladder': benchInsertLadder,
  'small-loads': benchSmallLoads,
  'singer-to-pg': benchSinger('pg'),
  'singer-to-duckdb': benchSinger('duckdb'),
  'sql-dump': benchSqlDump,
  export: benchExport,
  'pg-to-pg-wide': (context) =>
    benchToPostgres(
      {
        name: 'pg-to-pg-wide',
        tables: [{ shape: WIDE_YEAR, rows: 1_000_000 }],
        limit: 'copy',
        stream: '{ load: delete-insert, date: { column: day, by: month } }',
        args: ['--from', '2025-01-01', '--to', '2026-01-01'],
        targets: { ratio: 1.5, peakMb: PEAK_MB },
      },
      context,
    ),
  'pg-to-pg': (context) =>
    benchToPostgres(
      {
        name: 'pg-to-pg',
        tables: TPCH,
        limit: 'dump',
        targets: { ratio: 1, peakMb: PEAK_MB },
      },
      context,
    ),
};

/** Programs of the machine that some cannot do without. */
const NEEDS: Readonly<Partial<Record<BenchmarkName, readonly string[]>>> = {
  'pg-to-pg-table': ['bash', 'psql'],
  'pg-to-pg-wide': ['bash', 'psql'],
  'pg-to-pg': ['bash', 'psql', 'pg_dump', 'pg_config'],
  merge: ['bash', 'psql'],
  'lake-to-pg': ['bash', 'psql'],
  'files-to-pg': ['psql'],
  'sql-dump': ['bash', 'psql'],
  export: ['psql'],
  'mysql-to-pg': ['bash', 'psql', 'mariadb', 'mariadbd'],
  'pg-to-mysql': ['bash', 'psql', 'mariadb', 'mariadbd'],
};

const stopped = stopOnSignals();
await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  let wanted: Arguments;
  try {
    wanted = parseArguments(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  try {
    await runAll(wanted, stopped);
  } catch (error) {
    if (stopped.aborted) console.error('stopped; server and files are gone');
    else {
      console.error(error);
      process.exitCode = 1;
    }
  }
}

async function runAll({ names, all, quick, json, pairs }: Arguments, signal: AbortSignal): Promise<void> {
  const print = json ? console.error : console.log;
  const load = loadavg()[0]!;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const results: BenchResult[] = [];
  try {
    const limit = await findLimit();
    await using server = await startServer(signal);
    const machine = describeMachine(server.version, limit.name);
    const { cpu, cores, memory_gb: memory, node, postgres } = machine;
    print(
      `${cpu}, ${cores} cores, ${memory} GB, Node ${node}, PostgreSQL ${postgres}, ${new Date().toISOString().slice(0, 16)}Z`,
    );
    if (!hasProc) print('CPU time and memory are measured on Linux only');
    if (load / cores > NOISY_LOAD)
      print(`load average ${load.toFixed(2)}: other programs are busy and will disturb the figures`);
    if (quick) print('--quick: small tables show that everything works, not how fast it is');
    const say = (text: string): void => console.error(`  ${text} …`);
    for (const name of names) {
      print('');
      const missing = missingPrograms(NEEDS[name] ?? []);
      if (missing.length > 0) {
        print(`${name}: skipped, there is no ${missing.join(', ')} on this machine`);
        continue;
      }
      const { result, text } = await BENCHES[name]({ server, limit, folder, quick, pairs, signal, say });
      print(text);
      results.push({ ...result, pairs, load_average: load, at: new Date().toISOString(), machine });
      if (json && all) console.log(JSON.stringify(results.at(-1)));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  if (json) console.log(JSON.stringify(all ? { bench: 'all', results } : results[0]));
}
