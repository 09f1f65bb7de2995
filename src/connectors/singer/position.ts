import type { Checkpoint } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import type { FieldForm } from '../shared/text/records.ts';

/** What {@link Checkpoint.position} of a Singer stream holds, as JSON. */
export interface Position {
  /** The value of the last STATE message, as the tap wrote it. */
  state?: string | undefined;
  /** Of the rows, where the tap gives them one. */
  version?: number | undefined;
}

export function parsePosition({ position }: Pick<Checkpoint, 'position'>): Position {
  return position === undefined ? {} : (JSON.parse(position) as Position);
}

/** Undefined: there is nothing to be kept. */
export function renderPosition({ state, version }: Position): string | undefined {
  return state === undefined && version === undefined ? undefined : JSON.stringify({ state, version });
}

/** How formats of JSON Schema are written. */
export function formOf({ kind }: LogicalType): FieldForm | undefined {
  return kind === 'timestamp' || kind === 'date' || kind === 'time' ? 'rfc3339' : undefined;
}
