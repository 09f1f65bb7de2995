/** One table between PostgreSQL and MariaDB, against what their own programs do in a pipe, and against pgloader where it is. */
import { join } from 'node:path';
import { type MariadbServer, startMariadb } from '../src/testing/mariadb-server.ts';
import { atMost, type BenchContext, type BenchOutcome, rowsFor } from './context.ts';
import { createProject, postgresAt, type EngineRun, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { hasProgram } from './needs.ts';
import { count, MEGABYTE, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { makeTable } from './server.ts';
import { median, summarizeUsage } from './statistics.ts';
import { LINEITEM } from './tables.ts';
import { emptyDatabase, PLAIN, targetUrl } from './to-postgres.ts';

const ROWS = 2_000_000;
const PEAK_MB = 300;
const DATABASE = 'bench';
/** What a server of this size would have, and no sync at each commit, as PostgreSQL has none here either. */
const SETTINGS = [
  '--innodb-buffer-pool-size=1G',
  '--innodb-log-file-size=1G',
  '--local-infile=1',
  '--max-allowed-packet=1G',
];
const { name: TABLE, columns: COLUMNS } = LINEITEM;

type Direction = 'mysql-to-pg' | 'pg-to-mysql';

interface Round {
  limit: Usage;
  engine: EngineRun;
  pgloader: Usage | undefined;
}

interface Bench {
  context: BenchContext;
  direction: Direction;
  mariadb: MariadbServer;
  url: string;
}

export async function benchMysql(direction: Direction, context: BenchContext): Promise<BenchOutcome> {
  const { server, say, signal } = context;
  await using mariadb = await startMariadb({ settings: SETTINGS });
  const url = await mariadb.createDatabase(DATABASE);
  const bench = { context, direction, mariadb, url };
  const rows = rowsFor(context, LINEITEM, ROWS);
  say(`making ${TABLE}: ${count(rows)} rows × ${COLUMNS.length} columns`);
  await makeTable(server, LINEITEM, rows, signal);
  // What one direction has written is what the other one reads.
  await toMysql(bench);
  if (direction === 'mysql-to-pg') await leaveAsUsers(mariadb);
  const rounds: Round[] = [];
  for (let i = 0; i < context.pairs; i++) {
    say(`pair ${i + 1} of ${context.pairs}`);
    rounds.push(
      direction === 'pg-to-mysql'
        ? { limit: await pipeToMysql(bench), engine: await toMysql(bench), pgloader: undefined }
        : {
            limit: await pipeToPostgres(bench),
            // One that cannot do it is left out with a word.
            pgloader: await pgloader(bench).catch((error: Error) => {
              signal.throwIfAborted();
              say(`pgloader: ${error.message.trim().split('\n')[0]}`);
              return undefined;
            }),
            engine: await toPostgres(bench),
          },
    );
  }
  say('comparing the two tables');
  const verified = await compare(bench, direction === 'mysql-to-pg');
  await server.query(`DROP TABLE ${TABLE}`);
  return outcome(bench, rounds, verified);
}

async function emptyMysql({ mariadb }: Bench): Promise<void> {
  await mariadb.query(`DROP DATABASE ${DATABASE}`);
  await mariadb.createDatabase(DATABASE);
}

async function toMysql(bench: Bench): Promise<EngineRun> {
  const { context, url } = bench;
  await emptyMysql(bench);
  const project = await createProject(join(context.folder, 'project'), {
    source: postgresAt(context.server.url),
    target: `{ type: mysql, url: "${url}" }`,
    streams: { [`public.${TABLE}`]: '{ load: replace }' },
  });
  return runEngine(project, { server: context.server.pid, signal: context.signal });
}

async function toPostgres({ context, url }: Bench): Promise<EngineRun> {
  const { server, folder, signal } = context;
  await emptyDatabase(server);
  const project = await createProject(join(folder, 'project'), {
    source: `{ type: mysql, url: "${url}" }`,
    target: postgresAt(targetUrl(server)),
    streams: { [`${DATABASE}.${TABLE}`]: `{ load: replace, table: ${TABLE} }` },
  });
  return runEngine(project, { server: server.pid, signal });
}

/** A table as users have it: the others need not understand our books, and pgloader knows no collation without padding. */
async function leaveAsUsers(mariadb: MariadbServer): Promise<void> {
  for (const books of ['_sluice_tables', '_sluice_missing'])
    await mariadb.query(`DROP TABLE ${DATABASE}.${books}`);
  const usual = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci';
  await mariadb.query(`ALTER TABLE ${DATABASE}.${TABLE} CONVERT TO ${usual}`);
}

/** The columns of MariaDB's table by types that hold the same. */
const MYSQL_TYPES: Readonly<Record<string, string>> = {
  int: 'bigint',
  decimal: 'decimal(15,2)',
  text: 'varchar(44)',
  date: 'date',
};

async function pipeToMysql(bench: Bench): Promise<Usage> {
  const { context, mariadb } = bench;
  await emptyMysql(bench);
  const list = COLUMNS.map(({ name, kind }) => `${name} ${MYSQL_TYPES[kind]}`).join(', ');
  await mariadb.query(`CREATE TABLE ${DATABASE}.${TABLE} (${list}) CHARACTER SET utf8mb4`);
  const load = `LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE ${TABLE} CHARACTER SET utf8mb4`;
  return pipe(
    context,
    `psql -X -q -d '${context.server.url}${PLAIN}' -c 'COPY ${TABLE} TO STDOUT' | ${client(mariadb)} --local-infile=1 -e "${load}"`,
  );
}

async function pipeToPostgres({ context, mariadb }: Bench): Promise<Usage> {
  const { server } = context;
  await emptyDatabase(server);
  const list = COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ');
  await server.queryIn(new URL(targetUrl(server)).pathname.slice(1), `CREATE TABLE ${TABLE} (${list})`);
  const copy = `COPY ${TABLE} FROM STDIN (NULL 'NULL')`;
  return pipe(
    context,
    `${client(mariadb)} --quick --batch --skip-column-names -e 'SELECT * FROM ${TABLE}' | psql -X -q -d '${targetUrl(server)}${PLAIN}' -c "${copy}"`,
  );
}

async function pgloader({ context, url }: Bench): Promise<Usage | undefined> {
  if (!hasProgram('pgloader')) return undefined;
  const { server, signal } = context;
  await emptyDatabase(server);
  const args = [
    '--quiet',
    '--with',
    'create tables',
    '--with',
    'workers = 2',
    '--with',
    'concurrency = 1',
    url,
    targetUrl(server).replace(/^postgres:/, 'postgresql:'),
  ];
  const usage = await measure({ program: 'pgloader', args, output: false }, { server: server.pid, signal });
  // It ends with 0 when it has loaded nothing. Its schema has the name of the source's database.
  const database = new URL(targetUrl(server)).pathname.slice(1);
  const [found] = await server.queryIn<{ n: string }>(
    database,
    `SELECT count(*) AS n FROM ${DATABASE}.${TABLE}`,
  );
  const wanted = rowsFor(context, LINEITEM, ROWS);
  if (Number(found?.n) !== wanted) throw new Error(`pgloader has loaded ${found?.n} of ${wanted} rows`);
  return usage;
}

function client({ socket }: MariadbServer): string {
  return `mariadb --no-defaults --socket='${socket}' -u root ${DATABASE}`;
}

function pipe({ server, signal }: BenchContext, script: string): Promise<Usage> {
  return measure(
    { program: 'bash', args: ['-c', `set -o pipefail; ${script}`], output: false },
    { server: server.pid, signal },
  );
}

/** Counts and sums of the source's and the target's rows. */
async function compare({ context, mariadb }: Bench, back: boolean): Promise<number> {
  const sums = COLUMNS.map(({ name, kind }) =>
    kind === 'int' || kind === 'decimal'
      ? `sum(${name})`
      : kind === 'date'
        ? `count(DISTINCT ${name})`
        : `sum(length(rtrim(${name})))`,
  );
  const sql = `SELECT concat_ws('|', count(*), ${sums.join(', ')}) AS line FROM ${TABLE}`;
  const [source] = await context.server.query<{ line: string }>(sql);
  const database = new URL(targetUrl(context.server)).pathname.slice(1);
  const [target] = back
    ? await context.server.queryIn<{ line: string }>(database, sql)
    : ((await mariadb.query(sql, DATABASE)) as { line: string }[]);
  if (source!.line !== String(target!.line))
    throw new Error(`the tables differ: ${source!.line} and ${target!.line}`);
  return sums.length + 1;
}

function outcome({ context, direction }: Bench, rounds: readonly Round[], verified: number): BenchOutcome {
  const engine = summarizeUsage(rounds.map((each) => each.engine));
  const limit = summarizeUsage(rounds.map((each) => each.limit));
  const others = rounds.flatMap((each) => each.pgloader ?? []);
  const ratios = rounds.map((each) => each.engine.seconds / each.limit.seconds);
  const ratio = median(ratios);
  const { rows, wireBytes } = rounds[0]!.engine;
  const peer = others.length === 0 ? undefined : summarizeUsage(others);
  const peak = engine.peakBytes === undefined ? undefined : engine.peakBytes / MEGABYTE;
  const targets = context.quick ? [] : [...atMost('ratio', ratio, 1.5), ...atMost('peak MB', peak, PEAK_MB)];
  const pipeName = direction === 'pg-to-mysql' ? 'psql | mariadb, LOAD DATA' : 'mariadb | psql, COPY';
  const text = [
    `${direction}: ${count(rows)} rows × ${COLUMNS.length} columns`,
    renderLines([
      { name: 'sluice', usage: engine, rows, wireBytes },
      { name: `limit: ${pipeName}`, usage: limit, rows, wireBytes: undefined },
      ...(peer ? [{ name: 'pgloader', usage: peer, rows, wireBytes: undefined }] : []),
    ]),
    `  ${ratio.toFixed(2)} × the limit (pairs: ${ratios.map((each) => each.toFixed(2)).join(' ')})${peer ? `, ${(peer.seconds / engine.seconds).toFixed(1)} × as fast as pgloader` : ''}`,
    `  ${verified} figures of both tables compared, all equal`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: direction,
      rows,
      seconds: round(engine.seconds, 3),
      limit_seconds: round(limit.seconds, 3),
      ratio: round(ratio, 3),
      pgloader_seconds: peer ? round(peer.seconds, 3) : null,
      peak_rss_mb: peakMb(engine),
      quick: context.quick,
      verified,
      targets,
      ...usageFields('', engine),
    },
  };
}
