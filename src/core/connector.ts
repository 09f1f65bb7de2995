import type { z } from 'zod';
import type { Destination } from './destination.ts';
import type { StreamOptions } from './project.ts';
import type { Source } from './source.ts';
import type { ObjectStorage } from './storage.ts';

/**
 * Everything the program knows of one kind of system. The registry, the command line, the JSON Schema and the
 * documentation read nothing else.
 */
export interface Connector<Options = unknown> {
  readonly name: string;
  readonly title: string;
  readonly summary: string;
  /** Every field has a description; secrets are marked with `.meta({ secret: true })`. */
  readonly options: z.ZodType<Options>;
  readonly capabilities: Capabilities;
  /** The options that a URL such as `postgres://…` stands for; undefined when the URL is not ours, or not in this role. */
  fromUrl(url: string, role?: 'source' | 'destination'): unknown;
  /** The stream that a URL of a source stands for, where streams have to be described before they can be read; `to`: where it goes. */
  streamFromUrl?(url: string, to: Capabilities): { name: string; options: StreamOptions } | undefined;
  openSource?(options: Options, context: ConnectorContext): Promise<Source>;
  openDestination?(options: Options, context: ConnectorContext): Promise<Destination>;
  /** Where the system keeps objects, for systems that do: leases can live beside the data, and the catalog reads it. */
  openStorage?(options: Options, context: ConnectorContext): Promise<ObjectStorage>;
}

export interface Capabilities {
  readonly source: boolean;
  readonly destination: boolean;
  /** Data and checkpoint commit in one step. */
  readonly atomicCommit: boolean;
  /** Its source computes in a DuckDB of its own, which gets a part of the memory: always, or for some streams. */
  readonly engine?: boolean | ((stream: StreamOptions) => boolean);
  /** The destination keeps versions of rows (`Supersede` of kind `versions`), which `load: scd2` needs. */
  readonly versions?: boolean;
  /** The destination writes files: `export` says how. */
  readonly exports?: boolean;
  /** Forms that the destination takes without decoding, see `BytesReader.direct`. */
  readonly accepts?: readonly string[];
}

export interface ConnectorContext {
  /** Name of the connection in the project, for messages. */
  readonly name: string;
  /** Folder that relative paths start from. */
  readonly directory: string;
  /** Bytes of memory that this connector may use for buffers and engines. */
  readonly memoryBytes: number;
  readonly workers: number;
  /** Bytes of the wire that close a batch; undefined: as usual. */
  readonly batchBytes?: number | undefined;
}
