import type { Command } from '../command.ts';
import { selectPipelines } from '../run-options.ts';
import { planPipelines } from '../plan-pipelines.ts';

/** `sluice plan`: what a run would do; nothing is written. */
export const plan: Command = async (invocation) => {
  const context = await invocation.services.openProject(invocation.project);
  return planPipelines(invocation, context, selectPipelines(context.project, invocation.arguments));
};
