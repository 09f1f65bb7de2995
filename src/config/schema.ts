/** The shapes of a project file. Each field is described here once: for the loader, for editors and for the reference. */
import { z } from 'zod';
import { BATCH_BYTES, LEAST_MEMORY } from '../core/memory.ts';
import type { Project } from '../core/project.ts';
import { parseType } from '../core/types.ts';
import { inSchema, parseDuration, parseSize } from '../core/units.ts';
import { alertThresholds, metrics, projectAlerts } from './alert-schema.ts';
import { deletes } from './deletes-schema.ts';
import { exported } from './export-schema.ts';
import { name, text, timezone } from './fields.ts';
import { files } from './files-schema.ts';
import { rules } from './rule-schema.ts';
import { hint } from './suggest.ts';

const DEFAULT_STATE = { type: 'sqlite', path: '.sluice/state.db' } as const;
const DEFAULT_MEMORY = 512 * 2 ** 20;

const positive = z.int().min(1);
const duration = z
  .union([z.string(), z.number()])
  .transform(inSchema(parseDuration))
  .refine((seconds) => seconds > 0, 'must be more than nothing');
const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));
const column = text;
const columnList = z.array(column).min(1).superRefine(noDuplicates);
const columns = z.union([column, columnList]);
const typeName = text.transform((written, context) => {
  const type = written.replace(/\s+/g, '').toLowerCase();
  if (!isType(type)) context.addIssue(`"${written}" is no type${hint(type, TYPES)}`);
  return type;
});

const TYPES = [
  'text',
  'binary',
  'json',
  'uuid',
  'bool',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'decimal(20,4)',
  'date',
  'time',
  'timestamp',
  'timestamptz',
];

const partitionBy = z.strictObject({
  column: column.describe('Column of the stream, or _sluice_loaded_at for the day of loading.'),
  by: z
    .enum(['hour', 'day', 'month', 'year', 'value'])
    .describe('Part of the date or time to partition by; "value" takes the value as it is.'),
});

const lookback = z.strictObject({
  column: column.describe('Date or timestamp column that says which day a row belongs to.'),
  days: positive.describe('How many days back rows are read again.'),
});

const date = z.strictObject({
  column: column.describe('Date or timestamp column.'),
  timezone: timezone.optional().describe('Zone in which a day begins and ends.'),
  by: z
    .enum(['day', 'week', 'month', 'year'])
    .optional()
    .describe(
      'How much one slice has: it is read, replaced and, after an interruption, left out as a whole; day when absent.',
    ),
});

const columnChoice = z
  .strictObject({
    include: columnList.optional().describe('Only these columns.'),
    exclude: columnList.optional().describe('All columns but these.'),
  })
  .superRefine(({ include, exclude }, context) => {
    const both = (include ?? []).filter((item) => exclude?.includes(item));
    if (both.length > 0) context.addIssue(`"${both.join('", "')}" cannot be both included and excluded`);
  });

const policy = z.enum(['evolve', 'freeze', 'discard']);

const schemaRules = z.strictObject({
  policy: policy.optional().describe('As the short form; evolve when absent.'),
  incompatible: z
    .enum(['side', 'stop'])
    .optional()
    .describe(
      'What happens to values of a type that does not fit that of their column: side (when absent) gives them a column beside it, such as amount__text; stop ends the stream.',
    ),
});

/** Options that belong to one stream alone; the others may stand in a pipeline's defaults. */
const ownOptions = {
  table: z
    .string()
    // No pattern, which the JSON Schema would repeat: \p has no meaning to many of its readers.
    .refine((written) => /^[\p{L}\p{N}_]+$/u.test(written), 'a table name is made of letters, digits and "_"')
    .optional()
    .describe(
      'Name of the table in the destination. Default: public.orders becomes orders, sales.orders becomes sales_orders.',
    ),
  sql: text.optional().describe('A query to read instead of a table; the name of the stream is then free.'),
  files: z
    .union([text, files])
    .optional()
    .describe(
      'Files to read, from connections that have files: a path with *, or how they are found and read. The name of the stream is then free.',
    ),
  alerts: alertThresholds.optional().describe('What to be told of the stream, over what its pipeline says.'),
};

const sharedOptions = {
  load: z
    .enum(['append', 'merge', 'replace', 'delete-insert', 'scd2'])
    .optional()
    .describe(
      'How rows meet the table: append adds them, merge replaces rows with the same key, replace swaps the whole table, delete-insert replaces days, scd2 keeps every version of a row with the times it was valid (in databases). Default: append with a cursor, delete-insert with a date, else replace.',
    ),
  cursor: columns
    .superRefine((value, context) => {
      if (Array.isArray(value) && value.includes('xmin') && value.length > 1)
        context.addIssue('"xmin" stands alone');
    })
    .optional()
    .describe(
      'Column, or columns of which the greatest counts, that grow when a row changes. "xmin" takes PostgreSQL\'s own row version.',
    ),
  cursor_timezone: timezone.optional().describe('Zone in which cursor columns without a zone are written.'),
  key: columns
    .optional()
    .describe('Column or columns that identify a row; taken from the catalog when absent.'),
  lookback: lookback.optional().describe('Rows of recent days are read again, for those that arrive late.'),
  first_run: duration
    .optional()
    .describe('How far back the first run reads, for example "30 days"; everything when absent.'),
  overlap: duration
    .optional()
    .describe(
      'How far behind the watermark each run reads again, for example "5 minutes": for writers with clocks of their own.',
    ),
  null_cursor: z
    .enum(['load', 'skip'])
    .optional()
    .describe('What happens to rows whose cursor is NULL; load when absent.'),
  date: z
    .union([column, date])
    .optional()
    .describe(
      'Date or timestamp column by which the stream is loaded day by day; each day replaces what was there.',
    ),
  partition_by: partitionBy.optional().describe('How the files of the destination are partitioned.'),
  columns: z
    .union([columnList, columnChoice])
    .optional()
    .describe('Which columns are read; all when absent.'),
  rename: z
    .record(z.string(), text)
    .superRefine(noSharedTarget)
    .optional()
    .describe('Source column: name in the destination.'),
  types: z
    .record(z.string(), typeName)
    .optional()
    .describe(
      'Column: type to store it as, where the mapping is not what you want. text and binary, or for example decimal(20,4).',
    ),
  where: text.optional().describe('SQL condition that rows have to meet, in the language of the source.'),
  slice_rows: positive
    .optional()
    .describe('Most rows of one slice when a backlog is read in the order of the cursor.'),
  verify: z
    .enum(['off', 'counts', 'checksums'])
    .optional()
    .describe(
      'What is compared after a load. counts (when absent): rows of the source and of the table, where the load was all of it; checksums: every row, as `sluice verify` does; off: nothing.',
    ),
  load_method: z
    .enum(['auto', 'statements', 'bulk'])
    .optional()
    .describe(
      'How rows go into tables of PostgreSQL, MySQL and MariaDB. auto (when absent): a load of few rows by INSERT statements, others in bulk (COPY, LOAD DATA), as each turns out when it is read; statements or bulk: all of them.',
    ),
  load_columns: z
    .boolean()
    .optional()
    .describe(
      'Tables of databases have the columns _sluice_load_id and _sluice_loaded_at: by which load a row came or last changed, and when. When absent: those of REST APIs, Singer taps and sources of your own, and all with `load: append`. Lakes always have them.',
    ),
  deletes: deletes.optional(),
  schema: z
    .union([policy, schemaRules])
    .optional()
    .describe(
      'What happens when the source has other columns or types than the table. evolve (when absent): columns are added and widened; freeze: the stream stops until the changes are accepted; discard: new columns are left out, types stay. `sluice schema` shows and accepts changes.',
    ),
  max_bad: z
    .union([
      z.int().min(0),
      z.string().regex(/^\d+(\.\d+)?\s*%$/, 'is a number of rows, or a share such as "1 %"'),
      z.strictObject({
        rows: z.int().min(0).optional().describe('Most records that do not fit.'),
        percent: z.number().min(0).max(100).optional().describe('Most of a hundred records.'),
      }),
    ])
    .optional()
    .describe(
      'How many records of a run may go to quarantine before the stream fails: a number, a share, or both. "1 %" when absent; a share counts from 100 such records on.',
    ),
  export: exported
    .optional()
    .describe(
      'How the stream is written by a connection of type files: a path such as "{table}_{date}.csv.gz", or how the file is named and written.',
    ),
  ...rules,
  slice_by: columns
    .optional()
    .describe(
      'Column or columns with an index by whose ranges everything is read side by side: for views, queries and foreign tables, which are read in one piece otherwise.',
    ),
};

const streamOptions = z.strictObject({ ...ownOptions, ...sharedOptions });

const stream = z
  .union([streamOptions, z.literal(false), z.literal(true), z.null()])
  .transform((value) => (value === true || value === null ? {} : value))
  .describe('Options of the stream. Nothing (or true) takes the defaults, false leaves the stream out.');

const pipeline = z.strictObject({
  from: text.describe('Connection to read from.'),
  to: text.describe('Connection to write to.'),
  schedule: text
    .regex(
      /^(?:[\w*,/-]+\s+){4}[\w*,/-]+$/,
      'a schedule has five fields, as in cron: "0 1 * * *" is every day at 01:00',
    )
    .optional()
    .describe(
      'When to run, as in cron: minute, hour, day of month, month, day of week. "0 1 * * *" is every day at 01:00.',
    ),
  timezone: timezone
    .optional()
    .describe('Zone of the schedule, and of the dates in names of exports; UTC when absent.'),
  alerts: alertThresholds.optional().describe('What to be told of the pipeline, over what the project says.'),
  defaults: z
    .strictObject(sharedOptions)
    .optional()
    .describe('Options of all streams that do not say otherwise.'),
  streams: z
    .record(z.string(), stream)
    .describe(
      'What is moved: name, or name with * for several, and its options. A name in full goes before names with *.',
    ),
});

const connection = z.looseObject({ type: text.describe('Kind of system.') });

const state = z
  .union([
    z.literal('sqlite'),
    z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('sqlite'),
        path: text.default(DEFAULT_STATE.path).describe('File of the database, relative to the project.'),
      }),
      z.strictObject({
        type: z.literal('lake'),
        connection: text.describe('Connection to the lake that keeps the state, for several machines.'),
      }),
    ]),
  ])
  .transform((value) => (value === 'sqlite' ? DEFAULT_STATE : value));

/** What the YAML file and `defineProject` take. Options of connections are left to their connectors. */
export const projectSchema: z.ZodType<
  Omit<Project, 'directory' | 'memoryBytes' | 'batchBytes'> & {
    memory: number;
    batch_bytes?: number | undefined;
  }
> = z.strictObject({
  connections: z.record(name, connection).describe('Systems to read from and write to, by name.'),
  pipelines: z.record(name, pipeline).default({}).describe('What is moved from where to where, by name.'),
  state: state
    .default(DEFAULT_STATE)
    .describe(
      'Where leases, the history of runs and records in quarantine are kept: in the project (default), or in the lake itself.',
    ),
  memory: size
    .refine((bytes) => bytes >= LEAST_MEMORY, `must be at least ${LEAST_MEMORY / 2 ** 20} MiB`)
    .default(DEFAULT_MEMORY)
    .describe(
      `Memory that one run may use in all: "512 MiB" (default). At least ${LEAST_MEMORY / 2 ** 20} MiB.`,
    ),
  batch_bytes: size
    .refine(
      (bytes) => bytes >= BATCH_BYTES.least && bytes <= BATCH_BYTES.most,
      'must be from 64 KiB to 16 MiB',
    )
    .optional()
    .describe(
      'Bytes that close a batch of rows before it has its 2,048: "8 MiB" when absent. From "64 KiB" to "16 MiB".',
    ),
  alerts: projectAlerts.optional().describe('What to be told of, and where.'),
  metrics: metrics.optional().describe('Where the figures of runs go.'),
});

/** Options that a pipeline's defaults cannot hold. */
export const OWN_OPTIONS: readonly string[] = Object.keys(ownOptions);

function noDuplicates(list: string[], context: { addIssue(message: string): void }): void {
  const twice = list.filter((item, index) => list.indexOf(item) !== index);
  if (twice.length > 0) context.addIssue(`"${twice[0]}" is written twice`);
}

function noSharedTarget(rename: Record<string, string>, context: { addIssue(message: string): void }): void {
  const targets = Object.values(rename);
  const shared = targets.find((target, index) => targets.indexOf(target) !== index);
  if (shared !== undefined) context.addIssue(`two columns cannot both become "${shared}"`);
}

function isType(name: string): boolean {
  if (name === 'text') return true;
  const type = parseType(name);
  if (type?.kind !== 'decimal') return type !== undefined;
  return type.precision >= 1 && type.precision <= 38 && type.scale <= type.precision;
}
