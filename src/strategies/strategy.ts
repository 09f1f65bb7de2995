import type { Supersede } from '../core/destination.ts';
import type { Schema } from '../core/schema.ts';
import type { Survey } from '../core/source.ts';
import type { Slice, StreamConfig } from '../core/stream.ts';

/** How loads meet what a table already holds; the destination does the work. */
export interface Strategy {
  /** Each slice is committed by itself, or all of them in one step at the end. */
  readonly commits: 'each' | 'together';
  /** Rows of earlier loads stay beside newer versions of them. */
  readonly history: boolean;
  /** What the stream lacks for this strategy; undefined when it fits. */
  misfit(stream: StreamConfig, schema: Schema): string | undefined;
  /** What the rows of these slices take the place of. */
  supersedes(input: StrategyInput): Supersede;
}

interface StrategyInput {
  stream: StreamConfig;
  schema: Schema;
  survey: Survey;
  slices: Slice[];
}
