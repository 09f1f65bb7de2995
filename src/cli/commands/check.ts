import { ConfigError } from '../../core/errors.ts';
import type { ProjectContext } from '../../engine/context.ts';
import type { DiagnoseOptions, DiagnosisReport } from '../../engine/diagnose-types.ts';
import type { Command, Invocation } from '../command.ts';
import { checkConnections } from '../check-connections.ts';
import { openDiagnosisProgress } from '../diagnosis-progress.ts';
import { renderDiagnosis } from '../diagnosis-text.ts';
import { EXIT, type ExitCode, exitCodeOf } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { readCount, readRunOptions } from '../run-options.ts';
import { failedOutcome } from '../run-pipelines.ts';
import { looksLikeUrl } from '../url-project.ts';

/** `sluice check`: connections, or what would go wrong with the rows of a pipeline. */
export const check: Command = async (invocation) => {
  const [name] = invocation.arguments;
  if (name !== undefined && !looksLikeUrl(name)) {
    const context = await invocation.services.openProject(invocation.project);
    if (Object.hasOwn(context.project.pipelines, name)) return diagnose(invocation, context, name);
  }
  const { flags } = invocation;
  const given = [
    ...SWITCHES.filter((flag) => flags.on(flag)),
    ...VALUES.filter((flag) => flags.text(flag) !== undefined),
  ];
  if (given.length > 0 || flags.list('select').length > 0) {
    const first = given[0] ?? 'select';
    throw new ConfigError(`--${first}: this is for the rows of a pipeline, and none is named`, {
      code: 'cli.needs_pipeline',
      remedy: 'sluice check <pipeline>; without one, connections are checked',
    });
  }
  return checkConnections(invocation);
};

const SWITCHES = ['no-scan', 'full-refresh'];
const VALUES = ['rows', 'limit', 'date', 'from', 'to'];

async function diagnose(
  invocation: Invocation,
  context: ProjectContext,
  pipeline: string,
): Promise<ExitCode> {
  const { json, services, signal, terminal } = invocation;
  const options = readOptions(invocation, context.project.pipelines[pipeline]?.timezone ?? 'UTC');
  const progress = json ? undefined : openDiagnosisProgress(terminal);
  try {
    const report = await services
      .diagnose(context, pipeline, { ...options, signal, onEvent: progress?.listener })
      .finally(() => progress?.close());
    if (json) printJson(terminal, report);
    else terminal.print(renderDiagnosis(report, terminal.style));
    return codeOf(report);
  } catch (thrown) {
    return exitCodeOf([failedOutcome(invocation, thrown)]);
  }
}

function readOptions({ flags }: Invocation, timezone: string): DiagnoseOptions {
  const { select, window, fullRefresh } = readRunOptions(flags, timezone);
  return {
    select,
    window,
    fullRefresh,
    scan: !flags.on('no-scan'),
    rows: readCount(flags, 'rows'),
    limit: readCount(flags, 'limit'),
  };
}

/** What was found comes first; a stream that could not be looked at is an error of its own. */
function codeOf({ streams }: DiagnosisReport): ExitCode {
  if (streams.some(({ status }) => status === 'refused')) return EXIT.differs;
  const failures = streams.flatMap(({ error }) => (error ? [error.recovery] : []));
  return failures.length === 0 ? EXIT.ok : exitCodeOf([{ status: 'failed', failures }]);
}
