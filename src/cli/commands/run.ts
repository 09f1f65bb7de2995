import type { Command } from '../command.ts';
import { planPipelines } from '../plan-pipelines.ts';
import { selectPipelines } from '../run-options.ts';
import { runPipelines } from '../run-pipelines.ts';

/** `sluice run`: loads what is new, one pipeline after the other. */
export const run: Command = async (invocation) => {
  const context = await invocation.services.openProject(invocation.project);
  const pipelines = selectPipelines(context.project, invocation.arguments);
  const go = invocation.flags.on('dry-run') ? planPipelines : runPipelines;
  return go(invocation, context, pipelines);
};
