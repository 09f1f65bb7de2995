import { ConfigError } from '../../core/errors.ts';
import { formatBytes, formatCount } from '../../core/units.ts';
import type { StreamState } from '../../engine/state-ops.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { selectPipelines } from '../run-options.ts';

/** `sluice state show|set|reset`: how far streams are loaded, by hand. */
export const state: Command = async (invocation) => {
  switch (invocation.spec.name) {
    case 'state set':
      return set(invocation);
    case 'state reset':
      return reset(invocation);
    default:
      return show(invocation);
  }
};

async function show(invocation: Invocation): Promise<number> {
  const { services, terminal, json } = invocation;
  const [pipeline, ...select] = invocation.arguments;
  const context = await services.openProject(invocation.project);
  const pipelines = selectPipelines(context.project, pipeline === undefined ? [] : [pipeline]);
  for (const [index, name] of pipelines.entries()) {
    const states = await services.showState(context, name, select);
    if (json) for (const each of states) printJson(terminal, exact(name, each));
    else
      terminal.print(
        `${index > 0 ? '\n' : ''}${terminal.style.bold(name)}\n${stateTable(invocation, states)}`,
      );
  }
  return EXIT.ok;
}

/** The schema of the table is left out: `catalog describe` has it. */
function exact(pipeline: string, { stream, table, committed }: StreamState): object {
  const { rows, bytes, version, checkpoint } = committed ?? {};
  return { pipeline, stream, table, loaded: committed !== undefined, rows, bytes, version, checkpoint };
}

const COLUMNS: readonly Column[] = [
  { title: 'stream' },
  { title: 'table' },
  { title: 'rows', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'commits', align: 'right' },
  { title: 'watermark' },
];

function stateTable({ terminal }: Invocation, states: readonly StreamState[]): string {
  const { style } = terminal;
  const rows = states.map(({ stream, table, committed }) => {
    if (!committed) return [stream, table, '', '', '', style.dim('nothing loaded yet')];
    const { rows: count, bytes, version, checkpoint } = committed;
    return [stream, table, formatCount(count), formatBytes(bytes), String(version), position(checkpoint)];
  });
  return renderTable(COLUMNS, rows, { paintTitle: style.dim });
}

function position(checkpoint: NonNullable<StreamState['committed']>['checkpoint']): string {
  const notes: string[] = [];
  if (checkpoint?.unfinished) {
    notes.push(`${checkpoint.unfinished.done.length} of ${checkpoint.unfinished.slices.length} parts loaded`);
  }
  if (checkpoint?.reload === true) notes.push('to be loaded again');
  const files = Object.keys(checkpoint?.ledger?.files ?? {}).length;
  if (files > 0) notes.push(`${formatCount(files)} files`);
  if (checkpoint?.position !== undefined) notes.push('a state of the source (--json)');
  const value = checkpoint?.watermark ?? checkpoint?.day ?? (notes.length > 0 ? '' : 'none, read in full');
  return [value, ...notes].filter((text) => text !== '').join('; ');
}

async function set(invocation: Invocation): Promise<number> {
  const { services, terminal, json, flags } = invocation;
  const [pipeline = '', stream = ''] = invocation.arguments;
  const value = flags.text('watermark');
  if (value === undefined) {
    throw new ConfigError('--watermark: missing', {
      code: 'cli.usage',
      remedy: 'sluice state show prints the present one',
    });
  }
  const context = await services.openProject(invocation.project);
  selectPipelines(context.project, [pipeline]);
  const checkpoint = await services.setWatermark(context, pipeline, stream, value);
  if (json) printJson(terminal, { pipeline, stream, checkpoint });
  else
    terminal.print(
      `${terminal.style.green('✓')} ${stream}: the next run goes on at ${checkpoint.watermark ?? value}`,
    );
  return EXIT.ok;
}

async function reset(invocation: Invocation): Promise<number> {
  const { services, terminal, json, flags } = invocation;
  const [pipeline = '', stream = ''] = invocation.arguments;
  const context = await services.openProject(invocation.project);
  selectPipelines(context.project, [pipeline]);
  if (!flags.on('yes'))
    await confirm(invocation, `forget how far "${stream}" is loaded? the next run loads all of it again`);
  const checkpoint = await services.resetStream(context, pipeline, stream);
  if (json) printJson(terminal, { pipeline, stream, checkpoint });
  else
    terminal.print(
      `${terminal.style.green('✓')} ${stream}: the next run loads everything; until then the table stays as it is`,
    );
  return EXIT.ok;
}
