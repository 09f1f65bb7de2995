import { formatSeconds } from '../core/units.ts';
import type { StreamComparison, VerifyReport } from '../engine/verify-types.ts';
import type { Style } from '../observe/style.ts';
import { differingColumns, kindParts, number, renderStreams } from './comparison-text.ts';

/** What a comparison found, for people: a line for each stream, and what has to be said about it. */
export function renderVerification(report: VerifyReport, style: Style): string {
  const { pipeline, from, to, streams, seconds } = report;
  const compared = style.dim(`compared in ${formatSeconds(seconds)}`);
  return renderStreams(`${style.bold(pipeline)}   ${from} → ${to}   ${compared}`, streams, {
    count: countText,
    verdict: (stream) => verdict(stream, style),
    details: (stream) => detailLines(stream, style),
  });
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
  const parts = kindParts(differences, [
    ['changed', 'changed', changed],
    ['missing', 'missing', missing],
    ['extra', 'extra', extra],
  ]);
  const tail = waiting > 0 ? `; ${number(waiting)} waiting for the next run` : '';
  return `${number(changed + missing + extra + 0)} differ: ${parts}${tail}`;
}

function detailLines(stream: StreamComparison, style: Style): string[] {
  const { differences, notes, status, error } = stream;
  const lines = differingColumns(differences);
  if (status !== 'skipped') lines.push(...notes);
  if (error?.remedy !== undefined) lines.push(error.remedy);
  return lines.map((line) => `    ${style.dim(line)}`);
}
