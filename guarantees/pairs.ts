/** The pairs of systems that are attacked. A pair joins with one line, and with a side for each system that is new. */
import type { PostgresServer } from '../src/testing/postgres-server.ts';
import { LakeSide } from './lake-side.ts';
import { PostgresSide } from './postgres-side.ts';
import { PostgresTargetSide } from './postgres-target-side.ts';
import type { DestinationSide, SourceSide } from './sides.ts';

export interface OpenOptions {
  /** Settings of the source's server; a server with them is started once and kept. */
  settings?: Record<string, string>;
  /** Encoding of the source's database. */
  encoding?: string;
  /** The same of the destination, where it is a database. */
  target?: { settings?: Record<string, string>; encoding?: string };
}

/** Servers that are started when they are first asked for. */
export interface Servers {
  server(settings?: Record<string, string>): Promise<PostgresServer>;
}

export interface PairKind {
  /** As in `--pair`, and behind the `@` of an attack's id. */
  name: string;
  /** For people. */
  title: string;
  from: 'postgres';
  to: 'lake' | 'sql';
  openSource(servers: Servers, options: OpenOptions): Promise<SourceSide>;
  /** Returns what makes the side once the folder of the project is known. */
  openDestination(servers: Servers, options: OpenOptions): Promise<(folder: string) => DestinationSide>;
}

type From = Pick<PairKind, 'from' | 'openSource'>;
type To = Pick<PairKind, 'to' | 'openDestination'>;

const fromPostgres: From = {
  from: 'postgres',
  openSource: async (servers, { settings, encoding }) =>
    PostgresSide.open(await servers.server(settings), encoding === undefined ? {} : { encoding }),
};

const toLake: To = { to: 'lake', openDestination: async () => (folder) => new LakeSide(folder) };

const toPostgres: To = {
  to: 'sql',
  openDestination: async (servers, { target: { settings, encoding } = {} }) => {
    const server = await servers.server(settings);
    const side = await PostgresTargetSide.open(server, encoding === undefined ? {} : { encoding });
    return () => side;
  },
};

/** The first one is meant where an id names none. */
export const PAIRS: readonly [PairKind, ...PairKind[]] = [
  { name: 'postgres-lake', title: 'PostgreSQL to a lake', ...fromPostgres, ...toLake },
  { name: 'postgres-postgres', title: 'PostgreSQL to PostgreSQL', ...fromPostgres, ...toPostgres },
];

/** For attacks that write to PostgreSQL, and know nothing of a destination but its side. */
export const FROM_POSTGRES: readonly string[] = PAIRS.filter(({ from }) => from === 'postgres').map(
  ({ name }) => name,
);

/** For attacks on what PostgreSQL itself may do to those who write to it. */
export const TO_POSTGRES: readonly string[] = ['postgres-postgres'];
