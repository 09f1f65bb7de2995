import { z } from 'zod';
import { flatten } from '../../core/flatten.ts';

/** What a stream of a project's own code is asked for. */
export interface RecordsRequest {
  /** Where the watermark of the stream is: text such as `2026-07-24 01:00:00.000000+00` or `1204`; undefined on the first run, and without a `cursor`. */
  readonly since: string | undefined;
  /** What was yielded last as `state` when everything before it was committed; undefined on the first run. */
  readonly state: unknown;
  /** A few records will do: `plan` and `discover` only look at them. */
  readonly preview: boolean;
  /** Aborted when the run is to stop. */
  readonly signal: AbortSignal;
}

/** One record, several, or several with a state that is true once they are committed. */
export type Yielded =
  | object
  | readonly object[]
  | { readonly records: readonly object[]; readonly state: unknown };

export interface CustomStream {
  /** Field or fields that tell records apart. */
  key?: string | readonly string[] | undefined;
  /** Types of fields, such as `decimal(12,2)`, over what their values look like. */
  types?: Readonly<Record<string, string>> | undefined;
  /** How many levels of objects within records become columns of their own; when absent they stay JSON. */
  flatten?: number | undefined;
  /** An async generator, or whatever else can be iterated over. */
  records(request: RecordsRequest): AsyncIterable<Yielded> | Iterable<Yielded>;
}

export interface CustomOptions {
  streams: Record<string, CustomStream>;
  /** For people; custom when absent. */
  title?: string | undefined;
}

const isFunction = (value: unknown): boolean => typeof value === 'function';
const name = z.string().trim().min(1);

export const customOptions: z.ZodType<CustomOptions, CustomOptions> = z
  .strictObject({
    title: name.optional().describe('What it is, for people.'),
    streams: z
      .record(
        z.string().regex(/^[A-Za-z_]\w*$/, 'the name of a stream is made of letters, digits and "_"'),
        z.strictObject({
          key: z
            .union([name, z.array(name).min(1)])
            .optional()
            .describe('Field or fields that tell records apart.'),
          types: z
            .record(z.string(), name)
            .optional()
            .describe('Types of fields, over what their values look like.'),
          flatten,
          records: z
            .custom<CustomStream['records']>(
              isFunction,
              'has to be a function, which a project in TypeScript can have',
            )
            .describe('Yields records.'),
        }),
      )
      .refine((all) => Object.keys(all).length > 0, 'has no stream')
      .describe('What can be read.'),
  })
  .describe('Code of the project that yields records.');
