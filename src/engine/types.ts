import type { Alert } from '../core/alerts.ts';
import type {
  ErrorInfo,
  Listener,
  LoadVerification,
  RunStatus,
  StreamStatus,
  StreamTotals,
} from '../core/events.ts';
import type { GoneRows, LoadedBy } from '../core/destination.ts';
import type { SurveyNote } from '../core/source.ts';
import type { LoadCheck, LoadMethod, RunWindow, Slice, StreamConfig } from '../core/stream.ts';

/** What `plan` prints and `run` does. Nothing has been written when it exists. */
export interface PipelinePlan {
  pipeline: string;
  from: { connection: string; title: string };
  to: { connection: string; title: string };
  /** The database's clock at the snapshot. */
  at: string;
  streams: StreamPlan[];
  warnings: { stream: string | undefined; code: string; message: string; remedy?: string | undefined }[];
}

export interface StreamPlan {
  stream: StreamConfig;
  /** Set when the stream cannot be planned (table missing, cursor unknown …); the others go on. */
  error?: ErrorInfo | undefined;
  action: 'load' | 'nothing-new' | 'first-load' | 'resume' | 'reload';
  /** For people: `updated_at ≥ 2026-07-24 01:05:23.118402+00`, `all`. */
  window: string;
  slices: Slice[];
  estimatedRows: number | undefined;
  estimatedBytes: number | undefined;
  /** `+ loyalty_tier utf8`, `total int32 → int64`; with an error, those that a frozen schema stops at. */
  changes: string[];
  /** Those of the table after the load; absent with an error. */
  columns?: { name: string; type: string }[] | undefined;
  /** Columns and types were found in the values, for the source has no catalog. */
  columnsFound?: boolean | undefined;
  /** Columns of the source that `schema: discard` leaves out. */
  leftOut: string[];
  /** Folder or file name pattern that the load writes. */
  target: string;
  /** What keeps the watermark from rising to the snapshot, or how the horizon was found. */
  note: string | undefined;
  /** What the source has to say of the stream. */
  notes: SurveyNote[];
  /** How many indexes the load takes away and makes again after it; undefined: none. */
  indexesOff?: number | undefined;
  /** Keys of both sides are compared after the load, and rows of the table whose key is gone from the source are flagged or removed, or their versions end. */
  deletes?: GoneRows['how'] | undefined;
  /** Which way each load is expected to go, where there are two; `method` is undefined where nobody knows how many rows come. */
  loadedBy?: { method: LoadMethod | undefined; why: LoadedBy['why'] } | undefined;
  watermark: { before: string | undefined; after: string | undefined };
  sql: string;
}

export interface RunOptions {
  /** Names or wildcards of streams; all when empty. */
  select?: string[] | undefined;
  /** Load the selected streams again from the beginning, replacing what is there in one step. */
  fullRefresh?: boolean | undefined;
  /** Begin a load that was interrupted again from its first part; without it, it goes on. */
  restart?: boolean | undefined;
  window?: RunWindow | undefined;
  /** In the place of what the streams say. */
  verify?: LoadCheck | undefined;
  /** In the place of what the streams say. */
  loadMethod?: 'auto' | LoadMethod | undefined;
  /** Indexes stay on, however many rows come. */
  keepIndexes?: boolean | undefined;
  /** Into tables of this place beside those of readers, which stay as they are: what shadow runs are. */
  into?: string | undefined;
  workers?: number | undefined;
  memoryBytes?: number | undefined;
  /** Bytes of the wire that close a batch. */
  batchBytes?: number | undefined;
  onEvent?: Listener | undefined;
  /** Aborting stops at the next clean point: nothing half-done stays visible. */
  signal?: AbortSignal | undefined;
}

export interface RunReport {
  run: string;
  pipeline: string;
  from: string;
  to: string;
  status: RunStatus;
  startedAt: string;
  seconds: number;
  peakRssBytes: number;
  /** Attempts that failed and were made again, of all streams and of none. */
  retries: number;
  streams: StreamReport[];
  /** Thresholds of the project that were crossed. */
  alerts: Alert[];
}

export interface StreamReport {
  stream: string;
  table: string;
  status: StreamStatus;
  totals: StreamTotals;
  watermark: string | undefined;
  changes: string[];
  warnings: string[];
  /** What was found when the load was compared with its source; undefined where nothing was compared. */
  verification: LoadVerification | undefined;
  /** Files that the load has made, below the folder or prefix of the connection; of destinations that write files. */
  files?: readonly string[] | undefined;
  /** Indexes that were made after the load, and how long that took. */
  indexes?: { made: number; seconds: number } | undefined;
  error: ErrorInfo | undefined;
}
