/** Puts together what can be wrong with the values of a column: what reading does to them, and what the target does. Pure. */
import type { ColumnLimits, Fate, Limit, Problem, Suspicion } from '../../core/diagnose.ts';

/** A condition that is true for values that something is wrong with; never an error for those that no earlier one is true for. */
export interface ValueCheck {
  problem: Problem;
  fate: Fate;
  sql: string;
}

/** The system has no means to tell. */
export const UNKNOWN: unique symbol = Symbol('unknown');

export type Condition = string | typeof UNKNOWN | undefined;

/** A column of the source with what its catalog says. */
export interface SourceColumn {
  field: string;
  nullable: boolean;
  /** The column itself. */
  value: string;
  /** What reading it changes or refuses. */
  own: readonly ({ problem: Problem; fate: Fate; sql: Exclude<Condition, undefined> } | undefined)[];
  /** When a value is beyond a limit; undefined when none of its type can be. */
  breaks(limit: Limit): Condition;
}

export interface ColumnChecks {
  field: string;
  /** In an order in which the first that is true counts. */
  checks: ValueCheck[];
}

/** What is refused hides what else would be changed, and what becomes NULL is not looked at any more. */
const ORDER = ['own refused', 'own null', 'refused', 'null', 'own altered', 'altered'];

export function checksOf(
  column: SourceColumn,
  limits: ColumnLimits | undefined,
  unknown: Suspicion[],
): ColumnChecks {
  const { field, value } = column;
  const takesNull = limits?.nullable ?? true;
  const found: (ValueCheck & { rank: number })[] = [];
  const add = (
    { problem, fate, sql }: { problem: Problem; fate: Fate; sql: Condition },
    own: boolean,
  ): void => {
    if (sql === undefined) return;
    if (sql === UNKNOWN) {
      unknown.push({ field, problem });
      return;
    }
    const rank = ORDER.indexOf(own ? `own ${fate}` : fate);
    found.push({ problem, fate: fate === 'null' && !takesNull ? 'refused' : fate, sql, rank });
  };
  for (const check of column.own) if (check) add(check, true);
  for (const limit of limits?.limits ?? []) add({ ...limit, sql: column.breaks(limit) }, false);
  if (!takesNull && column.nullable)
    found.push({ problem: 'null', fate: 'refused', sql: `${value} IS NULL`, rank: 2 });
  return { field, checks: found.toSorted((a, b) => a.rank - b.rank) };
}
