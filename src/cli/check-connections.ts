import { asSluiceError, type SluiceError } from '../core/errors.ts';
import { formatSeconds } from '../core/units.ts';
import type { ProjectContext } from '../engine/context.ts';
import type { Invocation } from './command.ts';
import { closing, pickConnections } from './connections.ts';
import { renderError } from './error-text.ts';
import { EXIT, type ExitCode, exitCodeFor } from './exit-codes.ts';
import { printJson } from './output.ts';

interface Finding {
  readonly connection: string;
  readonly seconds: number;
  readonly title: string | undefined;
  readonly warnings: readonly { code: string; message: string; remedy?: string | undefined }[];
  readonly error: SluiceError | undefined;
}

/** Connects to the connection that is named, or to every one, and says what should be known before a run. */
export async function checkConnections(invocation: Invocation): Promise<ExitCode> {
  const { context, names } = await pickConnections(invocation, undefined);
  const findings = await Promise.all(names.map((name) => examine(invocation, context, name)));
  invocation.signal.throwIfAborted();
  for (const finding of findings) {
    if (invocation.json) printFinding(invocation, finding);
    else invocation.terminal.print(findingText(invocation, finding));
  }
  // Unlike with a run, there is no good part that would make a failure a partial success.
  const failed = findings.find(({ error }) => error);
  return failed?.error ? exitCodeFor(failed.error.recovery) : EXIT.ok;
}

async function examine(
  { services, signal }: Invocation,
  context: ProjectContext,
  connection: string,
): Promise<Finding> {
  const started = performance.now();
  const finish = (
    title: string | undefined,
    warnings: Finding['warnings'],
    error?: SluiceError,
  ): Finding => ({
    connection,
    seconds: (performance.now() - started) / 1000,
    title,
    warnings,
    error,
  });
  try {
    const type = context.project.connections[connection]?.type ?? '';
    if (context.connectors.get(type)?.capabilities.source === true) {
      const source = await services.openSource(context, connection);
      const facts = await closing(source, () => source.check(signal));
      return finish(facts.title, facts.warnings);
    }
    const destination = await services.openDestination(context, connection);
    const { title } = await closing(destination, () => destination.check(signal));
    return finish(title, []);
  } catch (thrown) {
    return finish(undefined, [], asSluiceError(thrown, `checking "${connection}"`));
  }
}

function printFinding(
  { terminal }: Invocation,
  { connection, title, seconds, warnings, error }: Finding,
): void {
  const failed = error && {
    code: error.code,
    message: error.message,
    remedy: error.remedy,
    recovery: error.recovery,
  };
  printJson(terminal, { connection, ok: !error, title, seconds, warnings, error: failed });
}

function findingText({ terminal, verbose }: Invocation, finding: Finding): string {
  const { style } = terminal;
  if (finding.error) return renderError(finding.error, { style, verbose });
  const lines = [
    `${style.green('✓')} ${finding.connection}   ${finding.title ?? ''}   ${formatSeconds(finding.seconds)}`,
  ];
  for (const { message, remedy } of finding.warnings) {
    lines.push(`  ${style.yellow('!')} ${message}`);
    if (remedy !== undefined) lines.push(`    ${remedy}`);
  }
  return lines.join('\n');
}
