import type { Problem } from '../core/diagnose.ts';
import { formatSeconds } from '../core/units.ts';
import type { DiagnosedProblem, DiagnosisReport, StreamDiagnosis } from '../engine/diagnose-types.ts';
import type { Style } from '../observe/style.ts';
import { padEnd, padStart, textWidth } from '../observe/text-width.ts';
import { keyList, number } from './comparison-text.ts';

/** What a load would change or refuse, for people: a line for each stream, and below it what was found. */
export function renderDiagnosis(report: DiagnosisReport, style: Style): string {
  const { pipeline, from, to, streams, seconds } = report;
  const lines = [
    `${style.bold(pipeline)}   ${from} → ${to}   ${style.dim(`looked at in ${formatSeconds(seconds)}`)}`,
  ];
  if (streams.length === 0) lines.push('  no stream matches');
  const names = Math.max(...streams.map(({ stream }) => textWidth(stream)), 0);
  const counts = streams.map(({ rows }) => (rows === undefined ? '' : `${number(rows)} rows`));
  const widest = Math.max(...counts.map(textWidth), 0);
  streams.forEach((stream, i) => {
    const head = `  ${padEnd(stream.stream, names)}   ${padStart(counts[i]!, widest)}`;
    lines.push(`${head}   ${verdict(stream, style)}`, ...detailLines(stream, style));
  });
  return lines.join('\n');
}

function verdict({ status, rows, findings, notes, error }: StreamDiagnosis, style: Style): string {
  const refused = findings.filter(({ fate }) => fate === 'refused');
  switch (status) {
    case 'fits':
      if (notes.length > 0) return style.green(notes.join('; '));
      return style.green('fits') + (rows === undefined ? ', by its types: nothing had to be scanned' : '');
    case 'changes':
      return style.yellow(`loads, and ${counted(findings)} would be changed`);
    case 'unknown':
      return style.yellow(
        findings.length === 0 ? 'not known' : `not known; ${counted(findings)} would be changed`,
      );
    case 'refused':
      return style.red(`would not load: ${counted(refused)} would be refused`);
    case 'failed':
      return style.red(`✗ ${error?.message ?? 'failed'}`);
  }
}

function counted(findings: readonly DiagnosedProblem[]): string {
  if (findings.some(({ rows }) => rows === undefined)) return 'all rows';
  const total = findings.reduce((sum, { rows }) => sum + rows!, 0);
  return total === 1 ? '1 value' : `${number(total)} values`;
}

function detailLines(stream: StreamDiagnosis, style: Style): string[] {
  const { findings, partial, rows, open, unknown, notes, status, error } = stream;
  const lines = findings.flatMap((finding) => findingLines(finding, style));
  const dim = (text: string): void => void lines.push(`    ${style.dim(text)}`);
  if (partial) dim(`there are more than the ${number(rows ?? 0)} rows that were looked at (--rows)`);
  if (open.length > 0) dim(`not scanned (--no-scan): ${suspicions(open)}`);
  if (unknown.length > 0) dim(`the source cannot be asked: ${suspicions(unknown)}`);
  if (status !== 'fits') for (const note of notes) dim(note);
  if (error?.remedy !== undefined) dim(error.remedy);
  return lines;
}

function findingLines(finding: DiagnosedProblem, style: Style): string[] {
  const { columns, type, problem, fate, rows, keys, remedy } = finding;
  const mark = fate === 'refused' ? style.red('✗') : style.yellow('!');
  const place = [columns.join(', '), type].filter((part) => part !== undefined).join(' ');
  const named = keyList(
    keys.map((key) => ({ key })),
    rows ?? 0,
  );
  const count = rows === undefined ? 'all rows' : number(rows);
  return [
    `    ${mark} ${place}: ${count} ${PROBLEMS[problem]}, ${fateText(finding)}${named}`,
    `      ${style.dim(remedy)}`,
  ];
}

/** After a number of rows. */
const PROBLEMS: Readonly<Record<Problem, string>> = {
  null: 'NULL',
  'no-value': 'none of the type',
  'too-long': 'too long',
  'too-large': 'too large',
  fraction: 'with more digits than it keeps',
  'out-of-range': 'out of range',
  'not-finite': 'NaN or infinite',
  'negative-zero': 'with -0',
  'zero-character': 'with U+0000',
  'not-json': 'no JSON',
  duplicate: 'with a key that others have',
  misfit: 'of another type',
};

/** What becomes of a value that is neither kept nor NULL. */
const ALTERED: Partial<Readonly<Record<Problem, string>>> = {
  fraction: 'rounded or cut',
  'negative-zero': 'become 0',
  'zero-character': 'become U+FFFD',
};

function fateText({ problem, fate }: DiagnosedProblem): string {
  if (fate === 'refused') return 'refused';
  return fate === 'null' ? 'become NULL' : (ALTERED[problem] ?? 'become another value');
}

/** `total (too large, NaN or infinite), note (with U+0000)` */
function suspicions(found: StreamDiagnosis['open']): string {
  const columns = Map.groupBy(found, ({ field }) => field);
  return [...columns]
    .map(([field, problems]) => `${field} (${problems.map(({ problem }) => PROBLEMS[problem]).join(', ')})`)
    .join(', ');
}
