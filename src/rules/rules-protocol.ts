/** Messages between the main thread and a thread that applies rules. Plain data only. */
import type { RingMemory } from '../core/byte-ring.ts';
import type { Aside } from '../core/quarantine.ts';
import type { SchemaJson } from '../core/schema.ts';
import type { DecoderSpec } from '../core/source.ts';
import type { RowRules } from '../core/stream.ts';
import type { FoundRules } from './read-rules.ts';
import type { ReadyRules } from './rule-sql.ts';
import type { ThreadReply } from '../connectors/shared/task-thread.ts';

/** Finds out what the expressions of rules are. */
interface ReadTask {
  kind: 'read';
  schema: SchemaJson;
  rules: RowRules;
}

/** Reads a ring to its end and passes on what the rules let through, as batches and facts of core/batch-wire.ts. */
export interface ApplyTask {
  kind: 'apply';
  input: RingMemory;
  output: RingMemory;
  /** Of the stream. */
  name: string;
  schema: SchemaJson;
  decoder: DecoderSpec;
  rules: ReadyRules;
  aside: Aside | undefined;
  /** Memory of the DuckDB that the rows go to. */
  laneBytes: number;
}

export type RulesTask = ReadTask | ApplyTask;

export type RulesDone = ({ id: number } & { found: FoundRules }) | { id: number };

export type RulesReply = ThreadReply | RulesDone;
