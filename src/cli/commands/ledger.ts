import { formatBytes, formatCount } from '../../core/units.ts';
import type { FileMark } from '../../core/ledger.ts';
import { plural } from '../../observe/plural.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { selectPipelines } from '../run-options.ts';

/** `sluice ledger show|reload`: which files streams have loaded. */
export const ledger: Command = async (invocation) =>
  invocation.spec.name === 'ledger reload' ? reload(invocation) : show(invocation);

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
  for (const name of selectPipelines(context.project, pipeline === undefined ? [] : [pipeline])) {
    for (const { stream, committed } of await services.showState(context, name, select)) {
      const files = Object.entries(committed?.checkpoint?.ledger?.files ?? {});
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
