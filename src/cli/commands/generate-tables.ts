import { formatCount, formatSeconds } from '../../core/units.ts';
import type { GeneratedTable } from '../../generate/tables/table-maker.ts';
import { plural } from '../../observe/plural.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { pickConnections } from '../connections.ts';
import { EXIT } from '../exit-codes.ts';
import { readFaults, readModelOptions, usageError } from '../generate-options.ts';
import { printJson } from '../output.ts';
import { openProgressLine } from '../progress-line.ts';
import { readCount } from '../run-options.ts';

const COLUMNS: readonly Column[] = [
  { title: 'table' },
  { title: 'day' },
  { title: 'inserted', align: 'right' },
  { title: 'updated', align: 'right' },
  { title: 'deleted', align: 'right' },
  { title: 'records', align: 'right' },
  { title: 'broken', align: 'right' },
];

/** Options that say what tables are made of; those that are there know it themselves. */
const MAKING = [
  'model',
  'rows',
  'seed',
  'from',
  'inserts',
  'updates',
  'deletes',
  'drift',
  'days',
  'faults',
  'replace',
];

/** `sluice generate tables`. */
export const generateTables: Command = async (invocation) => {
  const { flags, terminal, json } = invocation;
  const started = performance.now();
  const line = openProgressLine(terminal);
  const tables = await make(invocation, (text) => line.show(text)).finally(() => line.close());
  const seconds = (performance.now() - started) / 1000;
  if (json) {
    for (const table of tables) printJson(terminal, { kind: 'generated-table', ...table });
    printJson(terminal, { kind: 'generated', tables: tables.length, seconds });
    return EXIT.ok;
  }
  terminal.print(renderTable(COLUMNS, tables.map(cells), { paintTitle: terminal.style.dim }));
  const changes = tables.reduce(
    (sum, { inserted, updated, deleted }) => sum + inserted + updated + deleted,
    0,
  );
  const what = flags.text('next') === undefined ? 'record' : 'change';
  terminal.print(`${terminal.style.green('✓')} ${plural(changes, what)} in ${formatSeconds(seconds)}`);
  return EXIT.ok;
};

async function make(invocation: Invocation, show: (text: string) => void): Promise<GeneratedTable[]> {
  const { flags, services, signal } = invocation;
  const next = readCount(flags, 'next');
  const given = MAKING.filter((name) => flags.on(name));
  if (next !== undefined && given.length > 0)
    throw usageError(`--next goes on with tables as they were made: leave out --${given.join(', --')}`);
  const options = {
    tables: flags.list('table'),
    signal,
    onProgress: ({
      table,
      day,
      records,
      total,
    }: {
      table: string;
      day: number;
      records: number;
      total: number;
    }): void => show(`${table}   day ${day}   ${formatCount(records)} of ${plural(total, 'record')}`),
  };
  const model = readModelOptions(flags);
  const making = {
    ...options,
    days: readCount(flags, 'days'),
    replace: flags.on('replace'),
    faults: readFaults(flags),
  };
  const { context, names } = await pickConnections(invocation, 'destination');
  return next === undefined
    ? services.generateTables(context, names[0]!, model, making)
    : services.liveOn(context, names[0]!, next, options);
}

function cells({ table, date, inserted, updated, deleted, records, faults }: GeneratedTable): string[] {
  const broken = Object.values(faults).reduce((sum, count) => sum + count, 0);
  return [table, date, ...[inserted, updated, deleted].map(shown), formatCount(records), shown(broken)];
}

function shown(count: number): string {
  return count > 0 ? formatCount(count) : '';
}
