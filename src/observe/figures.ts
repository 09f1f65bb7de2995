/** The figures of a run, from its record in the history: for `sluice runs`, metrics and alerts alike. */
import type { RunRecord, RunStreamRecord } from '../core/state.ts';

export interface Figures {
  seconds: number;
  rows: number;
  loaded: number;
  quarantined: number;
  /** Rows of tables that are gone from the source, and were removed or flagged. */
  deleted: number;
  /** Rows that were read and are not loaded: those of an overlap, or that a later one of the load takes the place of. */
  skipped: number;
  /** Read from the source. */
  bytes: number;
  written: number;
  rowsPerSecond: number;
  /** Changes of the schema of tables. */
  changes: number;
  retries: number;
}

export function figuresOf(stream: RunStreamRecord): Figures {
  // Records of earlier versions lack some.
  const { seconds, rows, loaded, bytes, quarantined = 0, deleted = 0 } = stream;
  const { written = 0, changes = [], retries = 0 } = stream;
  return {
    seconds,
    rows,
    loaded,
    quarantined,
    deleted,
    skipped: stream.skipped ?? Math.max(0, rows - loaded - quarantined),
    bytes,
    written,
    rowsPerSecond: perSecond(rows, seconds),
    changes: changes.length,
    retries,
  };
}

/** Of all streams together; the seconds are those of the run, in which streams run side by side. */
export function figuresOfRun(run: RunRecord): Figures {
  const streams = run.streams.map(figuresOf);
  const sum = (of: (figures: Figures) => number): number =>
    streams.reduce((total, figures) => total + of(figures), 0);
  const seconds =
    run.finishedAt === undefined ? 0 : (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000;
  const rows = sum((figures) => figures.rows);
  return {
    seconds,
    rows,
    loaded: sum((figures) => figures.loaded),
    quarantined: sum((figures) => figures.quarantined),
    deleted: sum((figures) => figures.deleted),
    skipped: sum((figures) => figures.skipped),
    bytes: sum((figures) => figures.bytes),
    written: sum((figures) => figures.written),
    rowsPerSecond: perSecond(rows, seconds),
    changes: sum((figures) => figures.changes),
    retries: sum((figures) => figures.retries) + (run.retries ?? 0),
  };
}

function perSecond(rows: number, seconds: number): number {
  return seconds > 0 ? rows / seconds : 0;
}

/** Whether a run with this status has brought the stream up to date. */
export function upToDate(status: string): boolean {
  return status === 'loaded' || status === 'nothing-new';
}
