/** Everything that happens in a run, as data. Progress display, logs, metrics and run history are listeners. */
import type { Alert } from './alerts.ts';
import type { LoadedBy } from './destination.ts';
import type { Fetching } from './stream.ts';

export interface StreamTotals {
  /** Read: those that were loaded, put aside, or skipped. */
  rows: number;
  /** Bytes read from the source's wire. */
  bytes: number;
  /** Rows made visible in the destination (after overlap was removed). */
  loaded: number;
  /** Rows that were taken out of the table, or flagged, as their keys are gone from the source; absent where nobody looks. */
  deleted?: number | undefined;
  /** Bytes of files or tables written. */
  written: number;
  /** Rows that were put aside because they do not fit. */
  quarantined: number;
  /** Rows that were read and are not loaded: they were there already, or a later one of the load takes their place. */
  skipped: number;
  /** Attempts that failed and were made again. */
  retries: number;
  /** Values changed by rule, for example NaN in a decimal column → NULL, by column. */
  coerced: Record<string, number>;
  /** Which ways the loads have gone, where there are two. */
  methods?: MethodTotals[] | undefined;
  seconds: number;
}

/** Loads that have gone one way for one reason; a slice is one load. */
export interface MethodTotals extends LoadedBy {
  loads: number;
  rows: number;
  /** Read from the source's wire. */
  bytes: number;
}

export type RunEvent =
  | {
      kind: 'run-started';
      run: string;
      pipeline: string;
      from: string;
      to: string;
      streams: number;
      at: string;
    }
  | {
      kind: 'stream-planned';
      stream: string;
      slices: number;
      estimatedRows: number | undefined;
      window: string;
      /** Of streams of files: `262 files, 261 loaded, 1 new`. */
      found?: string | undefined;
    }
  | { kind: 'stream-started'; stream: string }
  | { kind: 'slice-started'; stream: string; slice: string; index: number; slices: number; attempt: number }
  /** Records of an API, a tap or a program on their way to disk, from which they are loaded: a few times a second. */
  | ({ kind: 'fetching'; stream: string } & Fetching)
  /** At most a few times a second for each slice. */
  | { kind: 'progress'; stream: string; slice: string; rows: number; bytes: number }
  /** `lease` belongs to a stream and no slice, `snapshot` to all streams of the run: what does not apply is empty. */
  | {
      kind: 'step';
      stream: string;
      slice: string;
      step: 'lease' | 'snapshot' | 'staged' | 'publish' | 'published';
      rows?: number;
    }
  | {
      kind: 'slice-committed';
      stream: string;
      slice: string;
      rows: number;
      loaded: number;
      bytes: number;
      /** Which way they have gone, where there are two. */
      by?: LoadedBy | undefined;
      /** Rows that were put aside; absent where nothing is. */
      quarantined?: number | undefined;
      /** From the beginning of reading to the end of the commit, without waiting for the commits of others. */
      seconds: number;
      /** Of which, by step: `load` or what the destination tells, and `commit`. */
      timing: Readonly<Record<string, number>>;
      /** Which end the other one waited for while rows went from one to the other. */
      bound: 'reading' | 'writing';
    }
  | {
      kind: 'retry';
      stream: string;
      slice: string | undefined;
      attempt: number;
      waitMs: number;
      code: string;
      message: string;
    }
  /** How many slices are loaded side by side from now on; with `code` and `message` of the failure that made it fewer. */
  | {
      kind: 'concurrency';
      workers: number;
      of: number;
      code: string | undefined;
      message: string | undefined;
    }
  /** What a load had taken away, or could not have before, was made; `stream` is undefined when it is of several. */
  | {
      kind: 'parts-restored';
      stream: string | undefined;
      part: 'index' | 'foreign key';
      names: string[];
      seconds: number;
    }
  | { kind: 'schema-changed'; stream: string; changes: string[] }
  /** A threshold of the project was crossed. */
  | ({ kind: 'alert' } & Alert)
  | {
      kind: 'warning';
      stream: string | undefined;
      code: string;
      message: string;
      remedy?: string | undefined;
    }
  | {
      kind: 'stream-finished';
      stream: string;
      status: StreamStatus;
      totals: StreamTotals;
      watermark: string | undefined;
      error?: ErrorInfo | undefined;
    }
  /** Keys of source and table were compared; `missing`: keys that only the source has, where they were looked for. */
  | {
      kind: 'keys-compared';
      stream: string;
      how: 'flag' | 'remove' | 'end';
      deleted: number;
      missing: number | undefined;
      seconds: number;
    }
  /** What was loaded was compared with the source. */
  | ({ kind: 'stream-verified'; stream: string } & LoadVerification)
  | { kind: 'run-finished'; run: string; status: RunStatus; seconds: number; peakRssBytes: number };

/** What the check of a load has found. */
export interface LoadVerification {
  by: 'counts' | 'checksums';
  /** `skipped`: nothing can be said, and the notes say why. */
  status: 'equal' | 'differs' | 'skipped';
  /** In the source's snapshot, read by the load, in the table. */
  rows: { source: number; read: number; target: number };
  /** Of checksums: as in the report of `sluice verify`. */
  details?: {
    missing: number;
    extra: number;
    changed: number;
    notes: string[];
    differences: { kind: string; key: Record<string, string | null>; columns: string[] }[];
  };
  seconds: number;
}

export type StreamStatus = 'loaded' | 'nothing-new' | 'failed' | 'stopped' | 'skipped';
export type RunStatus = 'succeeded' | 'failed' | 'partial' | 'stopped';

/** An error as listeners and reports see it: already free of secrets. */
export interface ErrorInfo {
  code: string;
  recovery: string;
  message: string;
  remedy: string | undefined;
}

export type Listener = (event: RunEvent) => void;

/** Delivers events to every listener; a listener that throws is dropped from then on, so none can break a run. */
export function broadcast(listeners: readonly Listener[]): Listener {
  const alive = new Set(listeners);
  return (event) => {
    for (const listener of alive) {
      try {
        listener(event);
      } catch {
        alive.delete(listener);
      }
    }
  };
}
