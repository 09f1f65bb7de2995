import { asSluiceError } from '../core/errors.ts';
import { broadcast, type Listener, type RunEvent } from '../core/events.ts';
import type { ProjectContext } from '../engine/context.ts';
import type { RunOptions, RunReport } from '../engine/types.ts';
import { createJsonLines, jsonLine } from '../observe/json-lines.ts';
import { createPhases } from '../observe/phases.ts';
import { openProgress } from '../observe/progress.ts';
import { renderSummary } from '../observe/summary.ts';
import type { Invocation } from './command.ts';
import { renderError, renderErrorJson } from './error-text.ts';
import { EXIT, exitCodeOf, type Outcome } from './exit-codes.ts';
import { readRunOptions } from './run-options.ts';

/** Runs pipelines one after the other, since each may use the whole memory budget; a failed one does not stop the next. */
export async function runPipelines(
  invocation: Invocation,
  context: ProjectContext,
  pipelines: readonly string[],
): Promise<number> {
  const outcomes: Outcome[] = [];
  for (const name of pipelines) {
    // Read again for each: "yesterday" is meant in the zone of the pipeline. Mistakes end the command before any run.
    readRunOptions(invocation.flags, context.project.pipelines[name]?.timezone ?? 'UTC');
  }
  for (const name of pipelines) {
    if (invocation.signal.aborted) return EXIT.interrupted;
    const work: Work = (options) => invocation.services.run(context, name, options);
    outcomes.push(await runOne(invocation, { context, pipeline: name, work }));
  }
  return exitCodeOf(outcomes);
}

type Work = (options: RunOptions) => Promise<RunReport | undefined>;

/** `work` runs the pipeline, or a part of it; undefined: there was nothing to do. */
export async function runOne(
  invocation: Invocation,
  { context, pipeline, work }: { context: ProjectContext; pipeline: string; work: Work },
): Promise<Outcome> {
  const { flags, json, signal, terminal } = invocation;
  const phases = createPhases();
  const facts = createFacts();
  const display = openDisplay(invocation);
  try {
    const report = await work({
      ...readRunOptions(flags, context.project.pipelines[pipeline]?.timezone ?? 'UTC'),
      signal,
      onEvent: broadcast([phases.listener, facts.listener, display.listener]),
    }).finally(display.close);
    if (!report) return { status: 'succeeded', failures: [] };
    if (json) terminal.stdout.write(jsonLine({ kind: 'report', ...report }));
    else
      terminal.print(
        renderSummary(report, {
          style: terminal.style,
          phases: phases.seconds(),
          warnings: facts.warnings(),
          found: facts.found,
        }),
      );
    return outcomeOf(report);
  } catch (thrown) {
    return failedOutcome(invocation, thrown, facts.durable());
  }
}

function outcomeOf(report: RunReport): Outcome {
  return {
    status: report.status,
    failures: report.streams.flatMap(({ error }) => (error ? [error.recovery] : [])),
    alerted: report.alerts.length > 0,
  };
}

/** Prints why a pipeline could not be run or planned at all. What was cancelled is for the program to tell. */
export function failedOutcome(invocation: Invocation, thrown: unknown, durable?: string): Outcome {
  const { json, terminal, verbose } = invocation;
  const { recovery } = asSluiceError(thrown, 'running sluice');
  if (recovery === 'cancelled') throw thrown;
  if (json) terminal.stdout.write(renderErrorJson(thrown, verbose));
  else terminal.note(renderError(thrown, { style: terminal.noteStyle, verbose, durable }));
  return { status: 'failed', failures: [recovery] };
}

/** Shows the run while it goes on: events as JSON lines, or progress for people. */
function openDisplay({ json, terminal }: Invocation): { listener: Listener; close: () => void } {
  if (json)
    return { listener: createJsonLines((line) => terminal.stdout.write(line)), close: () => undefined };
  const progress = openProgress({
    output: terminal.stderr,
    style: terminal.noteStyle,
    memory: () => process.memoryUsage.rss(),
  });
  terminal.attach(progress);
  return {
    listener: progress.listener,
    close: () => {
      progress.close();
      terminal.attach(undefined);
    },
  };
}

/** What a run told on its way and its report need not: warnings, which files were found, and how far it came. */
function createFacts(): {
  listener: Listener;
  warnings(): (RunEvent & { kind: 'warning' })[];
  found: ReadonlyMap<string, string>;
  durable(): string;
} {
  const warnings: (RunEvent & { kind: 'warning' })[] = [];
  const found = new Map<string, string>();
  let started = false;
  let committed = false;
  return {
    listener: (event) => {
      if (event.kind === 'warning') warnings.push(event);
      // A later attempt finds what the one before has loaded.
      if (event.kind === 'stream-planned' && event.found !== undefined && !found.has(event.stream))
        found.set(event.stream, event.found);
      if (event.kind === 'slice-started') started = true;
      if (event.kind === 'slice-committed') committed = true;
    },
    warnings: () => warnings,
    found,
    durable: () => {
      if (committed) return 'what was committed stays; the next run goes on from there';
      return started ? 'nothing was written; the next run does it again' : 'nothing was read or written';
    },
  };
}
