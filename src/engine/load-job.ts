/** What loading a planned stream takes, and what it comes to. */
import type { Destination } from '../core/destination.ts';
import type { Listener } from '../core/events.ts';
import type { Snapshot } from '../core/source.ts';
import type { Checkpoint } from '../core/stream.ts';
import type { TableStructure } from '../core/structure.ts';
import type { KeptHome } from '../gate/kept-storage.ts';
import type { LoadCounts } from './count-load.ts';
import type { Planned } from './plan-stream.ts';
import type { Slots } from './slots.ts';

export interface LoadJob {
  planned: Planned;
  source: Snapshot;
  /** Foreign keys refer to tables of the destination. */
  structure: TableStructure | undefined;
  destination: Destination;
  run: string;
  fence: number;
  /** The lease was taken from somebody who may still be alive: shut them out first. */
  takenOver: boolean;
  /** The table has nothing but what this run has loaded, of which nothing comes again. */
  apart: boolean;
  /** The user chose the window: the watermark stays where it is. */
  ownWindow: boolean;
  /** Slices of all streams that are read at once: each has a connection and an engine. */
  slots: Slots;
  signal: AbortSignal;
  emit: Listener;
  /** Of the connection that is loaded. */
  quarantine: KeptHome;
  /** Something was committed: failures before it no longer count. */
  progressed(): void;
  counts: LoadCounts;
}

/** What a load has come to. */
export interface LoadOutcome {
  checkpoint: Checkpoint | undefined;
  /** Of the last commit; undefined when there was nothing to commit. */
  version: number | undefined;
  /** Rows that its slices have read. */
  read: number;
  /** Rows that they have put aside beside those. */
  aside: number;
  /** The table holds nothing but what was read. */
  alone: boolean;
}
