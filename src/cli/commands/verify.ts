import type { ProjectContext } from '../../engine/context.ts';
import type { VerifyOptions, VerifyReport } from '../../engine/verify-types.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT, type ExitCode, exitCodeOf } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { readCount, readRunOptions, selectPipelines } from '../run-options.ts';
import { failedOutcome } from '../run-pipelines.ts';
import { openVerifyProgress } from '../verify-progress.ts';
import { renderVerification } from '../verify-text.ts';

/** `sluice verify`: compares the two ends of pipelines, one after the other. */
export const verify: Command = async (invocation) => {
  const context = await invocation.services.openProject(invocation.project);
  const pipelines = selectPipelines(context.project, invocation.arguments);
  const codes: ExitCode[] = [];
  for (const [index, name] of pipelines.entries()) {
    if (index > 0 && !invocation.json) invocation.terminal.print('');
    codes.push(await verifyOne(invocation, context, name));
  }
  // A difference is what was asked for; what could not be compared comes second.
  if (codes.includes(EXIT.differs)) return EXIT.differs;
  return codes.find((code) => code !== EXIT.ok) ?? EXIT.ok;
};

async function verifyOne(
  invocation: Invocation,
  context: ProjectContext,
  pipeline: string,
): Promise<ExitCode> {
  const { json, services, signal, terminal } = invocation;
  const options = readOptions(invocation, context.project.pipelines[pipeline]?.timezone ?? 'UTC');
  const progress = json ? undefined : openVerifyProgress(terminal);
  try {
    const report = await services
      .verify(context, pipeline, { ...options, signal, onEvent: progress?.listener })
      .finally(() => progress?.close());
    if (json) printJson(terminal, report);
    else terminal.print(renderVerification(report, terminal.style));
    return codeOf(report);
  } catch (thrown) {
    return exitCodeOf([failedOutcome(invocation, thrown)]);
  }
}

function readOptions({ flags }: Invocation, timezone: string): VerifyOptions {
  const { select, window, memoryBytes } = readRunOptions(flags, timezone);
  return {
    select,
    window,
    memoryBytes,
    limit: readCount(flags, 'limit'),
    strict: flags.on('strict'),
    ignoreExtra: flags.on('ignore-extra'),
  };
}

function codeOf({ status, streams }: VerifyReport): ExitCode {
  if (status === 'differs') return EXIT.differs;
  const failures = streams.flatMap(({ error }) => (error ? [error.recovery] : []));
  return failures.length === 0 ? EXIT.ok : exitCodeOf([{ status: 'failed', failures }]);
}
