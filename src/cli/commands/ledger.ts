import { formatBytes, formatCount } from '../../core/units.ts';
import type { FileMark } from '../../core/ledger.ts';
import { plural } from '../../observe/plural.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { selectPipelines } from '../run-options.ts';
import type { LedgerRebuild, RebuiltFile } from '../../engine/ledger-rebuild.ts';
import { confirm } from '../confirm.ts';

/** `sluice ledger show|reload|forget|rebuild`: which files streams have loaded. */
export const ledger: Command = async (invocation) => {
  switch (invocation.spec.name) {
    case 'ledger reload':
      return reload(invocation);
    case 'ledger forget':
      return forget(invocation);
    case 'ledger rebuild':
      return rebuild(invocation);
    default:
      return show(invocation);
  }
};

const COLUMNS: readonly Column[] = [
  { title: 'file' },
  { title: 'rows', align: 'right' },
  { title: 'bad', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'of' },
  { title: '' },
];

async function show(invocation: Invocation): Promise<number> {
  const { services, terminal, json } = invocation;
  const [pipeline, ...select] = invocation.arguments;
  const context = await services.openProject(invocation.project);
  let shown = 0;
  for (const name of selectPipelines(context.project, pipeline === undefined ? [] : [pipeline])) {
    for (const { stream, committed } of await services.showState(context, name, select)) {
      const files = Object.entries(committed?.checkpoint?.ledger?.files ?? {});
      shown += files.length;
      if (files.length === 0) continue;
      if (json) {
        for (const [file, mark] of files) printJson(terminal, { pipeline: name, stream, file, ...mark });
        continue;
      }
      const rows = files.reduce((sum, [, mark]) => sum + mark.rows, 0);
      terminal.print(
        `${terminal.style.bold(`${name} ${stream}`)}   ${plural(files.length, 'file')}, ${plural(rows, 'row')}`,
      );
      const lines = files.map(([file, mark]) => [
        file,
        formatCount(mark.rows),
        mark.bad > 0 ? formatCount(mark.bad) : '',
        formatBytes(mark.size),
        new Date(mark.modifiedAt).toISOString().slice(0, 19),
        noteOf(mark),
      ]);
      terminal.print(renderTable(COLUMNS, lines, { paintTitle: terminal.style.dim }));
    }
  }
  if (shown === 0 && !json) terminal.note('no files are loaded');
  return EXIT.ok;
}

function noteOf({ left, again }: FileMark): string {
  if (again === true) return 'to be loaded again';
  return left && left.length > 0 ? `${plural(left.length, 'part')} left` : '';
}

async function reload(invocation: Invocation): Promise<number> {
  const { services, terminal, json } = invocation;
  const [pipeline = '', stream = '', ...files] = invocation.arguments;
  const context = await services.openProject(invocation.project);
  selectPipelines(context.project, [pipeline]);
  const marked = await services.reloadFiles(context, pipeline, stream, files);
  if (json) printJson(terminal, { pipeline, stream, files: marked });
  else
    terminal.print(
      `${terminal.style.green('✓')} ${stream}: the next run loads ${plural(marked.length, 'file')} again and replaces the rows`,
    );
  return EXIT.ok;
}

async function forget(invocation: Invocation): Promise<number> {
  const { services, terminal, json, flags } = invocation;
  const [pipeline = '', stream = '', ...files] = invocation.arguments;
  const context = await services.openProject(invocation.project);
  selectPipelines(context.project, [pipeline]);
  if (!flags.on('yes')) {
    terminal.note(
      `The next run loads these files of ${stream} as new. Their rows stay, and with \`load: append\` they are in the table twice then; \`sluice ledger reload\` replaces them.`,
    );
    await confirm(invocation, `forget ${files.join(', ')}?`);
  }
  const gone = await services.forgetFiles(context, pipeline, stream, files);
  if (json) printJson(terminal, { pipeline, stream, files: gone });
  else
    terminal.print(
      `${terminal.style.green('✓')} ${stream}: ${plural(gone.length, 'file')} forgotten; the next run loads what is there of them as new`,
    );
  return EXIT.ok;
}

const MARKS: Readonly<Record<RebuiltFile['mark'], string>> = {
  loaded: '',
  again: 'to be loaded again: other numbers of rows',
  gone: 'not there any more',
  told: 'loaded, as you say',
};

async function rebuild(invocation: Invocation): Promise<number> {
  const { services, terminal, json, flags } = invocation;
  const [pipeline = '', stream = ''] = invocation.arguments;
  const context = await services.openProject(invocation.project);
  selectPipelines(context.project, [pipeline]);
  const dryRun = flags.on('dry-run');
  const [dateColumn, upTo] = [flags.text('date-column'), flags.text('up-to')];
  const work = (how: { dryRun: boolean }): Promise<LedgerRebuild> =>
    services.rebuildLedger(context, pipeline, stream, { ...how, dateColumn, upTo });
  const planned = await work({ dryRun: true });
  if (!json) showRebuild(invocation, planned);
  const { unknown, adopted } = planned;
  if (!dryRun && planned.files.length + unknown.length > 0) {
    // What is not known is refused, whoever agrees.
    if (!flags.on('yes') && unknown.length === 0) {
      const rows = adopted === undefined ? '' : `, and ${plural(adopted, 'row')} of the table for theirs`;
      await confirm(invocation, `take ${plural(planned.files.length, 'file')} for loaded${rows}?`);
    }
    // What the table holds is looked at once more, under the lease of the stream.
    const { files } = await work({ dryRun: false });
    if (!json)
      terminal.print(`${terminal.style.green('✓')} ${stream}: ${plural(files.length, 'file')} in the ledger`);
  } else if (!json && dryRun) terminal.note('nothing was written. To do it, leave out --dry-run');
  if (json) printJson(terminal, { pipeline, stream, dryRun, ...planned });
  return EXIT.ok;
}

function showRebuild({ terminal }: Invocation, found: LedgerRebuild): void {
  const { column, adopted, files, fresh, unknown } = found;
  const columns: readonly Column[] = [
    { title: 'file' },
    { title: 'rows', align: 'right' },
    { title: 'in the file', align: 'right' },
    { title: '' },
  ];
  const lines = files.map(({ file, rows, records, mark }) => [
    file,
    rows === undefined ? '' : formatCount(rows),
    records === undefined ? '' : formatCount(records),
    MARKS[mark],
  ]);
  for (const { file, reason } of unknown) lines.push([file, '', '', `not known: ${reason}`]);
  if (lines.length > 0) terminal.print(renderTable(columns, lines, { paintTitle: terminal.style.dim }));
  if (files.length + fresh.length + unknown.length === 0) {
    terminal.print('nothing to find out: all files that are there are in the ledger');
    return;
  }
  const more = unknown.length > 0 ? `; ${unknown.length} not known` : '';
  terminal.print(
    `by ${column ?? 'what you say'}: ${plural(files.length, 'file')} in the table; ${plural(fresh.length, 'file')} with the next run${more}`,
  );
  if (adopted !== undefined)
    terminal.print(
      `${plural(adopted, 'row')} that Sluice has not loaded become rows of this stream; they stay as they are`,
    );
}
