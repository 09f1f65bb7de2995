/**
 * How values that a target would change or refuse are found before anything is loaded: the destination says as data what its
 * columns do not hold, and the source counts the rows that have such a value, where they are.
 */
import type { Schema } from './schema.ts';
import type { SliceRange } from './stream.ts';

/** What a load makes of a value: NULL, another value, or an error that stops it. */
export type Fate = 'null' | 'altered' | 'refused';

/** What is wrong with a value, or with the column that it goes to. */
export type Problem =
  | Limit['problem']
  /** NULL where none is taken. */
  | 'null'
  /** None of the type, such as the date 0000-00-00. */
  | 'no-value'
  /** Several rows with one key. */
  | 'duplicate'
  /** The column that is there is of another type: no row can be loaded. */
  | 'misfit';

/** What a column does not hold. */
export type Limit = { readonly fate: Fate } & (
  | {
      readonly problem: 'too-long';
      readonly unit: 'characters' | 'bytes';
      readonly most: number;
      /** Blanks at the end count. */
      readonly blanks: boolean;
    }
  /** More digits before the point, once rounded to `scale` behind it. */
  | { readonly problem: 'too-large'; readonly whole: number; readonly scale: number }
  /** More digits behind the point. */
  | { readonly problem: 'fraction'; readonly scale: number }
  /** A date or moment outside of [from, below), in days or microseconds since 1970. `infinite`: the infinities are held. */
  | {
      readonly problem: 'out-of-range';
      readonly from: bigint;
      readonly below: bigint;
      readonly infinite: boolean;
    }
  /** NaN and the infinities. */
  | { readonly problem: 'not-finite' }
  | { readonly problem: 'negative-zero' }
  /** U+0000. */
  | { readonly problem: 'zero-character' }
  | { readonly problem: 'not-json' }
);

/** A column of the target as a load would find or make it. */
export interface ColumnLimits {
  /** Name in the stream's schema. */
  readonly field: string;
  /** As the target calls it. */
  readonly type: string;
  readonly nullable: boolean;
  readonly limits: readonly Limit[];
  /** The type that it would have to have; undefined when it holds what it is to hold, within its limits. */
  readonly misfit?: string | undefined;
}

export interface TableLimits {
  /** Columns that are not listed hold everything. */
  readonly columns: readonly ColumnLimits[];
  /** Two rows of a load with one key are refused. */
  readonly unique: boolean;
}

/** A load that is planned. */
export interface LimitsRequest {
  readonly table: string;
  /** Of the table after the load. */
  readonly schema: Schema;
  /** Of the table now, as far as it was loaded. */
  readonly before: Schema | undefined;
  /** Rows of earlier loads stay beside newer versions of them. */
  readonly history: boolean;
  /** Everything that is there is replaced in one step. */
  readonly replaces: boolean;
  /** All that is read is committed in one step. */
  readonly together: boolean;
  /** Rows take the place of those with their key. */
  readonly merges: boolean;
}

export interface DiagnoseRequest {
  readonly target: TableLimits;
  /** What the load reads. */
  readonly ranges: readonly SliceRange[];
  /** False: nothing is read, and what would have been looked for is `open`. */
  readonly scan: boolean;
  /** Most rows that are looked at; undefined: all. */
  readonly rows: number | undefined;
  /** Most rows that are named for each finding. */
  readonly named: number;
}

export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** Rows that were looked at; undefined: none had to be, or none was to be. */
  readonly rows: number | undefined;
  /** There were more rows than were to be looked at. */
  readonly partial: boolean;
  /** What may be wrong, and was not looked for since nothing was to be read. */
  readonly open: readonly Suspicion[];
  /** What the source has no means to look for. */
  readonly unknown: readonly Suspicion[];
}

export interface Suspicion {
  readonly field: string;
  readonly problem: Problem;
}

export interface Finding {
  /** One column, or those of a key. */
  readonly fields: readonly string[];
  readonly problem: Problem;
  readonly fate: Fate;
  /** Undefined: all. */
  readonly rows: number | undefined;
  /** Keys of some of the rows, as the source writes them; none where rows have no key. */
  readonly keys: readonly Readonly<Record<string, string | null>>[];
}
