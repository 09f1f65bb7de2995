import type { History, Supersede } from '../core/destination.ts';
import type { Schema } from '../core/schema.ts';
import type { Survey } from '../core/source.ts';
import type { Slice, StreamConfig } from '../core/stream.ts';

/** How loads meet what a table already holds; the destination does the work. */
export interface Strategy {
  /** What stays beside the newest rows; no load takes the place of versions as a whole, not even a full refresh. */
  readonly history: History | undefined;
  /** Each slice is committed by itself, or all of them in one step at the end. */
  commits(stream: StreamConfig): 'each' | 'together';
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
  /** They are all that the source has. */
  whole: boolean;
}
