import { shadowHistory } from '../../core/side-tables.ts';
import type { RunRecord } from '../../core/state.ts';
import { formatBytes, formatCount, formatSeconds } from '../../core/units.ts';
import { type Figures, figuresOf, figuresOfRun } from '../../observe/figures.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { closing } from '../connections.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { readCount, selectPipelines } from '../run-options.ts';

/** How many runs are shown when nobody says. */
const SHOWN = 20;

/** `sluice runs`: the history of runs, newest first. */
export const runs: Command = async (invocation) => {
  const { services, terminal, json, flags } = invocation;
  const limit = readCount(flags, 'limit') ?? SHOWN;
  const context = await services.openProject(invocation.project);
  const pipelines = selectPipelines(context.project, invocation.arguments);
  const store = await services.openState(context);
  await closing(store, async () => {
    let first = true;
    for (const pipeline of pipelines.flatMap((name) => [name, shadowHistory(name)])) {
      const found = await store.runs({ pipeline, limit });
      if (found.length === 0 && !pipelines.includes(pipeline)) continue;
      if (json) for (const run of found) printJson(terminal, exact(run));
      else terminal.print(`${first ? '' : '\n'}${runsText(invocation, pipeline, found)}`);
      first = false;
    }
  });
  return EXIT.ok;
};

function exact(run: RunRecord): object {
  const streams = run.streams.map((stream) => ({ ...stream, figures: figuresOf(stream) }));
  return { ...run, figures: figuresOfRun(run), streams };
}

const FIGURES: readonly Column[] = [
  'took',
  'read',
  'loaded',
  'quarantined',
  'deleted',
  'skipped',
  'rows/s',
  'bytes',
  'written',
  'changes',
  'retries',
].map((title) => ({ title, align: 'right' }));

function runsText(
  { terminal: { style }, flags }: Invocation,
  pipeline: string,
  found: readonly RunRecord[],
): string {
  const title = style.bold(pipeline);
  if (found.length === 0) return `${title}   never run`;
  const byStream = flags.on('streams');
  const rows = found.flatMap((run) =>
    byStream
      ? run.streams.map((stream) => [
          shortTime(run.startedAt),
          stream.stream,
          stream.status,
          ...figureCells(figuresOf(stream)),
          '',
        ])
      : [
          [
            shortTime(run.startedAt),
            run.status,
            ...(run.finishedAt === undefined ? FIGURES.map(() => '') : figureCells(figuresOfRun(run))),
            [...new Set(run.alerts?.map(({ alert }) => alert))].join(', '),
          ],
        ],
  );
  const names: Column[] = byStream ? [{ title: 'stream' }] : [];
  const columns: Column[] = [
    { title: 'started' },
    ...names,
    { title: 'status' },
    ...FIGURES,
    { title: byStream ? '' : 'alerts' },
  ];
  return `${title}\n${renderTable(columns, rows, { paintTitle: style.dim })}`;
}

/** In the order of the columns. What is zero as a rule is left out. */
function figureCells(figures: Figures): string[] {
  const some = (count: number): string => (count > 0 ? formatCount(count) : '');
  return [
    formatSeconds(figures.seconds),
    formatCount(figures.rows),
    formatCount(figures.loaded),
    some(figures.quarantined),
    some(figures.deleted),
    some(figures.skipped),
    some(figures.rowsPerSecond),
    formatBytes(figures.bytes),
    formatBytes(figures.written),
    some(figures.changes),
    some(figures.retries),
  ];
}

/** `2026-07-25 01:00:00Z` */
function shortTime(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')}Z`;
}
