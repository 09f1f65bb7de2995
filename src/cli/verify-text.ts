import { formatSeconds } from '../core/units.ts';
import type { RowDifference, StreamComparison, VerifyReport } from '../engine/verify-types.ts';
import type { Style } from '../observe/style.ts';
import { cellText } from '../observe/table.ts';
import { padEnd, padStart, textWidth } from '../observe/text-width.ts';

/** What a comparison found, for people: a line for each stream, and what has to be said about it. */
export function renderVerification(report: VerifyReport, style: Style): string {
  const { pipeline, from, to, streams, seconds } = report;
  const lines = [
    `${style.bold(pipeline)}   ${from} → ${to}   ${style.dim(`compared in ${formatSeconds(seconds)}`)}`,
  ];
  if (streams.length === 0) lines.push('  no stream matches');
  const names = Math.max(...streams.map(({ stream }) => textWidth(stream)), 0);
  const counts = streams.map(countText);
  const widest = Math.max(...counts.map(textWidth), 0);
  streams.forEach((stream, i) => {
    const head = `  ${padEnd(stream.stream, names)}   ${padStart(counts[i]!, widest)}`;
    lines.push(`${head}   ${verdict(stream, style)}`, ...detailLines(stream, style));
  });
  return lines.join('\n');
}

function countText({ status, rows }: StreamComparison): string {
  if (status === 'skipped' || status === 'failed') return '';
  return `${number(Math.max(rows.source, rows.target))} rows`;
}

function verdict(stream: StreamComparison, style: Style): string {
  switch (stream.status) {
    case 'equal':
      return style.green('equal') + equalTail(stream);
    case 'differs':
      return style.red(differText(stream));
    case 'skipped':
      return style.yellow(`not compared: ${stream.notes.join('; ')}`);
    case 'failed':
      return style.red(`✗ ${stream.error?.message ?? 'failed'}`);
  }
}

/** Counts that were not taken for a difference. */
function equalTail({ extra, waiting }: StreamComparison): string {
  const parts = [
    extra > 0 ? `${number(extra)} only in the target` : undefined,
    waiting > 0 ? `${number(waiting)} waiting for the next run` : undefined,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : `, ${parts.join(', ')}`;
}

/** `3 differ: 2 changed (order_id 77120, 90211), 1 missing (order_id 1204)` */
function differText(stream: StreamComparison): string {
  const { changed, missing, extra, waiting, differences } = stream;
  const parts = (
    [
      ['changed', changed],
      ['missing', missing],
      ['extra', extra],
    ] as const
  )
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => {
      const named = differences.filter((row) => row.kind === kind);
      return `${number(count)} ${kind}${keyList(named, count)}`;
    });
  const tail = waiting > 0 ? `; ${number(waiting)} waiting for the next run` : '';
  return `${number(changed + missing + extra + 0)} differ: ${parts.join(', ')}${tail}`;
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

function detailLines(stream: StreamComparison, style: Style): string[] {
  const { differences, notes, status, error } = stream;
  const lines: string[] = [];
  const columns = new Map<string, number>();
  for (const { columns: names } of differences)
    for (const name of names) columns.set(name, (columns.get(name) ?? 0) + 1);
  if (columns.size > 0) {
    const most = [...columns].toSorted(([, a], [, b]) => b - a);
    lines.push(`values differ in ${most.map(([name, count]) => `${name} (${number(count)})`).join(', ')}`);
  }
  if (status !== 'skipped') lines.push(...notes);
  if (error?.remedy !== undefined) lines.push(error.remedy);
  return lines.map((line) => `    ${style.dim(line)}`);
}

/** With all digits: whoever compares wants to know exactly. */
export function number(count: number): string {
  return new Intl.NumberFormat('en-US').format(count);
}
