/**
 * Tables of the same names beside those that readers see: a place called `shadow` has what a pipeline would load, one called
 * `former` what readers saw before. Each table has its own checkpoint, wherever it is.
 */
import type { Destination, History } from './destination.ts';

/** Of readers. */
export const READERS = '';
export const SHADOW = 'shadow';
export const FORMER = 'former';

/** The history of shadow runs of a pipeline is one of its own: readers see nothing of them. */
export function shadowHistory(pipeline: string): string {
  return `${pipeline} (shadow)`;
}

export interface SideTables {
  /** The tables of a place, to be loaded and compared like any. Whoever asks closes it, before the destination that it is of. */
  at(place: string): Promise<Destination>;
  /** A table of a place, for people. */
  name(place: string, table: string): string;
  /**
   * Puts tables of one place where readers look, and those that were there in another place, each with its checkpoint, while the
   * leases of all are held. For each table it has happened or it has not, whatever ends the process; `together` says whether
   * that is so for all of them at once. Grants and indexes of the readers' table are given to the one that takes its place.
   * Throws ConfigError `shadow.held` when something of the user's would stay with the old table, and ConflictError when somebody
   * has committed since `versions` were read; then nothing has changed.
   */
  exchange(exchange: Exchange, signal: AbortSignal): Promise<void>;
  readonly together: boolean;
  /** Called first by whoever holds the leases: brings to an end what somebody who was killed has begun. */
  settle(tables: readonly string[], signal: AbortSignal): Promise<void>;
  /** Forgets tables of a place and what is known of them; those that are not there are no error. */
  drop(place: string, tables: readonly string[], signal: AbortSignal): Promise<void>;
}

export interface Exchange {
  tables: readonly ExchangedTable[];
  /** Whose tables readers get. */
  from: string;
  /** Where those go that readers had; what is there is dropped. */
  to: string;
  run: string;
}

export interface ExchangedTable {
  table: string;
  /** Of the table that readers get. */
  history?: History | undefined;
  /** Of the lease of the readers' table. */
  fence: number;
  /** As they were when it was decided; undefined: readers have none. */
  versions: { from: number; readers: number | undefined };
}
