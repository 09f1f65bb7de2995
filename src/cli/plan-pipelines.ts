import type { ProjectContext } from '../engine/context.ts';
import type { PipelinePlan } from '../engine/types.ts';
import type { Invocation } from './command.ts';
import { exitCodeOf, type Outcome } from './exit-codes.ts';
import { printJson } from './output.ts';
import { renderPlan } from './plan-text.ts';
import { readRunOptions } from './run-options.ts';
import { failedOutcome } from './run-pipelines.ts';

/** Plans pipelines one after the other and prints each plan; one that cannot be planned does not keep the others away. */
export async function planPipelines(
  invocation: Invocation,
  context: ProjectContext,
  pipelines: readonly string[],
): Promise<number> {
  const { flags, json, services, signal, spec, terminal } = invocation;
  const outcomes: Outcome[] = [];
  for (const [index, name] of pipelines.entries()) {
    if (index > 0 && !json) terminal.print('');
    const options = { ...readRunOptions(flags, context.project.pipelines[name]?.timezone ?? 'UTC'), signal };
    try {
      const plan = await services.plan(context, name, options);
      outcomes.push(outcomeOf(plan));
      if (json) printJson(terminal, plan);
      else
        terminal.print(
          renderPlan(plan, {
            style: terminal.style,
            sql: spec.name === 'plan' && flags.on('sql'),
            next: nextStep(invocation, name),
          }),
        );
    } catch (thrown) {
      outcomes.push(failedOutcome(invocation, thrown));
    }
  }
  return exitCodeOf(outcomes);
}

function outcomeOf({ streams }: PipelinePlan): Outcome {
  const failures = streams.flatMap(({ error }) => (error ? [error.recovery] : []));
  const status =
    failures.length === 0 ? 'succeeded' : failures.length === streams.length ? 'failed' : 'partial';
  return { status, failures };
}

function nextStep({ spec, flags }: Invocation, pipeline: string): string {
  if (spec.name !== 'plan') return 'To do it, leave out --dry-run';
  const select = flags.list('select').map((name) => ` --select ${/[*?]/.test(name) ? `'${name}'` : name}`);
  const window = ['date', 'from', 'to'].flatMap((name) =>
    flags.on(name) ? [` --${name} ${flags.text(name) ?? ''}`] : [],
  );
  const refresh = flags.on('full-refresh') ? ' --full-refresh' : '';
  const restart = flags.on('restart') ? ' --restart' : '';
  return `To run it: sluice run ${pipeline}${select.join('')}${window.join('')}${refresh}${restart}`;
}
