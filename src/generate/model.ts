import type { Field } from './field.ts';

/** What happens to the fields of an entity from some day on. */
export type DriftKind = 'new-field' | 'rename' | 'decimal' | 'retype' | 'nested';

export const DRIFT_KINDS: readonly DriftKind[] = ['new-field', 'rename', 'decimal', 'retype', 'nested'];

/** A field that comes with a change of the model. */
interface DriftedField {
  /** The field that it takes the place of; absent: it comes last. */
  readonly replaces?: string | undefined;
  /** Records that have not changed since that day are as they were, as far as the new field lets them be. */
  field(since: number): Field;
}

/** A kind of record. The key is its first field, the number of the record from 1 on. */
export interface Entity {
  readonly name: string;
  readonly summary: string;
  /** Records for each one of the entity whose number is asked for. */
  readonly share: number;
  readonly fields: readonly Field[];
  /** The entity whose records these belong to; a field made by `reference` has its key. */
  readonly parent?: string | undefined;
  readonly drift: Readonly<Partial<Record<DriftKind, DriftedField>>>;
}

export interface Model {
  readonly name: string;
  readonly summary: string;
  /** Parents come before their children. */
  readonly entities: readonly Entity[];
}
