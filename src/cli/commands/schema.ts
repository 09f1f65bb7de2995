import { changeText } from '../../core/schema-changes.ts';
import type { SchemaColumn, SchemaDiff, SchemaHistory, StreamSchema } from '../../engine/schema-ops.ts';
import type { ProjectContext } from '../../engine/context.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT, type ExitCode, exitCodeFor } from '../exit-codes.ts';
import type { Recovery } from '../../core/errors.ts';
import { printJson } from '../output.ts';
import { selectPipelines } from '../run-options.ts';

/** `sluice schema show|diff|history|accept`: the columns of tables, what they were, and what they are to be. */
export const schema: Command = async (invocation) => {
  switch (invocation.spec.name) {
    case 'schema diff':
      return diff(invocation);
    case 'schema history':
      return history(invocation);
    case 'schema accept':
      return accept(invocation);
    default:
      return show(invocation);
  }
};

type Ask<T> = (context: ProjectContext, pipeline: string, scope: { select: string[] }) => Promise<T[]>;

/** What is known of the chosen streams; in JSON each is printed at once. */
async function found<T extends object>(invocation: Invocation, ask: Ask<T>): Promise<T[]> {
  const { services, terminal, json } = invocation;
  const [pipeline, ...select] = invocation.arguments;
  const context = await services.openProject(invocation.project);
  const all: T[] = [];
  for (const name of selectPipelines(context.project, pipeline === undefined ? [] : [pipeline])) {
    const some = await ask(context, name, { select });
    if (json) for (const each of some) printJson(terminal, each);
    all.push(...some);
  }
  return all;
}

/** A title and a table or a word for each stream. */
function print<T extends { pipeline: string; stream: string; table: string }>(
  { terminal, json }: Invocation,
  streams: readonly T[],
  textOf: (stream: T) => { title?: string; lines: string },
): void {
  if (json) return;
  for (const [index, each] of streams.entries()) {
    const { title, lines } = textOf(each);
    const name = terminal.style.bold(`${each.pipeline} ${each.stream}`);
    const head = `${name} → ${each.table}${title === undefined ? '' : `   ${title}`}`;
    terminal.print(`${index > 0 ? '\n' : ''}${head}\n${lines}`);
  }
}

const NOT_LOADED = '  nothing loaded yet';

async function show(invocation: Invocation): Promise<number> {
  const { services, terminal } = invocation;
  const streams = await found(invocation, (...args) => services.showSchemas(...args));
  print(invocation, streams, (each) => ({
    title: titleOf(each),
    lines: each.loaded
      ? renderTable(COLUMNS, each.columns.map(cells), { paintTitle: terminal.style.dim })
      : NOT_LOADED,
  }));
  return EXIT.ok;
}

const COLUMNS: readonly Column[] = ['column', 'type', 'null', 'key', 'in the source', ''].map((title) => ({
  title,
}));

function titleOf({ rules: { policy, incompatible }, version }: StreamSchema): string {
  const words = [version === undefined ? undefined : `version ${version}`, policy];
  if (policy === 'evolve' && incompatible === 'stop') words.push('stops at types that do not fit');
  return words.filter((word) => word !== undefined).join(', ');
}

function cells({ name, type, nullable, key, native, source, of, gone }: SchemaColumn): string[] {
  const note = of === undefined ? '' : `values of ${of} that are of this type`;
  return [
    name,
    type,
    nullable ? 'null' : '',
    key ? 'key' : '',
    gone ? '' : [source, native].filter((word) => word !== undefined).join(' '),
    [note, gone ? 'not filled any more' : ''].filter((word) => word !== '').join(', '),
  ];
}

async function diff(invocation: Invocation): Promise<number> {
  const { services, flags } = invocation;
  const streams = await found(invocation, (context, pipeline, scope) =>
    services.diffSchemas(context, pipeline, { ...scope, fullRefresh: flags.on('full-refresh') }),
  );
  print(invocation, streams, (each) => ({ lines: diffText(invocation, each) }));
  return exitCode(streams);
}

function diffText(
  { terminal: { style } }: Invocation,
  { status, changes, leftOut, error }: SchemaDiff,
): string {
  if (status === 'same') return style.dim('  no changes');
  const lines = changes.map((change) => `  ${style.cyan('~')} ${change}`);
  if (leftOut.length > 0) lines.push(`  ${style.yellow('!')} left out: ${leftOut.join(', ')}`);
  if (error) {
    const found = changes.length > 0 ? 'the next run stops at these changes' : error.message;
    lines.push(`  ${style.red('✗')} ${found}`);
    if (error.remedy !== undefined) lines.push(`    ${error.remedy}`);
  }
  return lines.join('\n');
}

/** What would stop a load comes before what could not be found out. */
function exitCode(streams: readonly SchemaDiff[]): ExitCode {
  if (streams.some(({ status }) => status === 'stops')) return EXIT.differs;
  const failed = streams.find(({ status }) => status === 'failed');
  return failed?.error ? exitCodeFor(failed.error.recovery as Recovery) : EXIT.ok;
}

async function history(invocation: Invocation): Promise<number> {
  const { services, terminal } = invocation;
  const streams = await found(invocation, (...args) => services.schemaHistory(...args));
  print(invocation, streams, ({ versions }) => ({
    lines:
      versions.length === 0
        ? '  no version is known'
        : renderTable(VERSIONS, versions.map(versionCells), { paintTitle: terminal.style.dim }),
  }));
  return EXIT.ok;
}

const VERSIONS: readonly Column[] = [
  { title: 'version', align: 'right' },
  { title: 'read at' },
  { title: 'run' },
  { title: 'changes' },
];

function versionCells({ version, at, run, changes }: SchemaHistory['versions'][number]): string[] {
  const texts = changes.map(changeText).join(', ');
  return [String(version), at, run ?? '', texts === '' && version === 1 ? 'first load' : texts];
}

async function accept(invocation: Invocation): Promise<number> {
  const { services, terminal, json, flags } = invocation;
  const [pipeline = '', stream = ''] = invocation.arguments;
  const context = await services.openProject(invocation.project);
  selectPipelines(context.project, [pipeline]);
  const fullRefresh = flags.on('full-refresh');
  const outcome = await services.acceptSchema(context, pipeline, stream, { fullRefresh });
  if (json) printJson(terminal, outcome);
  else terminal.print(acceptedText(invocation, outcome));
  return EXIT.ok;
}

function acceptedText(
  { terminal: { style } }: Invocation,
  { stream, changes, accepted }: { stream: string; changes: string[]; accepted: boolean },
): string {
  if (!accepted)
    return changes.length === 0
      ? `${stream}: nothing to accept, the source has the columns of the table`
      : `${stream}: nothing to accept, the next run takes it anyway: ${changes.join(', ')}`;
  return [
    `${style.green('✓')} ${stream}: the next run takes`,
    ...changes.map((change) => `  ${style.cyan('~')} ${change}`),
  ].join('\n');
}
