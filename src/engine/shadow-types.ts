import type { ErrorInfo } from '../core/events.ts';
import type { RowDifference, VerifyEvent } from './verify-types.ts';

export interface ShadowScope {
  /** Names or wildcards of streams; all when empty. */
  select?: string[] | undefined;
  /** The place of the shadow tables, beside those of readers; `shadow` unless told. */
  into?: string | undefined;
  memoryBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface ShadowCompareOptions extends ShadowScope {
  /** Most rows of a stream that are named; counts are exact whatever it is. 20 unless told. */
  limit?: number | undefined;
  onEvent?: ((event: VerifyEvent) => void) | undefined;
}

export interface PromoteOptions extends ShadowCompareOptions {
  /** Whether the tables differ is not looked at. */
  force?: boolean | undefined;
}

export interface ShadowReport {
  pipeline: string;
  from: string;
  to: string;
  into: string;
  /** `failed`: a stream could not be compared or has no shadow table, and none differs. */
  status: 'equal' | 'differs' | 'failed';
  seconds: number;
  streams: ShadowComparison[];
}

/** A shadow table against the present one, which readers see. */
export interface ShadowComparison {
  stream: string;
  table: string;
  /** Name of the shadow table, for people. */
  shadow: string;
  /** `new`: readers have no such table yet. `absent`: there is no shadow table. */
  status: 'equal' | 'differs' | 'new' | 'absent' | 'failed';
  /** All rows, with earlier versions of them. */
  rows: { present: number; shadow: number };
  /** Of those, what was compared: the newest version of each row. */
  compared: { present: number; shadow: number };
  onlyPresent: number;
  onlyShadow: number;
  /** In both, with other values. */
  changed: number;
  /** Columns and key of the shadow table against those of the present one: `+ tier utf8`, `total int32 → int64`. */
  changes: string[];
  /** Some of the rows that differ, sorted by kind and key. */
  differences: ShadowDifference[];
  /** Columns that were compared. */
  columns: string[];
  key: string[];
  /** What the numbers mean and what was left out, for people. */
  notes: string[];
  seconds: number;
  error: ErrorInfo | undefined;
}

export interface ShadowDifference extends Omit<RowDifference, 'kind'> {
  kind: 'changed' | 'only-present' | 'only-shadow';
}

export interface ExchangeReport {
  pipeline: string;
  to: string;
  /** `refused`: the tables differ, and nothing was done. */
  status: 'promoted' | 'rolled-back' | 'dropped' | 'refused';
  /** What readers have now, and where what they had before is; both for people. */
  tables: { stream: string; table: string; was: string | undefined }[];
  /** It was promoted by an earlier call, one that was killed perhaps, and there is no other shadow table since. */
  already?: true;
  /** What was found before a promotion; absent where nothing was compared. */
  comparison?: ShadowReport | undefined;
}
