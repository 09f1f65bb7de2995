/** What comparisons of tables have in common when they are told to people. */
import type { RowDifference } from '../engine/verify-types.ts';
import { cellText } from '../observe/table.ts';
import { padEnd, padStart, textWidth } from '../observe/text-width.ts';

interface Difference extends Pick<RowDifference, 'key' | 'columns'> {
  kind: string;
}

/** A line for each stream below `heading`, and what has to be said about it. */
export function renderStreams<T extends { stream: string }>(
  heading: string,
  streams: readonly T[],
  say: { count: (stream: T) => string; verdict: (stream: T) => string; details: (stream: T) => string[] },
): string {
  const lines = [heading];
  if (streams.length === 0) lines.push('  no stream matches');
  const names = Math.max(...streams.map(({ stream }) => textWidth(stream)), 0);
  const counts = streams.map(say.count);
  const widest = Math.max(...counts.map(textWidth), 0);
  streams.forEach((stream, i) => {
    const head = `  ${padEnd(stream.stream, names)}   ${padStart(counts[i]!, widest)}`;
    lines.push(`${head}   ${say.verdict(stream)}`, ...say.details(stream));
  });
  return lines.join('\n');
}

/** `2 changed (id 7, 8), 1 missing (id 1204)`: of kinds that there are, their text, number and keys. */
export function kindParts<T extends Difference>(
  differences: readonly T[],
  kinds: readonly (readonly [kind: T['kind'], text: string, count: number])[],
): string {
  return kinds
    .filter(([, , count]) => count > 0)
    .map(([kind, text, count]) => {
      const named = differences.filter((row) => row.kind === kind);
      return `${number(count)} ${text}${keyList(named, count)}`;
    })
    .join(', ');
}

/** Of keys with one column, its name is said once. `count`: how many rows there are in all. */
export function keyList(rows: readonly Pick<RowDifference, 'key'>[], count: number): string {
  if (rows.length === 0) return '';
  const columns = Object.keys(rows[0]!.key);
  const shown =
    columns.length === 1
      ? [`${columns[0]} ${rows.map(({ key }) => cellText(key[columns[0]!])).join(', ')}`]
      : rows.map(({ key }) =>
          Object.entries(key)
            .map(([name, value]) => `${name} ${cellText(value)}`)
            .join(', '),
        );
  const more = count > rows.length ? [`and ${number(count - rows.length)} more`] : [];
  return ` (${[...shown, ...more].join(columns.length === 1 ? ', ' : '; ')})`;
}

/** In which columns values differ, most often first; nothing where none do. */
export function differingColumns(differences: readonly Pick<RowDifference, 'columns'>[]): string[] {
  const columns = new Map<string, number>();
  for (const { columns: names } of differences)
    for (const name of names) columns.set(name, (columns.get(name) ?? 0) + 1);
  if (columns.size === 0) return [];
  const most = [...columns].toSorted(([, a], [, b]) => b - a);
  return [`values differ in ${most.map(([name, count]) => `${name} (${number(count)})`).join(', ')}`];
}

/** With all digits: whoever compares wants to know exactly. */
export function number(count: number): string {
  return new Intl.NumberFormat('en-US').format(count);
}
