import { formatCount } from '../core/units.ts';
import type { PipelinePlan, StreamPlan } from '../engine/types.ts';
import { plural } from '../observe/plural.ts';
import type { Style } from '../observe/style.ts';
import { type Column, renderTable } from '../observe/table.ts';
import { textWidth } from '../observe/text-width.ts';

export interface PlanTextOptions {
  readonly style: Style;
  /** Also the SQL of each stream. */
  readonly sql: boolean;
  /** How to carry the plan out. */
  readonly next: string;
}

const COLUMNS: readonly Column[] = [
  { title: 'stream' },
  { title: 'load' },
  { title: 'window' },
  { title: 'slices', align: 'right' },
  { title: '~rows', align: 'right' },
  { title: 'table changes' },
];

const LOADED_BY: Column = { title: '~loaded by' };

const GONE: Record<NonNullable<StreamPlan['deletes']>, string> = {
  remove: 'rows of the table that are gone from the source are removed',
  flag: 'rows of the table that are gone from the source are flagged',
  end: 'versions of rows that are gone from the source end',
};

/** A plan for people: what a run would read and write, and what holds it back. */
export function renderPlan(plan: PipelinePlan, options: PlanTextOptions): string {
  const { style } = options;
  const from = `${plan.from.connection} (${plan.from.title})`;
  const to = `${plan.to.connection} (${plan.to.title})`;
  const lines = [`${style.bold(plan.pipeline)}   ${from} → ${to}`, ''];
  const planned = plan.streams.filter((stream) => !stream.error);
  // As far as the source can say how many rows come.
  const ways = planned.some(({ loadedBy }) => loadedBy !== undefined);
  if (planned.length > 0)
    lines.push(
      renderTable(
        ways ? COLUMNS.toSpliced(-1, 0, LOADED_BY) : COLUMNS,
        planned.map((stream) => row(stream, ways, style)),
        { paintTitle: style.dim },
      ),
      '',
    );
  if (plan.streams.length === 0) lines.push('  no stream matches', '');
  // Of a catalog, people know what it says.
  for (const stream of planned)
    if (stream.columnsFound === true && (stream.action === 'first-load' || stream.action === 'reload'))
      lines.push(...foundLines(stream, style));
    else if (options.sql) lines.push(...sqlLines(stream, style));
  lines.push(...noteLines(planned));
  for (const { stream, indexesOff } of planned)
    if (indexesOff !== undefined)
      lines.push(
        `  ${stream.name}: ${plural(indexesOff, 'index', 'indexes')} of the table are taken away and made again after the load (--keep-indexes)`,
      );
  for (const { stream, deletes } of planned)
    if (deletes !== undefined) lines.push(`  ${stream.name}: all keys are compared, and ${GONE[deletes]}`);
  for (const warning of plan.warnings) {
    lines.push(
      `  ${style.yellow('!')} ${warning.stream === undefined ? '' : `${warning.stream}: `}${warning.message}`,
    );
    if (warning.remedy !== undefined) lines.push(`    ${warning.remedy}`);
  }
  for (const { stream, error } of plan.streams) {
    if (!error) continue;
    lines.push(
      `  ${style.red('✗')} ${error.message.includes(stream.name) ? '' : `${stream.name}: `}${error.message}`,
    );
    if (error.remedy !== undefined) lines.push(`    ${error.remedy}`);
  }
  lines.push(`  nothing was written. ${options.next}`);
  return lines.join('\n');
}

function row(plan: StreamPlan, ways: boolean, style: Style): string[] {
  const { stream, slices, estimatedRows, changes } = plan;
  const idle = plan.action === 'nothing-new';
  return [
    stream.name,
    stream.load,
    idle ? style.dim(idleText(plan)) : `${plan.window}${suffix(plan)}`,
    idle ? '' : String(slices.length),
    idle || estimatedRows === undefined ? '' : formatCount(estimatedRows),
    ...(ways ? [loadedBy(plan)] : []),
    changes.length === 0 ? style.dim('none') : style.cyan(changes.join(', ')),
  ];
}

function idleText({ stream, window, watermark }: StreamPlan): string {
  return stream.files
    ? `nothing to load: ${window}`
    : `nothing new since ${watermark.before ?? 'the last run'}`;
}

const REASONS = { size: '', asked: ' (asked for)', server: ' (nothing else is allowed)' };

function loadedBy({ loadedBy: expected }: StreamPlan): string {
  return expected ? `${expected.method ?? 'by their number'}${REASONS[expected.why]}` : '';
}

function suffix({ action }: StreamPlan): string {
  switch (action) {
    case 'first-load':
      return ' (first load)';
    case 'resume':
      return ' (goes on with the first load)';
    case 'reload':
      return ' (again from the beginning)';
    case 'load':
    case 'nothing-new':
      return '';
  }
}

const MOST_COLUMNS = 40;

/** How records are read, and what was found in them. */
function foundLines({ stream, sql, columns = [] }: StreamPlan, style: Style): string[] {
  const shown = columns.slice(0, MOST_COLUMNS).map(({ name, type }) => `${name} ${style.dim(type)}`);
  const more = columns.length - shown.length;
  if (more > 0) shown.push(`and ${plural(more, 'more column')} (--json has all)`);
  return [`  ${stream.name}: ${sql}`, ...wrapped(shown).map((line) => `    ${line}`), ''];
}

const LINE_WIDTH = 110;

function wrapped(items: readonly string[]): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last === undefined || textWidth(last) + textWidth(item) + 2 > LINE_WIDTH) lines.push(item);
    else lines[lines.length - 1] = `${last}, ${item}`;
  }
  return lines;
}

function sqlLines({ stream, sql, target }: StreamPlan, style: Style): string[] {
  const text = sql.split('\n').map((line) => `    ${line}`);
  return [`  ${stream.name} → ${target}`, ...text.map(style.dim), ''];
}

/** Streams that are held back by the same thing share one line. */
function noteLines(streams: readonly StreamPlan[]): string[] {
  const byNote = new Map<string, string[]>();
  for (const { note, stream } of streams) {
    if (note !== undefined) byNote.set(note, [...(byNote.get(note) ?? []), stream.name]);
  }
  return [...byNote].map(([note, names]) => {
    const shown =
      names.length > 3 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more` : names.join(', ');
    return `  ${shown}: ${note}`;
  });
}
