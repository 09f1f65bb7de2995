/** Runs a pipeline in a process of its own and prints what came of it, as one JSON object. */
import { errorInfo } from '../../src/core/error-json.ts';
import { asSluiceError } from '../../src/core/errors.ts';
import type { Project } from '../../src/core/project.ts';
import type { RunOptions } from '../../src/engine/types.ts';

if (process.argv[2] !== 'probe') {
  const { connectors } = await import('../../src/connectors/registry.ts');
  const { runPipeline } = await import('../../src/engine/run.ts');
  const { project, options } = JSON.parse(process.argv[2]!) as { project: Project; options: RunOptions };
  const warnings: string[] = [];
  const onEvent: RunOptions['onEvent'] = (event) => {
    if (event.kind === 'warning') warnings.push(`${event.code}: ${event.message}`);
  };
  let errors: unknown[];
  try {
    const context = { project, connectors: await connectors() };
    const report = await runPipeline(context, 'p', { ...options, onEvent });
    errors = report.streams.map((stream) => stream.error);
  } catch (error) {
    errors = [errorInfo(asSluiceError(error, 'running'))];
  }
  process.stdout.write(JSON.stringify({ errors: errors.map((error) => error ?? null), warnings }));
}
