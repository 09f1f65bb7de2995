import type { Fate, Problem, Suspicion } from '../core/diagnose.ts';
import type { ErrorInfo } from '../core/events.ts';
import type { RunWindow } from '../core/stream.ts';

export interface DiagnoseOptions {
  /** Names or wildcards of streams; all when empty. */
  select?: string[] | undefined;
  /** As if everything were to be loaded again. */
  fullRefresh?: boolean | undefined;
  /** Streams loaded by date: only these days. */
  window?: RunWindow | undefined;
  /** False: only catalogs are read. */
  scan?: boolean | undefined;
  /** Most rows of a stream that are looked at; all unless told. */
  rows?: number | undefined;
  /** Most rows that are named for each finding; counts are exact whatever it is. 5 unless told. */
  limit?: number | undefined;
  memoryBytes?: number | undefined;
  onEvent?: ((event: DiagnoseEvent) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** What happens while a pipeline is looked through. */
export type DiagnoseEvent =
  | { kind: 'diagnose-started'; stream: string; estimatedRows: number | undefined }
  | { kind: 'diagnose-finished'; stream: string; status: StreamDiagnosis['status'] };

export interface DiagnosisReport {
  pipeline: string;
  from: string;
  to: string;
  /** The worst of the streams. */
  status: StreamDiagnosis['status'];
  /** The source's clock at the moment that was looked at. */
  at: string;
  seconds: number;
  streams: StreamDiagnosis[];
}

export interface StreamDiagnosis {
  stream: string;
  table: string;
  /**
   * `fits`: what is loaded is what the source has. `changes`: some values would be changed by rule. `unknown`: not all could
   * be, or was to be, looked at. `refused`: something would stop the load. `failed`: it cannot be planned or read.
   */
  status: 'fits' | 'changes' | 'unknown' | 'refused' | 'failed';
  findings: DiagnosedProblem[];
  /** Rows that were looked at; undefined: the catalogs say all. */
  rows: number | undefined;
  /** There are more rows than were looked at. */
  partial: boolean;
  /** What was not looked for since nothing was to be scanned. */
  open: Suspicion[];
  /** What the source has no means to look for. */
  unknown: Suspicion[];
  /** What was not looked at, and why, for people. */
  notes: string[];
  seconds: number;
  error: ErrorInfo | undefined;
}

export interface DiagnosedProblem {
  /** Names in the target: a column, or those of the key. */
  columns: string[];
  /** Type of the column in the target. */
  type: string | undefined;
  problem: Problem;
  /** What the load makes of it: NULL, another value, or an error. */
  fate: Fate;
  /** Undefined: all. */
  rows: number | undefined;
  /** Some of the rows, by their keys as the source writes them. */
  keys: Record<string, string | null>[];
  /** What can be done about it. */
  remedy: string;
}
