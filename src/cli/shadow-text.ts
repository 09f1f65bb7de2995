import { formatSeconds } from '../core/units.ts';
import type { ExchangeReport, ShadowComparison, ShadowReport } from '../engine/shadow-types.ts';
import type { Style } from '../observe/style.ts';
import { differingColumns, kindParts, number, renderStreams } from './comparison-text.ts';

/** What a comparison of shadow tables found, for people: a line for each stream, and what has to be said about it. */
export function renderShadow(report: ShadowReport, style: Style): string {
  const { pipeline, to, streams, seconds } = report;
  const compared = style.dim(`compared in ${formatSeconds(seconds)}`);
  return renderStreams(`${style.bold(pipeline)}   ${to}, shadow against present   ${compared}`, streams, {
    count: countText,
    verdict: (stream) => verdict(stream, style),
    details: (stream) => detailLines(stream, style),
  });
}

function countText({ status, rows }: ShadowComparison): string {
  if (status === 'failed' || status === 'absent') return '';
  if (status === 'new' || rows.present === rows.shadow) return `${number(rows.shadow)} rows`;
  return `${number(rows.present)} → ${number(rows.shadow)} rows`;
}

function verdict(stream: ShadowComparison, style: Style): string {
  switch (stream.status) {
    case 'equal':
      return style.green('equal');
    case 'new':
      return style.yellow('new: there is no present table');
    case 'absent':
      return style.yellow(`not loaded: there is no ${stream.shadow}`);
    case 'failed':
      return style.red(`✗ ${stream.error?.message ?? 'failed'}`);
    case 'differs':
      return style.red(differText(stream));
  }
}

/** `12 rows differ: 2 changed (id 7, 8), 10 only shadow (id 101, …)` */
function differText({ changed, onlyPresent, onlyShadow, differences, changes }: ShadowComparison): string {
  const parts = kindParts(differences, [
    ['changed', 'changed', changed],
    ['only-present', 'only present', onlyPresent],
    ['only-shadow', 'only shadow', onlyShadow],
  ]);
  const rows = changed + onlyPresent + onlyShadow;
  if (rows > 0) return `${number(rows)} ${rows === 1 ? 'row differs' : 'rows differ'}: ${parts}`;
  return changes.length > 0 ? 'the same rows in other columns' : 'the same rows, other versions of them';
}

function detailLines({ changes, differences, notes, error }: ShadowComparison, style: Style): string[] {
  const lines: string[] = [];
  if (changes.length > 0) lines.push(changes.join('; '));
  lines.push(...differingColumns(differences), ...notes);
  if (error?.remedy !== undefined) lines.push(error.remedy);
  return lines.map((line) => `    ${style.dim(line)}`);
}

/** What became of the tables. */
export function renderExchange(report: ExchangeReport, style: Style): string {
  const { pipeline, status, tables, comparison } = report;
  const lines = comparison ? [renderShadow(comparison, style)] : [];
  if (status === 'refused') {
    lines.push(
      style.red('not promoted: readers have what they had'),
      style.dim('--force promotes tables that differ'),
    );
    return lines.join('\n');
  }
  const head = {
    promoted: report.already ? 'promoted before, and nothing is beside' : 'promoted',
    'rolled-back': 'rolled back',
    dropped: 'dropped',
  }[status];
  lines.push(
    `${style.bold(pipeline)}   ${style.green(head)}${tables.length === 0 ? ': nothing was there' : ''}`,
  );
  for (const { stream, was } of tables)
    lines.push(
      `  ${stream}   ${was === undefined ? 'new' : status === 'dropped' ? was : `was kept as ${was}`}`,
    );
  return lines.join('\n');
}
