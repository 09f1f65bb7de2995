import type { ErrorInfo } from '../core/events.ts';
import type { RunWindow } from '../core/stream.ts';

export interface VerifyOptions {
  /** Names or wildcards of streams; all when empty. */
  select?: string[] | undefined;
  /** Most rows of a stream that are named; counts are exact whatever it is. 20 unless told. */
  limit?: number | undefined;
  /** Streams loaded by date: only these days. */
  window?: RunWindow | undefined;
  /** Rows that only the target has are counted, and not taken for a difference. */
  ignoreExtra?: boolean | undefined;
  /** Rows that the next run reads anyway have to be equal too. */
  strict?: boolean | undefined;
  memoryBytes?: number | undefined;
  onEvent?: ((event: VerifyEvent) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** What happens while a pipeline is verified. */
export type VerifyEvent =
  | { kind: 'verify-started'; stream: string; estimatedRows: number | undefined }
  /** One side has answered with its checksums. */
  | { kind: 'verify-checksums'; stream: string; side: 'source' | 'target'; rows: number; seconds: number }
  /** Rows of so many buckets are looked at one by one. */
  | { kind: 'verify-narrowed'; stream: string; buckets: number; of: number }
  | { kind: 'verify-finished'; stream: string; status: StreamComparison['status'] };

export interface VerifyReport {
  pipeline: string;
  from: string;
  to: string;
  /** `failed`: a stream could not be compared, and none differs. */
  status: 'equal' | 'differs' | 'failed';
  /** The source's clock at the moment that was compared. */
  at: string;
  seconds: number;
  peakRssBytes: number;
  streams: StreamComparison[];
}

export interface StreamComparison {
  stream: string;
  table: string;
  /** `skipped`: nothing can be said, and `notes` say why. */
  status: 'equal' | 'differs' | 'skipped' | 'failed';
  /** Rows that were compared. */
  rows: { source: number; target: number };
  /** In the source, not in the target. */
  missing: number;
  /** In the target, not in the source. */
  extra: number;
  /** In both, with other values. */
  changed: number;
  /** Differ, but the next run reads them anyway. */
  waiting: number;
  /** Some of the rows that differ, sorted by kind and key. */
  differences: RowDifference[];
  /** Names in the target of the columns that were compared. */
  columns: string[];
  key: string[];
  /** What the numbers mean and what was left out, for people. */
  notes: string[];
  seconds: { source: number; target: number; total: number };
  error: ErrorInfo | undefined;
}

export interface RowDifference {
  kind: 'changed' | 'missing' | 'extra';
  /** The key as the system writes it; of a table without a key, the first characters of all columns. */
  key: Record<string, string | null>;
  /** Of changed rows: the columns that differ. */
  columns: string[];
}
