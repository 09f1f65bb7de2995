/** What a table writer keeps of each load until the commit. */
import type { StageOptions } from '../../../core/destination.ts';
import type { SqlSession, TargetColumn } from './system.ts';

export type Way = 'open' | 'temporary' | 'aside';

/** Private part of a Load. */
export interface Parts {
  way: Way;
  /** Holds the open transaction; undefined for loads aside. */
  session: SqlSession | undefined;
  /** Quoted table with the rows; the user's own for open loads. */
  table: string;
  columns: TargetColumn[];
  rows: number;
  /** Rows that an open load has deleted. */
  deleted: number;
  /** Of a load aside, whose rows are compared with those of the table when all of them are together. */
  distinct?: StageOptions['distinct'];
}

export function wayOf({ supersede, together, distinct }: StageOptions): Way {
  if (together || supersede.kind === 'everything') return 'aside';
  const meets = 'key' in supersede || supersede.kind === 'groups' || supersede.kind === 'gone';
  return distinct || meets ? 'temporary' : 'open';
}

export function sumOf(parts: readonly Parts[]): number {
  return parts.reduce((sum, part) => sum + part.rows, 0);
}

/** Loads that share a hidden table are added with it, as one. */
export function byTable(parts: readonly Parts[]): Parts[] {
  const groups = Map.groupBy(parts, (part) => (part.way === 'aside' ? part.table : part));
  return [...groups.values()].map((same) => ({ ...same[0]!, rows: sumOf(same) }));
}

/** What was done before the transaction of a commit, on systems where DDL would end it. */
export interface DoneBefore {
  /** The session is in no transaction of ours any more. */
  ended: boolean;
  /** Has all rows that take the place of everything. */
  hidden?: string;
  /** It is to take the name of the user's table; else only its rows go there. */
  swaps?: boolean;
}
