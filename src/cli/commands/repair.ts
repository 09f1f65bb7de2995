import type { ProjectContext } from '../../engine/context.ts';
import type { RepairedPart, RepairReport } from '../../engine/repair.ts';
import { formatSeconds } from '../../core/units.ts';
import type { Style } from '../../observe/style.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT, type ExitCode, exitCodeOf } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { readCount, selectPipelines } from '../run-options.ts';
import { failedOutcome } from '../run-pipelines.ts';

/** `sluice repair`: makes what tables of the destinations are without, one pipeline after the other. */
export const repair: Command = async (invocation) => {
  const context = await invocation.services.openProject(invocation.project);
  const pipelines = selectPipelines(context.project, invocation.arguments);
  const codes: ExitCode[] = [];
  for (const name of pipelines) codes.push(await repairOne(invocation, context, name));
  return codes.find((code) => code !== EXIT.ok) ?? EXIT.ok;
};

async function repairOne(
  invocation: Invocation,
  context: ProjectContext,
  pipeline: string,
): Promise<ExitCode> {
  const { flags, json, services, signal, terminal } = invocation;
  try {
    const report = await services.repair(context, pipeline, {
      dryRun: flags.on('dry-run'),
      forget: flags.on('forget'),
      workers: readCount(flags, 'workers'),
      signal,
    });
    if (json) printJson(terminal, report);
    else terminal.print(render(report, terminal.style));
    return codeOf(report);
  } catch (thrown) {
    return exitCodeOf([failedOutcome(invocation, thrown)]);
  }
}

function render({ pipeline, to, parts, seconds }: RepairReport, style: Style): string {
  const lines = [`${style.bold(pipeline)}   ${to}   ${style.dim(formatSeconds(seconds))}`];
  if (parts.length === 0) lines.push('  no index and no foreign key is missing');
  for (const part of parts) lines.push(`  ${partText(part, style)}`);
  if (parts.some(({ status }) => status === 'failed'))
    lines.push('  what cannot be made is tried again by every run; --forget gives it up');
  return lines.join('\n');
}

function partText({ kind, name, table, status, reason, sql }: RepairedPart, style: Style): string {
  const what = `${kind} ${name} of ${table}`;
  switch (status) {
    case 'restored':
      return `${style.green('✓')} ${what}`;
    case 'missing':
      return `${style.yellow('!')} ${what} is missing: ${sql}`;
    case 'waits':
      return `${style.yellow('!')} ${what}: a table that it needs is not loaded to its end`;
    case 'busy':
      return `${style.yellow('!')} ${what}: a run is at work on the table`;
    case 'gone':
      return `${style.dim('-')} ${what}: the table is gone, and it is forgotten`;
    case 'forgotten':
      return `${style.yellow('-')} ${what} is given up: ${reason ?? ''}: ${sql}`;
    case 'failed':
      return `${style.red('✗')} ${what}: ${reason ?? ''}`;
  }
}

function codeOf({ parts }: RepairReport): ExitCode {
  const has = (...wanted: RepairedPart['status'][]): boolean =>
    parts.some(({ status }) => wanted.includes(status));
  if (has('failed', 'missing')) return EXIT.differs;
  return has('busy') ? EXIT.conflict : EXIT.ok;
}
