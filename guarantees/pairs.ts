/** The pairs of systems that are attacked. A pair joins with one line, and with a side for each system that is new. */
import { mariadbMissing, type MariadbServer } from '../src/testing/mariadb-server.ts';
import type { PostgresServer } from '../src/testing/postgres-server.ts';
import { motoMissing, type MotoServer } from '../src/testing/moto-server.ts';
import { ApiSide } from './api-side.ts';
import { BucketSide, LakeSide } from './lake-side.ts';
import { MysqlSide } from './mysql-side.ts';
import { MysqlTargetSide } from './mysql-target-side.ts';
import { PostgresSide } from './postgres-side.ts';
import { PostgresTargetSide } from './postgres-target-side.ts';
import type { DestinationSide, SourceSide } from './sides.ts';

export interface OpenOptions {
  /** Settings of the source's server; a server with them is started once and kept. */
  settings?: Record<string, string>;
  /** Encoding of the source's database. */
  encoding?: string;
  /** The same of the destination, where it is a database; `own`: a server that the source is not on. */
  target?: { settings?: Record<string, string>; encoding?: string; own?: boolean };
}

/** Servers that are started when they are first asked for. */
export interface Servers {
  server(settings?: Record<string, string>, own?: boolean): Promise<PostgresServer>;
  mariadb(settings?: Record<string, string>, own?: boolean): Promise<MariadbServer>;
  /** With a bucket called `lake`. */
  bucket(): Promise<MotoServer>;
}

export interface PairKind {
  /** As in `--pair`, and behind the `@` of an attack's id. */
  name: string;
  /** For people. */
  title: string;
  /** Says why its servers cannot be started on this machine; without it they come with npm, and npm test attacks them. */
  missing?: () => string | undefined;
  from: 'postgres' | 'mysql' | 'rest' | 'singer';
  to: 'lake' | 'postgres' | 'mysql';
  openSource(servers: Servers, options: OpenOptions): Promise<SourceSide>;
  /** Returns what makes the side once the folder of the project is known. */
  openDestination(servers: Servers, options: OpenOptions): Promise<(folder: string) => DestinationSide>;
}

type From = Pick<PairKind, 'from' | 'openSource' | 'missing'>;
type To = Pick<PairKind, 'to' | 'openDestination' | 'missing'>;

const fromPostgres: From = {
  from: 'postgres',
  openSource: async (servers, { settings, encoding }) =>
    PostgresSide.open(await servers.server(settings), encoding === undefined ? {} : { encoding }),
};

const toLake: To = { to: 'lake', openDestination: async () => (folder) => new LakeSide(folder) };

const toBucket: To = {
  to: 'lake',
  missing: motoMissing,
  openDestination: async (servers) => {
    const { endpoint } = await servers.bucket();
    return (folder) => new BucketSide(folder, endpoint);
  },
};

const toPostgres: To = {
  to: 'postgres',
  openDestination: async (servers, { target: { settings, encoding, own } = {} }) => {
    const server = await servers.server(settings, own);
    const side = await PostgresTargetSide.open(server, encoding === undefined ? {} : { encoding });
    return () => side;
  },
};

const fromMysql: From = {
  from: 'mysql',
  missing: mariadbMissing,
  openSource: async (servers, { settings }) => MysqlSide.open(await servers.mariadb(settings)),
};

const toMysql: To = {
  to: 'mysql',
  missing: mariadbMissing,
  openDestination: async (servers, { target: { settings, own } = {} }) => {
    const side = await MysqlTargetSide.open(await servers.mariadb(settings, own));
    return () => side;
  },
};

const fromRest: From = { from: 'rest', openSource: () => ApiSide.open('rest') };

const fromSinger: From = { from: 'singer', openSource: () => ApiSide.open('singer') };

/** The first one is meant where an id names none. */
export const PAIRS: readonly [PairKind, ...PairKind[]] = [
  { name: 'postgres-lake', title: 'PostgreSQL to a lake', ...fromPostgres, ...toLake },
  { name: 'postgres-s3', title: 'PostgreSQL to a lake on S3', ...fromPostgres, ...toBucket },
  { name: 'postgres-postgres', title: 'PostgreSQL to PostgreSQL', ...fromPostgres, ...toPostgres },
  { name: 'postgres-mysql', title: 'PostgreSQL to MariaDB', ...fromPostgres, ...toMysql },
  { name: 'mysql-postgres', title: 'MariaDB to PostgreSQL', ...fromMysql, ...toPostgres },
  { name: 'mysql-mysql', title: 'MariaDB to MariaDB', ...fromMysql, ...toMysql },
  { name: 'mysql-lake', title: 'MariaDB to a lake', ...fromMysql, ...toLake },
  { name: 'rest-postgres', title: 'REST to PostgreSQL', ...fromRest, ...toPostgres },
  { name: 'rest-lake', title: 'REST to a lake', ...fromRest, ...toLake },
  { name: 'rest-mysql', title: 'REST to MariaDB', ...fromRest, ...toMysql },
  { name: 'singer-postgres', title: 'Singer to PostgreSQL', ...fromSinger, ...toPostgres },
  { name: 'singer-lake', title: 'Singer to a lake', ...fromSinger, ...toLake },
];

function readsApi({ from }: PairKind): boolean {
  return from === 'rest' || from === 'singer';
}

function named(fits: (pair: PairKind) => boolean): readonly string[] {
  return PAIRS.filter(fits).map(({ name }) => name);
}

/** For attacks that know nothing of a pair but its sides, of which one is a database that they write to. */
export const FROM_DATABASES: readonly string[] = named((pair) => !readsApi(pair));

export const FROM_APIS: readonly string[] = named(readsApi);

export const FROM_TAPS: readonly string[] = named(({ from }) => from === 'singer');

/** For attacks on databases that are written to, whatever they read. */
export const TO_DATABASES: readonly string[] = named((pair) => !readsApi(pair) && pair.to !== 'lake');

export function kindOf(pair: string): PairKind {
  return PAIRS.find(({ name }) => name === pair)!;
}

/** For attacks on what PostgreSQL itself may do to those who write to it. */
export const POSTGRES_TO_POSTGRES: readonly string[] = ['postgres-postgres'];
