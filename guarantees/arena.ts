/** Servers, databases and lakes for attacks. */
import { type MariadbServer, startMariadb } from '../src/testing/mariadb-server.ts';
import { MOTO_ENV, type MotoServer, startMoto } from '../src/testing/moto-server.ts';
import { startPostgres, type PostgresServer } from '../src/testing/postgres-server.ts';
import type { Arena, Tally } from './attack.ts';
import { type AnyPair, type Difference, Pair, type Streams } from './pair.ts';
import { kindOf, type OpenOptions, type Servers } from './pairs.ts';
import { Random } from './random.ts';
import type { SourceSide, SqlSide } from './sides.ts';
import type { SourceSql } from './source-sql.ts';

/** Lines of a difference that an error shows; the rest is counted. */
const SHOWN = 5;

export interface Round {
  /** Of the kind that the attack is run for. */
  pair: string;
  seed: number;
  brief: boolean;
  few: boolean;
  signal: AbortSignal;
  tally: Tally;
  say: (text: string) => void;
}

/** Servers are killed and started again, machines are not: what is committed is handed to the system, not to the disk. */
const FAST = [
  '--innodb-flush-method=nosync',
  '--sync-frm=0',
  '--innodb-doublewrite=0',
  '--innodb-flush-log-at-trx-commit=2',
];

/** Servers that live as long as the command; each distinct set of settings gets one, started when it is first needed. */
export class Grounds implements AsyncDisposable, Servers {
  readonly #postgres = new Map<string, Promise<PostgresServer>>();
  readonly #mariadb = new Map<string, Promise<MariadbServer>>();
  #bucket: Promise<MotoServer> | undefined;

  server(settings: Record<string, string> = {}, own = false): Promise<PostgresServer> {
    const key = JSON.stringify([settings, own]);
    const server = this.#postgres.get(key) ?? startPostgres({ settings });
    this.#postgres.set(key, server);
    return server;
  }

  mariadb(settings: Record<string, string> = {}, own = false): Promise<MariadbServer> {
    const key = JSON.stringify([settings, own]);
    const given = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    const server = this.#mariadb.get(key) ?? startMariadb({ settings: [...FAST, ...given] });
    this.#mariadb.set(key, server);
    return server;
  }

  bucket(): Promise<MotoServer> {
    this.#bucket ??= (async () => {
      // Also for the processes that are killed.
      Object.assign(process.env, MOTO_ENV);
      const server = await startMoto();
      await server.createBucket('lake');
      return server;
    })();
    return this.#bucket;
  }

  /** An arena for one round; what was opened in it is closed with it. */
  arena(round: Round): Arena<AnyPair> & AsyncDisposable {
    const pairs: AnyPair[] = [];
    const random = new Random(round.seed);
    const ways = new Random(round.seed);
    const open = async (
      streams: Streams,
      sql: string | ((of: SourceSql) => string) = '',
      options: OpenOptions = {},
    ): Promise<AnyPair> => {
      round.signal.throwIfAborted();
      const kind = kindOf(round.pair);
      const from = await kind.openSource(this, options);
      const pair = new Pair(from, await kind.openDestination(this, options), streams);
      // By their number the few rows of most attacks would all go one way.
      if (kind.to !== 'lake') pair.defaults = { load_method: ways.pick(['statements', 'bulk']) };
      pairs.push(pair);
      if (isSql(from)) {
        const text = typeof sql === 'string' ? sql : sql(from.sql);
        if (text !== '') await from.query(text);
      }
      return pair;
    };
    return {
      ...round,
      random,
      open,
      some: (parts) => (round.few && parts.length > 0 ? [random.pick(parts)] : parts),
      // What comes after a stop proves nothing; most attacks look here again and again.
      verify: async (pair, tables) => {
        round.signal.throwIfAborted();
        await verify(round.tally, pair, tables);
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(pairs.map((pair) => pair.close()));
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      ...[...this.#postgres.values()].map(async (server) => (await server).stop('immediate')),
      ...[...this.#mariadb.values()].map(async (server) => (await server).stop()),
      this.#bucket?.then((server) => server.stop()),
    ]);
  }
}

function isSql(side: SourceSide): side is SqlSide {
  return 'query' in side;
}

async function verify(tally: Tally, pair: AnyPair, tables: readonly string[]): Promise<void> {
  const wrong: string[] = [];
  for (const table of tables) {
    const difference = await pair.compare(table);
    tally.rowsLost += difference.lost.length;
    tally.rowsDoubled += difference.extra.length + difference.doubled.length;
    wrong.push(...describe(table, difference));
  }
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}

function describe(table: string, difference: Difference): string[] {
  return Object.entries(difference).flatMap(([kind, lines]: [string, string[]]) => {
    if (lines.length === 0) return [];
    const more = lines.length > SHOWN ? ['…'] : [];
    return [`${table}: ${lines.length} ${kind}:`, ...lines.slice(0, SHOWN), ...more];
  });
}
