import type { ExportConfig } from './export.ts';
import type { FileCompression, FileFormat } from './ledger.ts';
import type { AlertThresholds, ProjectAlerts } from './alerts.ts';
import type {
  DatePart,
  LoadCheck,
  LoadMethod,
  MaxBad,
  LoadStrategy,
  PartitionBy,
  SchemaRules,
} from './stream.ts';

/** A project as the user writes it (YAML or TypeScript), after parsing. */
export interface Project {
  /** Folder that relative paths start from. */
  directory: string;
  connections: Record<string, ConnectionConfig>;
  pipelines: Record<string, PipelineConfig>;
  /** Where leases and run history live: `sqlite` in the project folder, or the lake of the named connection. */
  state: { type: 'sqlite'; path: string } | { type: 'lake'; connection: string };
  /** Memory for one run in all, bytes. */
  memoryBytes: number;
  /** Bytes of the wire that close a batch; undefined: as usual. */
  batchBytes?: number | undefined;
  alerts?: ProjectAlerts | undefined;
  metrics?: MetricsConfig | undefined;
}

export interface MetricsConfig {
  /** Text file that each run writes, relative to the project. */
  prometheus?: string | undefined;
}

export interface ConnectionConfig {
  /** Name of a connector. */
  type: string;
  [option: string]: unknown;
}

export interface PipelineConfig {
  from: string;
  to: string;
  schedule?: string | undefined;
  timezone?: string | undefined;
  alerts?: AlertThresholds | undefined;
  defaults?: StreamOptions | undefined;
  /** Name or wildcard → options; false leaves it out. Explicit entries win over wildcards. */
  streams: Record<string, StreamOptions | false>;
}

/** Options of one stream as the user writes them; durations and sizes are already numbers. */
export interface StreamOptions {
  load?: LoadStrategy | undefined;
  table?: string | undefined;
  sql?: string | undefined;
  files?: string | FilesOptions | undefined;
  cursor?: string | string[] | undefined;
  cursor_timezone?: string | undefined;
  key?: string | string[] | undefined;
  lookback?: { column: string; days: number } | undefined;
  /** Seconds. */
  first_run?: number | undefined;
  /** Seconds. */
  overlap?: number | undefined;
  null_cursor?: 'load' | 'skip' | undefined;
  date?: string | { column: string; timezone?: string | undefined; by?: DatePart | undefined } | undefined;
  partition_by?: PartitionBy | undefined;
  columns?: string[] | { include?: string[] | undefined; exclude?: string[] | undefined } | undefined;
  rename?: Record<string, string> | undefined;
  types?: Record<string, string> | undefined;
  where?: string | undefined;
  slice_rows?: number | undefined;
  slice_by?: string | string[] | undefined;
  verify?: LoadCheck | undefined;
  load_method?: 'auto' | LoadMethod | undefined;
  load_columns?: boolean | undefined;
  deletes?: DeletesMode | DeletesOptions | undefined;
  alerts?: AlertThresholds | undefined;
  max_bad?: number | string | MaxBad | undefined;
  schema?:
    | SchemaRules['policy']
    | { [Name in keyof SchemaRules]?: SchemaRules[Name] | undefined }
    | undefined;
  export?: string | ExportOptions | undefined;
  checks?: Record<string, string> | undefined;
  compute?: Record<string, string> | undefined;
}

export type DeletesMode = 'keep' | 'flag' | 'remove';

/** As the user writes it. */
export interface DeletesOptions {
  how: DeletesMode;
  /** Rows, or a share such as `50 %`. */
  at_most?: number | string | undefined;
}

/** How a stream becomes a file, as the user writes it. */
export type ExportOptions = Omit<ExportConfig, 'zone'> & { timezone?: string | undefined };

/** How files are found and read, as the user writes it. */
export interface FilesOptions {
  path: string;
  name?: string | undefined;
  format?: FileFormat | undefined;
  compression?: FileCompression | undefined;
  encoding?: string | undefined;
  header?: boolean | undefined;
  delimiter?: string | undefined;
  quote?: string | false | undefined;
  escape?: string | undefined;
  null?: string | string[] | undefined;
  decimal?: ',' | '.' | undefined;
  thousands?: string | undefined;
  date?: string | undefined;
  skip?: number | undefined;
  flatten?: number | undefined;
  file_column?: string | false | undefined;
  changed?: 'report' | 'reload' | undefined;
}
