import { ConfigError } from '../core/errors.ts';
import type { Schema } from '../core/schema.ts';
import { utf8 } from './byte-sink.ts';
import type { ChangedValue } from './json-rows.ts';
import { DEAD, type Versions } from './life.ts';
import type { Draws } from './random.ts';

/** What can be wrong with a record. */
export type FaultKind =
  | 'wrong-type'
  | 'bad-date'
  | 'out-of-range'
  | 'missing'
  | 'too-long'
  | 'duplicate'
  | 'bad-utf8'
  | 'columns'
  | 'cut';

/** What records are written as. `rows`: values with types, as in Parquet; `table`: the same, with a key and lengths. */
export type FaultForm = 'csv' | 'json' | 'jsonl' | 'rows' | 'table';

/** Where each kind can be: a field of a document can hold anything, a column with a type cannot. */
const FAULTS: Readonly<Record<FaultKind, { summary: string; forms: readonly FaultForm[] }>> = {
  'wrong-type': {
    summary: 'text where a number or a truth value is expected',
    forms: ['csv', 'json', 'jsonl'],
  },
  'bad-date': { summary: 'a day that no calendar has', forms: ['csv', 'json', 'jsonl'] },
  'out-of-range': {
    summary: 'a number with more digits than its type takes',
    forms: ['csv', 'json', 'jsonl'],
  },
  missing: { summary: 'no value where one is required', forms: ['csv', 'json', 'jsonl', 'rows', 'table'] },
  'too-long': { summary: 'a text of 5,000 characters', forms: ['csv', 'json', 'jsonl', 'rows'] },
  duplicate: {
    summary: 'the record before once more, in the place of its own',
    forms: ['csv', 'json', 'jsonl', 'rows'],
  },
  'bad-utf8': { summary: 'bytes that are not UTF-8', forms: ['csv', 'jsonl'] },
  columns: { summary: 'a line with a field too many', forms: ['csv'] },
  cut: { summary: 'a line that ends in the middle', forms: ['jsonl'] },
};

export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

export interface FaultOptions {
  /** Share of the records that have one, from 0 to 1. */
  readonly rate: number;
  /** All that the format can have when absent. */
  readonly kinds?: readonly FaultKind[] | undefined;
  /** Only values of these fields; any when absent. */
  readonly fields?: readonly string[] | undefined;
}

export interface Fault {
  readonly kind: FaultKind;
  /** Number of the field, where it is one; -1. */
  readonly field: number;
}

/** More than any field takes. */
export const LONG_TEXT: Uint8Array = utf8('x'.repeat(5000));
const QUOTE = utf8('"');
const VALUES: Readonly<Partial<Record<FaultKind, readonly string[]>>> = {
  'wrong-type': ['n/a', 'unknown', '#REF!', '12,5O'],
  'bad-date': ['2026-02-30', '0000-00-00', '31.04.2026', '2026-13-01'],
};

/** Throws ConfigError for faults that records of this form, with these fields, cannot have. */
export function assertFaults(
  { rate, kinds = [], fields: only = [] }: FaultOptions,
  form: FaultForm,
  fields: readonly string[],
): void {
  const refuse = (message: string, remedy: string): never => {
    throw new ConfigError(`making faults: ${message}`, { code: 'generate.options', remedy });
  };
  if (!(rate >= 0 && rate <= 1)) refuse(`${rate} is no share`, 'give a number from 0 to 1');
  const possible = FAULT_KINDS.filter((kind) => FAULTS[kind].forms.includes(form));
  const wrong = kinds.find((kind) => !possible.includes(kind));
  if (wrong !== undefined) refuse(`"${wrong}" cannot be there`, `possible are ${possible.join(', ')}`);
  const unknown = only.find((name) => !fields.includes(name));
  if (unknown !== undefined) refuse(`no record has a field "${unknown}"`, `there are ${fields.join(', ')}`);
}

/** Says of each record whether it is broken, and how; the same for ever for a record in one version. */
export class Faults {
  readonly #draws: Draws;
  readonly #bound: number;
  readonly #choices: { kind: FaultKind; fields: number[] }[] = [];

  constructor(
    draws: Draws,
    schema: Schema,
    form: FaultForm,
    { rate, kinds = FAULT_KINDS, fields: only }: FaultOptions,
  ) {
    this.#draws = draws;
    this.#bound = rate * 0x1_0000_0000;
    for (const kind of kinds) {
      const fields = fieldsFor(kind, schema).filter(
        (field) => field < 0 || !only || only.includes(schema.fields[field]!.name),
      );
      if (FAULTS[kind].forms.includes(form) && fields.length > 0) this.#choices.push({ kind, fields });
    }
  }

  /** The fault of a record, given the version of each. */
  of(index: number, versions: Versions): Fault | undefined {
    if (this.#choices.length === 0 || !this.#hit(index, versions)) return undefined;
    const word = this.#draws.second;
    const { kind, fields } = this.#choices[(word & 0xffff) % this.#choices.length]!;
    // What is there twice is a whole record.
    if (
      kind === 'duplicate' &&
      (index === 0 || versions.of(index - 1) === DEAD || this.#hit(index - 1, versions))
    )
      return undefined;
    return { kind, field: fields[(word >>> 16) % fields.length]! };
  }

  #hit(index: number, versions: Versions): boolean {
    return this.#draws.at(index, versions.of(index)) < this.#bound;
  }

  /** What stands in a field in place of its value; undefined for faults that are none of a field. */
  change({ kind, field }: Fault, index: number): ChangedValue | undefined {
    const texts = VALUES[kind];
    switch (kind) {
      case 'wrong-type':
      case 'bad-date': {
        const text = texts![index % texts!.length]!;
        const quoted = text.includes(',') ? `"${text}"` : text;
        return { field, json: utf8(JSON.stringify(text)), csv: utf8(quoted) };
      }
      case 'out-of-range': {
        const text = `${1 + (index % 9)}${'0'.repeat(39)}`;
        return { field, json: utf8(text), csv: utf8(text) };
      }
      case 'missing':
        return { field, json: utf8('null'), csv: utf8('') };
      case 'too-long':
        return { field, json: Buffer.concat([QUOTE, LONG_TEXT, QUOTE]), csv: LONG_TEXT };
      case 'bad-utf8': {
        const bytes = Uint8Array.of(0x61, 0xff, 0xc3, 0x28, 0x62);
        return { field, json: Uint8Array.of(0x22, ...bytes, 0x22), csv: bytes };
      }
      case 'duplicate':
      case 'columns':
      case 'cut':
        return undefined;
    }
  }
}

/** Numbers of the fields that can have it; -1 for what is of the record. The key stays readable, so that a record can be named. */
function fieldsFor(kind: FaultKind, schema: Schema): number[] {
  const numbers = (wanted: (kind: string, nullable: boolean) => boolean): number[] =>
    schema.fields.flatMap(({ type, nullable }, i) => (i > 0 && wanted(type.kind, nullable) ? [i] : []));
  switch (kind) {
    case 'wrong-type':
      return numbers((type) => /^(int|float|decimal|bool)/.test(type));
    case 'bad-date':
      return numbers((type) => type === 'date' || type === 'timestamp');
    case 'out-of-range':
      return numbers((type) => /^(int|decimal)/.test(type));
    case 'missing':
      return numbers((_, nullable) => !nullable);
    case 'too-long':
    case 'bad-utf8':
      return numbers((type) => type === 'utf8');
    case 'duplicate':
    case 'columns':
    case 'cut':
      return [-1];
  }
}
