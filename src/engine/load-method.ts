/** Which of the two ways of a destination a stream's loads are expected to go, and whether what is asked for is to be had. */
import type { Destination } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { Listener } from '../core/events.ts';
import type { PipelineConfig } from '../core/project.ts';
import type { Survey } from '../core/source.ts';
import type { LoadMethod, StreamConfig } from '../core/stream.ts';
import type { RunOptions, StreamPlan } from './types.ts';

type Ways = Pick<Destination, 'loadSizes'>;

/** Whether a run asks for one of two ways where there is only one: what is asked of many pipelines passes some of them by. */
export function hasNoChoice({ loadSizes }: Ways, asked: RunOptions['loadMethod']): boolean {
  return asked !== undefined && asked !== 'auto' && !loadSizes;
}

export function tellNoChoice(
  { destination, config }: { destination: Ways; config: PipelineConfig },
  { loadMethod }: RunOptions,
  emit: Listener,
): void {
  if (!hasNoChoice(destination, loadMethod)) return;
  const message = `"${config.to}" loads all rows in one way: nothing comes of asking for ${loadMethod}`;
  emit({ kind: 'warning', stream: undefined, code: 'run.load_method', message });
}

function checkMethod({ name, loadMethod }: StreamConfig, { loadSizes }: Ways): void {
  if (loadMethod === undefined) return;
  if (!loadSizes)
    throw new ConfigError(`planning ${name}: load_method: the destination loads all rows in one way`, {
      code: 'stream.load_method',
      remedy: 'leave `load_method` out; databases other than DuckDB files have two ways',
    });
  if (loadMethod === 'bulk' && loadSizes.noBulk !== undefined)
    throw new ConfigError(
      `planning ${name}: load_method: nothing can be loaded in bulk: ${loadSizes.noBulk}`,
      {
        code: 'stream.load_method',
        remedy: 'allow it on the server, or leave `load_method` out',
      },
    );
}

/** By the estimates of the source; a run goes by what it reads. `rows`: of all slices together. Throws for what is not to be had. */
export function expectedMethod(
  stream: StreamConfig,
  destination: Ways,
  { survey, slices, rows }: { survey: Survey; slices: number; rows: number | undefined },
): StreamPlan['loadedBy'] {
  checkMethod(stream, destination);
  const { loadMethod } = stream;
  const { loadSizes } = destination;
  if (!loadSizes || slices === 0) return undefined;
  if (loadMethod) return { method: loadMethod, why: 'asked' };
  if (loadSizes.noBulk !== undefined) return { method: 'statements', why: 'server' };
  if (rows === undefined) return { method: undefined, why: 'size' };
  const { estimatedRows, estimatedBytes = 0 } = survey;
  const bytes = estimatedRows ? (estimatedBytes * rows) / estimatedRows : 0;
  const few = rows <= loadSizes.rows * slices && bytes <= loadSizes.bytes * slices;
  const method: LoadMethod = few ? 'statements' : 'bulk';
  return { method, why: 'size' };
}
