/** Messages between a target (main thread) and the thread that has its DuckDB. Plain data only. */
import type { RingMemory } from '../../core/byte-ring.ts';
import type { SchemaJson } from '../../core/schema.ts';
import type { DecodeFacts, DecoderSpec } from '../../core/source.ts';
import type { SessionOptions } from '../../duckdb/session.ts';
import type { DatabaseFile } from './file.ts';

export interface EngineOptions extends SessionOptions {
  file: DatabaseFile;
}

/** `session` is the number of a connection. */
export type EngineTask =
  /** `attach`: the file is there. */
  | { kind: 'connect'; session: number; attach: boolean }
  | { kind: 'query'; session: number; sql: string; doing: string; values: readonly unknown[] }
  | {
      kind: 'load';
      session: number;
      doing: string;
      ring: RingMemory;
      schema: SchemaJson;
      decoder: DecoderSpec;
      /** `{}` stands for the rows, whose columns are `c0`, `c1`, …. */
      sql: string;
    }
  /** Rows that DuckDB reads by itself, of about so many bytes each. */
  | { kind: 'insert'; session: number; sql: string; doing: string; rowBytes: number }
  /** Nothing that was written before is read again soon. */
  | { kind: 'empty-buffers' }
  | { kind: 'begin-rows'; session: number; sql: string; doing: string }
  | { kind: 'next-rows'; session: number; doing: string }
  | { kind: 'interrupt'; session: number }
  /** Gives the file back with the last connection. */
  | { kind: 'close'; session: number; last: boolean };

export type EngineReply =
  | { kind: 'done'; id: number }
  | { kind: 'result'; id: number; rows: Record<string, unknown>[]; count: number }
  | { kind: 'loaded'; id: number; facts: DecodeFacts; taken: number }
  | { kind: 'inserted'; id: number; rows: number }
  | { kind: 'rows'; id: number; rows: unknown[][] };
