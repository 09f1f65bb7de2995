import { z } from 'zod';
import { inSchema, parseDuration, parseSize } from '../../core/units.ts';

/** A tap as the user writes it. */
export interface SingerOptionsInput {
  command: string | string[];
  config?: string | Record<string, unknown> | undefined;
  catalog?: string | undefined;
  properties?: boolean | undefined;
  discover?: boolean | undefined;
  metadata?: Record<string, Record<string, unknown>> | undefined;
  env?: Record<string, string> | undefined;
  directory?: string | undefined;
  timeout?: string | number | undefined;
  concurrency?: number | undefined;
  extracted_at?: boolean | undefined;
}

/** The same after parsing: a command is a list of words, durations are seconds. */
export interface SingerOptions extends SingerOptionsInput {
  command: string[];
  properties: boolean;
  discover: boolean;
  timeout: number;
  concurrency: number;
  extracted_at: boolean;
}

const text = z.string().trim().min(1);
const duration = z.union([z.string(), z.number()]).transform(inSchema(parseDuration));

/** Words between blanks; what stands in quotes is one word. There is no shell, so nothing else has a meaning. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/(?:"([^"]*)"|'([^']*)'|[^\s"']+)+/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ''),
  );
}

export const singerOptions: z.ZodType<SingerOptions, SingerOptionsInput> = z
  .strictObject({
    command: z
      .union([
        text.transform(wordsOf).refine((words) => words.length > 0, 'names no program'),
        z.array(z.string()).min(1),
      ])
      .describe('The tap: a program and its arguments, as a text or as a list; no shell is started.')
      .meta({ examples: ['tap-github', ['uvx', 'tap-github']] }),
    config: z
      .union([text, z.record(z.string(), z.unknown())])
      .optional()
      .meta({
        description:
          'Its configuration: a file, relative to the project, or what is to stand in one. Taps that write new tokens into their configuration need a file of their own.',
        secret: true,
      }),
    catalog: text
      .optional()
      .describe('File with its catalog; when absent, the tap is asked for one with `--discover`.'),
    properties: z
      .boolean()
      .default(false)
      .describe('The catalog is given with `--properties`, as old taps want it; by `--catalog` when absent.'),
    discover: z
      .boolean()
      .default(true)
      .describe(
        'Whether the tap has a catalog. With `false` it gets none, and brings what it likes; streams have to be named.',
      ),
    metadata: z
      .record(z.string(), z.record(z.string(), z.unknown()))
      .optional()
      .describe(
        'What the catalog says of streams, by their names: `orders: {replication-method: INCREMENTAL}`.',
      ),
    env: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: 'Environment variables beside those that there are.', secret: true }),
    directory: text.optional().describe('Folder that it runs in, relative to the project; that when absent.'),
    timeout: duration
      .default(1800)
      .describe('How long it may say nothing at all before it is ended; "30 min" when absent.'),
    concurrency: z
      .int()
      .min(1)
      .max(32)
      .default(1)
      .describe('How many streams are fetched at once, each by a process of its own; 1 when absent.'),
    extracted_at: z
      .boolean()
      .default(false)
      .describe('Whether the time at which the tap read a record becomes its column `_sdc_extracted_at`.'),
  })
  .describe('A Singer tap.');

/** What `sluice singer-target` is told, by its configuration file or by its flags. */
export interface TargetOptions {
  to?: string | undefined;
  load?: 'auto' | 'append' | 'merge' | 'replace' | undefined;
  /** Rows. */
  flush_rows?: number | undefined;
  /** Bytes. */
  flush_size?: number | undefined;
  /** Seconds. */
  flush_after?: number | undefined;
  extracted_at?: boolean | undefined;
  memory?: string | number | undefined;
  workers?: number | undefined;
  defaults?: Record<string, unknown> | undefined;
  streams?: Record<string, unknown> | undefined;
}

const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));

/** The file that other programs hand over with `--config`. */
export const targetOptions: z.ZodType<TargetOptions> = z.strictObject({
  to: text.optional().describe('Where records go: a URL, a path, or a connection of the project.'),
  load: z
    .enum(['auto', 'append', 'merge', 'replace'])
    .optional()
    .describe('How: merge with a key and append without one (auto, when absent), or the same for all.'),
  flush_rows: z.int().min(1).optional().describe('Rows after which what has come is loaded.'),
  flush_size: size.optional().describe('Bytes after which it is.'),
  flush_after: duration.optional().describe('Time after which it is.'),
  extracted_at: z.boolean().optional().describe('As the option of the source.'),
  memory: z.union([z.string(), z.number()]).optional().describe('Memory for all of it.'),
  workers: z.int().min(1).optional().describe('Slices that are loaded side by side.'),
  defaults: z.record(z.string(), z.unknown()).optional().describe('As `defaults` of a pipeline.'),
  streams: z.record(z.string(), z.unknown()).optional().describe('As `streams` of a pipeline.'),
});

/** Messages that were taken in have nothing to be configured. */
export const messagesOptions: z.ZodType<Record<string, never>> = z.strictObject({});
