/** Says of the few rows that are named which they are, and which of their columns differ. */
import type { RowValues } from '../core/compare.ts';
import type { FoundRow } from './match-rows.ts';
import type { Sides } from './verify-sides.ts';
import type { RowDifference, StreamComparison } from './verify-types.ts';

export async function describeRows(
  sides: Sides,
  report: Pick<StreamComparison, 'columns' | 'key'>,
  named: readonly FoundRow[],
): Promise<RowDifference[]> {
  const keyed = report.key.length > 0;
  // Without a key, all of a row is what tells it apart; with one, only changed rows are looked at once more.
  const looked = keyed ? named.filter(({ kind }) => kind === 'changed') : named;
  const wanted = [...new Map(looked.map((row) => [row.key, row])).values()];
  const values =
    wanted.length === 0
      ? { source: [], target: [] }
      : await sides.both(({ rows, request }) => rows.values(request, wanted, sides.signal));
  const keyNames = report.columns.filter((name) => report.key.includes(name));
  return named.map((row) => {
    const of = (rows: readonly RowValues[]): RowValues | undefined => rows.find(({ key }) => key === row.key);
    const [mine, theirs] = [of(values.source), of(values.target)];
    const key = keyed
      ? byName(keyNames, row.names)
      : byName(report.columns, (row.kind === 'extra' ? theirs : mine)?.shown ?? []);
    const columns =
      row.kind === 'changed' && mine && theirs
        ? report.columns.filter((_, i) => mine.canonical[i] !== theirs.canonical[i])
        : [];
    return { kind: row.kind, key, columns };
  });
}

function byName(names: readonly string[], values: readonly (string | null)[]): Record<string, string | null> {
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? null]));
}
