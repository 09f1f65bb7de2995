import { renderType } from '../../core/types.ts';
import { formatBytes, formatCount } from '../../core/units.ts';
import type { StreamInfo } from '../../core/source.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import { plural } from '../../observe/plural.ts';
import type { Command, Invocation } from '../command.ts';
import { closing, pickConnections } from '../connections.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { isWanted } from '../selection.ts';

/** `sluice discover`: what a source has, and how each table could be loaded. */
export const discover: Command = async (invocation) => {
  const { services, signal, terminal, json, flags } = invocation;
  const { context, names } = await pickConnections(invocation, 'source');
  const wanted = flags.list('table');
  for (const [index, name] of names.entries()) {
    const source = await services.openSource(context, name);
    const streams = await closing(source, () => source.discover(signal));
    const shown = streams.filter((stream) => isWanted(stream.name, wanted));
    if (json) for (const stream of shown) printJson(terminal, { connection: name, ...exact(stream) });
    else terminal.print(`${index > 0 ? '\n' : ''}${listing(invocation, name, shown)}`);
  }
  return EXIT.ok;
};

function exact(stream: StreamInfo): object {
  const { schema, ...rest } = stream;
  const columns = schema.fields.map((field) => ({
    name: field.name,
    type: renderType(field.type),
    native: field.native,
    nullable: field.nullable,
  }));
  return { ...rest, key: schema.key, columns };
}

const COLUMNS: readonly Column[] = [
  { title: 'stream' },
  { title: '~rows', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'key' },
  { title: 'cursors' },
  { title: 'proposal' },
];

function listing({ terminal }: Invocation, connection: string, streams: readonly StreamInfo[]): string {
  const { style } = terminal;
  const rows = streams.map((stream) => [
    stream.kind === 'table' ? stream.name : `${stream.name} ${style.dim(`(${stream.kind})`)}`,
    stream.estimatedRows === undefined ? '?' : formatCount(stream.estimatedRows),
    stream.bytes === undefined ? '' : formatBytes(stream.bytes),
    stream.schema.key.join(', ') || style.dim('none'),
    cursors(stream) || style.dim('none'),
    proposal(stream),
  ]);
  const head = `${style.bold(connection)}   ${plural(streams.length, 'stream')}`;
  const notes = streams.flatMap((stream) =>
    stream.notes.map((note) => `  ${style.yellow('!')} ${stream.name}: ${note}`),
  );
  const table =
    rows.length === 0 ? [] : ['', renderTable(COLUMNS, rows, { paintTitle: style.dim, maxCell: 60 })];
  return [head, ...table, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

/** The best three; a `*` says that an index answers range queries. */
function cursors({ cursors: found }: StreamInfo): string {
  const names = found.slice(0, 3).map(({ column, indexed }) => (indexed ? `${column}*` : column));
  return names.join(', ') + (found.length > 3 ? ', …' : '');
}

function proposal({ proposal: { load, cursor, partition_by: by } }: StreamInfo): string {
  const parts = [load];
  if (cursor && cursor.length > 0) parts.push(`by ${cursor.join(', ')}`);
  if (by) parts.push(`in folders by ${by.by} of ${by.column}`);
  return parts.join(' ');
}
