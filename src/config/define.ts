/** What a TypeScript project imports. Everything here returns plain data: nothing is checked or read before it is loaded. */
import type { CustomOptions } from '../connectors/custom/options.ts';
import type { DuckdbOptionsInput } from '../connectors/duckdb/options.ts';
import type { DumpOptionsInput } from '../connectors/dump/options.ts';
import type { FilesOptionsInput } from '../connectors/files/options.ts';
import type { LakeOptionsInput } from '../connectors/lake/options.ts';
import type { MysqlOptionsInput } from '../connectors/mysql/options.ts';
import type { PostgresOptionsInput } from '../connectors/postgres/options.ts';
import type { RestOptionsInput } from '../connectors/rest/options.ts';
import type { SingerOptionsInput } from '../connectors/singer/options.ts';
import { ConfigError } from '../core/errors.ts';
import type { ConnectionConfig, MetricsConfig, PipelineConfig, StreamOptions } from '../core/project.ts';
import type { Placeholder } from './environment.ts';

/** A number, alone or with its unit, or what the environment says. */
type Amount = number | `${number}${string}` | Placeholder;
/** A duration such as `30 days` or `1h 30m`, or a number of seconds. */
type Duration = Amount;
/** A size such as `512 MiB` or `128 MB`, or a number of bytes. */
type Size = Amount;

/** Options as written: what is not text already may come from the environment, {@link env}, and what is a number or a text is an amount. */
export type Written<Options> = {
  [Name in keyof Options]: NonNullable<Options[Name]> extends string | number | boolean
    ? (string | number extends Options[Name] ? Amount | undefined : Options[Name]) | Placeholder
    : Options[Name];
};

/** What to be told of. `false` takes away what the project or the pipeline has set. */
interface AlertDefinition {
  /** Rows in quarantine, of those that were read: `1 %`, or a number of percent. */
  error_rate?: Amount | false | undefined;
  duration?: Duration | false | undefined;
  min_rows_per_second?: number | false | undefined;
  staleness?: Duration | false | undefined;
  failed?: boolean | undefined;
}

interface WebhookDefinition {
  url: string;
  headers?: Record<string, string> | undefined;
  /** For one attempt; 10 seconds when absent. */
  timeout?: Duration | undefined;
  /** Attempts after the first one; 2 when absent. */
  retries?: number | undefined;
}

export interface StreamDefinition extends Written<Omit<StreamOptions, 'first_run' | 'overlap' | 'alerts'>> {
  alerts?: AlertDefinition | undefined;
  first_run?: Duration | undefined;
  overlap?: Duration | undefined;
}

export interface PipelineDefinition<Connection extends string = string> extends Omit<
  PipelineConfig,
  'from' | 'to' | 'alerts' | 'defaults' | 'streams'
> {
  from: Connection;
  to: Connection;
  alerts?: AlertDefinition | undefined;
  defaults?: Omit<StreamDefinition, 'table' | 'sql' | 'alerts'> | undefined;
  /** Name or wildcard → options; true takes the defaults, false leaves it out. Explicit entries win over wildcards. */
  streams: Record<string, StreamDefinition | boolean>;
}

/** A project as `sluice.config.ts` exports it, with the names of its connections and of its pipelines. */
export interface ProjectDefinition<Connection extends string = string, Pipeline extends string = string> {
  connections: Record<Connection, ConnectionConfig>;
  pipelines?: Record<Pipeline, PipelineDefinition<NoInfer<Connection>>> | undefined;
  /** `sqlite` in the project folder when absent. */
  state?:
    | 'sqlite'
    | { type: 'sqlite'; path?: string | undefined }
    | { type: 'lake'; connection: NoInfer<Connection> }
    | undefined;
  /** Memory for one run in all; `512 MiB` when absent. */
  memory?: Size | undefined;
  /** Bytes that close a batch of rows; `8 MiB` when absent. */
  batch_bytes?: Size | undefined;
  alerts?: (AlertDefinition & { webhook?: string | WebhookDefinition | undefined }) | undefined;
  metrics?: MetricsConfig | undefined;
}

/** Gives the types; the project itself is returned as it is. */
export function defineProject<const Connection extends string, const Pipeline extends string>(
  project: ProjectDefinition<Connection, Pipeline>,
): ProjectDefinition<Connection, Pipeline> {
  return project;
}

/**
 * Stands for an environment variable, whose value is filled in when the project is loaded: alone, or as part of a
 * text (`${env('HOST')}:5432`). So the project itself never holds a secret, and every missing variable is reported at
 * once. To decide something by a variable, read `process.env`.
 */
export function env(name: string, fallback?: string): Placeholder {
  if (!/^[A-Za-z_]\w*$/.test(name) || fallback?.includes('}') || fallback?.includes('${')) {
    throw new ConfigError(
      `env("${name}"): a name is letters, digits and "_", and a default holds neither "}" nor "\${"`,
      {
        code: 'config.env',
      },
    );
  }
  return fallback === undefined ? `\${${name}}` : `\${${name}:-${fallback}}`;
}

/** A connection to PostgreSQL. */
export function postgres(options: Written<PostgresOptionsInput>): ConnectionConfig {
  return { type: 'postgres', ...options };
}

/** A connection to MySQL or MariaDB. */
export function mysql(options: Written<MysqlOptionsInput>): ConnectionConfig {
  return { type: 'mysql', ...options };
}

/** A DuckDB database file. */
export function duckdb(options: Written<DuckdbOptionsInput>): ConnectionConfig {
  return { type: 'duckdb', ...options };
}

/** Files in a folder or a bucket. */
export function files(options: Written<FilesOptionsInput>): ConnectionConfig {
  return { type: 'files', ...options };
}

/** A dump of a database, in plain SQL. */
export function dump(options: Written<DumpOptionsInput>): ConnectionConfig {
  return { type: 'dump', ...options };
}

/** A REST API. */
export function rest(options: Written<RestOptionsInput>): ConnectionConfig {
  return { type: 'rest', ...options };
}

/** A Singer tap. */
export function singer(options: Written<SingerOptionsInput>): ConnectionConfig {
  return { type: 'singer', ...options };
}

/** What `sluice singer-target` takes from standard input. */
export function singerMessages(): ConnectionConfig {
  return { type: 'singer-messages' };
}

/** Code of the project that yields records: each stream has an async generator. */
export function custom(options: CustomOptions): ConnectionConfig {
  return { type: 'custom', ...options };
}

/** A connection to a lake of Parquet files. */
export function lake(options: Written<LakeOptionsInput>): ConnectionConfig {
  return { type: 'lake', ...options };
}
