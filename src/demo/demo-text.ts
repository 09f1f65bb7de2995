/** How the demo talks to people. */
import { relative } from 'node:path';
import { formatBytes, formatExact, formatSeconds } from '../core/units.ts';
import type { Progress, ProgressOutput } from '../observe/progress-types.ts';
import type { Style } from '../observe/style.ts';
import { renderTable } from '../observe/table.ts';
import type { LoadFacts } from './day-facts.ts';
import type { DayCounts } from './shop.ts';
import type { TableComparison } from './verify.ts';

/** Where the demo shows itself; the terminal of the command line is one. */
export interface Screen {
  readonly style: Style;
  readonly noteStyle: Style;
  readonly stderr: ProgressOutput;
  print(text: string): void;
  /** Tells which progress owns stderr now. */
  attach(progress: Progress | undefined): void;
}

const INDENT = 3;

/** Numbered chapters with short lines below; silent when a program reads the output. */
export class Story {
  readonly #screen: Screen;
  readonly #silent: boolean;
  #chapter = 0;

  constructor(screen: Screen, silent: boolean) {
    this.#screen = screen;
    this.#silent = silent;
  }

  get style(): Style {
    return this.#screen.style;
  }

  chapter(title: string): void {
    this.#chapter += 1;
    this.say('');
    this.#print(`${this.style.cyan(String(this.#chapter))}  ${this.style.bold(title)}`);
  }

  /** Indented; a text of several lines is indented as a whole. */
  say(text: string): void {
    this.#print(indent(text, INDENT));
  }

  /** As it is written, for the lines outside of the chapters. */
  plain(text: string): void {
    this.#print(text);
  }

  #print(text: string): void {
    if (!this.#silent) this.#screen.print(text);
  }
}

export function indent(text: string, spaces: number): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : ' '.repeat(spaces) + line))
    .join('\n');
}

export function tableOfCounts(rows: readonly (readonly [string, number])[], style: Style): string {
  return renderTable(
    [{ title: 'table' }, { title: 'rows', align: 'right' }],
    rows.map(([name, count]) => [name, formatExact(count)]),
    { indent: 0, paintTitle: style.dim },
  );
}

const LOADS = [
  { title: 'load', width: 13 },
  { title: 'rows in the lake', width: 16 },
  { title: 'rows read', width: 9 },
  { title: '', width: 6 },
  { title: 'new', width: 5 },
  { title: 'late', width: 4 },
  { title: 'doubled', width: 7 },
  { title: 'time', width: 6 },
] as const;

/** Widths are fixed: each line is printed when its load has finished. */
export function loadTitles(style: Style): string {
  return style.dim(line(LOADS.map(({ title }) => title)));
}

export function loadLine({ load, rows, read, loaded, late, doubled, seconds }: LoadFacts): string {
  const share = `${((100 * read) / Math.max(1, rows)).toFixed(2)} %`;
  const numbers = [rows, read].map(formatExact);
  return line([load, ...numbers, share, ...[loaded, late, doubled].map(formatExact), formatSeconds(seconds)]);
}

/** `+ loyalty_tier utf8` of a table, as a person would say it. */
export function changeText(change: string): string {
  const [table, sign, column] = change.split(' ');
  return sign === '+' && column !== undefined ? `${table} has a new column: ${column}` : change;
}

function line(cells: readonly string[]): string {
  const padded = cells.map((cell, i) => {
    const width = LOADS[i]?.width ?? 0;
    return i === 0 ? cell.padEnd(width) : cell.padStart(width);
  });
  return padded.join('  ').trimEnd();
}

export const DAY_INTRODUCTION: string = [
  'Four tills write at the same time. One keeps its transactions open while the others finish theirs, which is how',
  'loaders lose rows: when these appear, their time is older than what has been read already.',
  '',
  '"rows read" counts the last second before a load again, in case something was still open then; "new" is what the',
  'lake did not have; "late" are new rows with an older time than rows that the lake had already.',
].join('\n');

export function dayText(day: DayCounts, loads: readonly LoadFacts[]): string {
  const { inserted, updated, rolledBack, lateCommits } = day;
  const late = loads.reduce((sum, load) => sum + load.late, 0);
  const lines = [
    `The day brought ${formatExact(inserted)} new rows and ${formatExact(updated)} changes; ${formatExact(rolledBack)} more were rolled back.`,
    `${formatExact(lateCommits)} transactions ended after others that had begun later.`,
  ];
  if (late > 0) {
    const rows = late === 1 ? 'the late row' : `the ${formatExact(late)} late rows`;
    lines.push(`Asking for "updated_at newer than the newest one known" would have skipped ${rows}.`);
  }
  return lines.join('\n');
}

export function comparisonTable(tables: readonly TableComparison[], style: Style): string {
  return renderTable(
    [
      { title: 'table' },
      { title: 'rows in the shop', align: 'right' },
      { title: 'rows in the lake', align: 'right' },
      { title: 'columns', align: 'right' },
      { title: '' },
    ],
    tables.map(({ table, rows, columns, equal }) => [
      table,
      formatExact(rows.database),
      formatExact(rows.lake),
      String(columns),
      equal ? style.green('equal') : style.red('different'),
    ]),
    { indent: 0, paintTitle: style.dim },
  );
}

export function differenceLines(tables: readonly TableComparison[]): string {
  const found = tables.flatMap(({ table, differences }) =>
    differences.map(({ kind, what }) => `${table} (${what}): ${kind}`),
  );
  return found.join('\n');
}

/** `9 files, 41.2 MB`. */
export function sizeText(files: number, bytes: number): string {
  return `${formatExact(files)} files, ${formatBytes(bytes)}`;
}

/** What to try next: a command or file, and what it is good for. */
export function nextSteps(folder: string | undefined): string {
  const program = programName(process.argv, process.execPath);
  // In a clone, `npm run demo` is what everybody starts it with.
  const demo = process.env['npm_lifecycle_event'] === 'demo' ? 'npm run demo --' : `${program} demo`;
  const steps =
    folder === undefined
      ? [
          [`${demo} --directory ./demo`, 'the same, and the folder stays for you to look around'],
          [`${program} init`, 'writes a sluice.yaml for a database of yours'],
          [`${program} --help`, 'all commands'],
        ]
      : [
          [
            `${demo} --directory ${folder}`,
            'opens the database again, until Ctrl-C; then, in another terminal:',
          ],
          [`${program} plan --project ${folder}`, 'what the next load would do'],
          [`${program} catalog tables --project ${folder}`, 'what is in the lake; needs no database'],
          [`${folder}/sluice.yaml`, 'the project; change it and plan again'],
        ];
  const width = Math.max(...steps.map(([what = '']) => what.length));
  return steps.map(([what = '', why = '']) => `  ${what.padEnd(width)}   ${why}`).join('\n');
}

/** How this program was started, to show what else can be started that way. */
export function programName(argv: readonly string[], executable: string): string {
  const script = argv[1] ?? '';
  if (/[/\\]node_modules[/\\](?:\.bin|sluice)[/\\]/.test(script)) return 'npx sluice';
  if (/[/\\]sluice$/.test(script)) return 'sluice';
  // In a clone there is no command, and the `node` of the machine may be an old one.
  return [executable, script].map(shorter).join(' ');
}

function shorter(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}
