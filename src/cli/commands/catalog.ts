import { type Catalog, openCatalog } from '../../catalog/index.ts';
import { render, type RowBatches } from '../../catalog/render.ts';
import { engineMemory } from '../../core/memory.ts';
import { formatBytes, formatCount, formatExact } from '../../core/units.ts';
import { plural } from '../../observe/plural.ts';
import { cellText, renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { closing } from '../connections.ts';
import { EXIT } from '../exit-codes.ts';
import { compact, type Compaction, type Lake, openLake, pickTables, planMerges, sweep } from '../lake.ts';
import { outputFormat, printListing } from '../output.ts';
import { readCount } from '../run-options.ts';

type Task = (invocation: Invocation, lake: Lake, catalog: Catalog) => Promise<number>;

const TASKS: Readonly<Record<string, Task>> = {
  'catalog tables': tables,
  'catalog describe': describe,
  'catalog partitions': partitions,
  'catalog query': query,
  'catalog check': check,
  'catalog compact': compactTables,
  'catalog sweep': sweepTables,
};

/** `sluice catalog …`: the tables of a lake. */
export const catalog: Command = async (invocation) => {
  outputFormat(invocation);
  const task = TASKS[invocation.spec.name];
  if (!task) throw new Error(`"${invocation.spec.name}" has no code`);
  const lake = await openLake(invocation);
  const opened = openCatalog({ storage: lake.storage, memoryBytes: engineMemory(lake.memoryBytes) });
  return closing(opened, () => task(invocation, lake, opened));
};

async function tables(invocation: Invocation, _lake: Lake, opened: Catalog): Promise<number> {
  const found = await opened.tables();
  printListing(invocation, {
    columns: [
      { title: 'table' },
      { title: 'rows', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'files', align: 'right' },
      { title: 'partitions', align: 'right' },
      { title: 'loaded at' },
      { title: 'watermark' },
    ],
    objects: found,
    rows: found.map((each) => [
      each.name,
      each.rows,
      each.bytes,
      each.files,
      each.partitions,
      each.loadedAt,
      each.watermark,
    ]),
    show: [undefined, formatCount, formatBytes],
    empty: 'no tables yet',
  });
  return EXIT.ok;
}

async function describe(invocation: Invocation, _lake: Lake, opened: Catalog): Promise<number> {
  const { terminal } = invocation;
  const [name = ''] = invocation.arguments;
  const table = await opened.describe(name);
  if (outputFormat(invocation) === 'table') {
    const { style } = terminal;
    const parts = table.partitionBy
      ? `   in folders by ${table.partitionBy.by} of ${table.partitionBy.column}`
      : '';
    terminal.print(
      `${style.bold(table.name)}   ${plural(table.rows, 'row')}, ${formatBytes(table.bytes)}, ${plural(table.files, 'file')}${parts}`,
    );
    if (table.stream !== undefined)
      terminal.print(
        `  loaded from ${table.stream}${table.watermark === undefined ? '' : `, up to ${table.watermark}`}`,
      );
    for (const view of table.views) terminal.print(`  ${view.name}: ${view.shows}`);
    terminal.print('');
  }
  printListing(invocation, {
    columns: [
      { title: 'column' },
      { title: 'type' },
      { title: 'sql type' },
      { title: 'null' },
      { title: 'key' },
      { title: 'in the source' },
    ],
    objects: [table],
    rows: table.columns.map((each) => [
      each.name,
      each.type,
      each.sqlType,
      each.nullable ? 'yes' : 'no',
      each.key ? 'key' : '',
      each.native ?? '',
    ]),
  });
  if (outputFormat(invocation) === 'table' && table.history.length > 1) {
    const changes = table.history.map(({ version, at, changes: each }) => [
      String(version),
      at,
      cellText(each.join(', ')),
    ]);
    terminal.print(
      `\n${renderTable([{ title: 'commit', align: 'right' }, { title: 'at' }, { title: 'columns changed' }], changes, { indent: 0, paintTitle: terminal.style.dim })}`,
    );
  }
  return EXIT.ok;
}

async function partitions(invocation: Invocation, _lake: Lake, opened: Catalog): Promise<number> {
  const [name = ''] = invocation.arguments;
  const found = await opened.partitions(name);
  printListing(invocation, {
    columns: [
      { title: 'partition' },
      { title: 'rows', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'files', align: 'right' },
    ],
    objects: found,
    rows: found.map((each) => [each.partition, each.rows, each.bytes, each.files]),
    show: [(value) => (value === '' ? '(not partitioned)' : cellText(value)), formatCount, formatBytes],
    empty: 'no files yet',
  });
  return EXIT.ok;
}

/** More rows than this nobody reads in a terminal. */
const TABLE_LIMIT = 1000;

async function query(invocation: Invocation, _lake: Lake, opened: Catalog): Promise<number> {
  const { terminal, flags, signal } = invocation;
  const format = outputFormat(invocation);
  const [sql = ''] = invocation.arguments;
  const limit = readCount(flags, 'limit') ?? (format === 'table' ? TABLE_LIMIT : undefined);
  // One row more tells whether something was left out.
  const { columns, batches } = await opened.select(sql, {
    signal,
    limit: limit === undefined ? undefined : limit + 1,
  });
  const shown = cut(batches, limit ?? Number.POSITIVE_INFINITY);
  for await (const piece of render(format, columns, shown.batches)) terminal.stdout.write(piece);
  if (shown.wasCut() && !flags.on('limit'))
    terminal.note(`only the first ${formatExact(TABLE_LIMIT)} rows; --limit or --format csv shows more`);
  return EXIT.ok;
}

function cut(batches: RowBatches, limit: number): { batches: RowBatches; wasCut: () => boolean } {
  let seen = 0;
  const first = async function* (): RowBatches {
    for await (const rows of batches) {
      const room = Math.max(0, limit - seen);
      seen += rows.length;
      yield rows.slice(0, room);
    }
  };
  return { batches: first(), wasCut: () => seen > limit };
}

async function check(invocation: Invocation, _lake: Lake, opened: Catalog): Promise<number> {
  const { terminal } = invocation;
  const report = await opened.check(invocation.arguments.length > 0 ? invocation.arguments : undefined);
  const bad = report.findings.some(({ severity }) => severity === 'error');
  if (outputFormat(invocation) === 'table') {
    const { style } = terminal;
    const marks = { error: style.red('✗'), warning: style.yellow('!'), info: style.dim('·') };
    for (const { severity, table, file, message, remedy } of report.findings) {
      const place = [table, file].filter((text) => text !== undefined).join(' ');
      terminal.print(`${marks[severity]} ${place === '' ? '' : `${place}: `}${message}`);
      if (remedy !== undefined) terminal.print(`  ${remedy}`);
    }
    const sums = `${plural(report.tables, 'table')}, ${plural(report.files, 'file')}, ${plural(report.rows, 'row')}, ${formatBytes(report.bytes)}`;
    terminal.print(`${bad ? style.red('✗') : style.green('✓')} ${sums}${bad ? '' : ': all as committed'}`);
  } else {
    printListing(invocation, {
      columns: [
        { title: 'severity' },
        { title: 'code' },
        { title: 'table' },
        { title: 'file' },
        { title: 'message' },
        { title: 'remedy' },
      ],
      objects: [report],
      rows: report.findings.map((each) => [
        each.severity,
        each.code,
        each.table,
        each.file,
        each.message,
        each.remedy,
      ]),
    });
  }
  return bad ? EXIT.differs : EXIT.ok;
}

async function compactTables(invocation: Invocation, lake: Lake): Promise<number> {
  const { flags, signal, terminal } = invocation;
  const names = await pickTables(lake, invocation.arguments);
  const done: Compaction[] = [];
  if (flags.on('dry-run')) done.push(...(await planMerges(lake, names)));
  else {
    await compact(lake, names, {
      signal,
      done: (compaction) => {
        done.push(compaction);
        if (terminal.interactive)
          terminal.note(`${compaction.table}: ${compaction.filesBefore} → ${compaction.filesAfter} files`);
      },
    });
  }
  printListing(invocation, {
    columns: [
      { title: 'table' },
      { title: 'files before', align: 'right' },
      { title: 'files after', align: 'right' },
      { title: 'size before', align: 'right' },
      { title: 'size after', align: 'right' },
    ],
    objects: done,
    rows: done.map((each) => [
      each.table,
      each.filesBefore,
      each.filesAfter,
      each.bytesBefore,
      each.bytesAfter,
    ]),
    show: [undefined, undefined, undefined, formatBytes, formatBytes],
    empty: 'no tables yet',
  });
  if (flags.on('dry-run')) terminal.note('nothing was written. To do it, leave out --dry-run');
  return EXIT.ok;
}

async function sweepTables(invocation: Invocation, lake: Lake): Promise<number> {
  const { flags, terminal } = invocation;
  const names = await pickTables(lake, invocation.arguments);
  const planned = await sweep(lake, names, true);
  const count = planned.leftovers.length + planned.expired.length + planned.staging.length;
  const dryRun = flags.on('dry-run');
  if (count > 0 && !dryRun && !flags.on('yes'))
    await confirm(invocation, `remove ${plural(count, 'file')} (${formatBytes(planned.bytes)})?`);
  // What has become garbage since the question is left for the next time: it is planned anew, with the same rules.
  const report = dryRun || count === 0 ? planned : await sweep(lake, names, false);
  const kinds = { leftover: report.leftovers, expired: report.expired, staging: report.staging };
  const rows = Object.entries(kinds).flatMap(([kind, files]) => files.map((file) => [kind, file]));
  printListing(invocation, {
    columns: [{ title: 'kind' }, { title: 'file' }],
    objects: [{ ...report, dryRun }],
    rows,
    empty: 'nothing to remove',
  });
  for (const { table, reason } of report.skipped) terminal.note(`! ${table} was left alone: ${reason}`);
  if (count > 0)
    terminal.note(
      dryRun ? 'nothing was removed. To do it, leave out --dry-run' : `removed ${formatBytes(report.bytes)}`,
    );
  return EXIT.ok;
}
