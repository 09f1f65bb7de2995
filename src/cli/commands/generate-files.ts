import { formatBytes, formatCount, formatSeconds } from '../../core/units.ts';
import { readFileForm } from '../../generate/files/file-form.ts';
import type { GeneratedFile } from '../../generate/files/generate-files.ts';
import { plural } from '../../observe/plural.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readFaults, readModelOptions, usageError } from '../generate-options.ts';
import { printJson } from '../output.ts';
import { openProgressLine } from '../progress-line.ts';
import { readCount } from '../run-options.ts';

const COLUMNS: readonly Column[] = [
  { title: 'table' },
  { title: 'files', align: 'right' },
  { title: 'records', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'broken', align: 'right' },
  { title: 'last file' },
];

/** `sluice generate files`. */
export const generateFiles: Command = async (invocation) => {
  const { flags, services, terminal, json, signal } = invocation;
  const changeColumn = flags.text('change-column');
  if (changeColumn !== undefined && !flags.on('changes'))
    throw usageError('--change-column goes with --changes: a file with everything tells of no changes');
  const model = readModelOptions(flags);
  const options = {
    form: readFileForm(invocation.arguments[0]!),
    tables: flags.list('table'),
    days: readCount(flags, 'days'),
    content: flags.on('changes') ? ('changes' as const) : undefined,
    changeColumn,
    faults: readFaults(flags),
    manifest: flags.text('manifest'),
    force: flags.on('force'),
    signal,
  };
  const started = performance.now();
  const line = openProgressLine(terminal);
  const files = await services
    .generateFiles(model, {
      ...options,
      onProgress: ({ path, records, total }) =>
        line.show(`${path}   ${formatCount(records)} of ${plural(total, 'record')}`),
    })
    .finally(() => line.close());
  const seconds = (performance.now() - started) / 1000;
  if (json) {
    for (const file of files) printJson(terminal, { kind: 'generated-file', ...file });
    const { records, bytes, faults } = total(files);
    printJson(terminal, { kind: 'generated', files: files.length, records, bytes, faults, seconds });
    return EXIT.ok;
  }
  const tables = [...new Set(files.map(({ table }) => table))];
  const rows = tables.map((table) => {
    const own = files.filter((file) => file.table === table);
    const { records, bytes, broken } = total(own);
    return [
      table,
      formatCount(own.length),
      formatCount(records),
      formatBytes(bytes),
      broken > 0 ? formatCount(broken) : '',
      own.at(-1)!.path,
    ];
  });
  const { records, bytes } = total(files);
  terminal.print(renderTable(COLUMNS, rows, { paintTitle: terminal.style.dim }));
  terminal.print(
    `${terminal.style.green('✓')} ${plural(records, 'record')} in ${plural(files.length, 'file')}, ${formatBytes(bytes)}, in ${formatSeconds(seconds)}`,
  );
  return EXIT.ok;
};

interface Total {
  records: number;
  bytes: number;
  broken: number;
  faults: Record<string, number>;
}

function total(files: readonly GeneratedFile[]): Total {
  const sum: Total = { records: 0, bytes: 0, broken: 0, faults: {} };
  for (const file of files) {
    sum.records += file.records;
    sum.bytes += file.bytes;
    for (const [kind, count] of Object.entries(file.faults)) {
      sum.faults[kind] = (sum.faults[kind] ?? 0) + count;
      sum.broken += count;
    }
  }
  return sum;
}
