/**
 * Every command as data: parsing, help and "did you mean" come from here. It imports nothing but the options, so that
 * `sluice --help` costs no more than reading both.
 */
import { GENERATE } from './generate-table.ts';
import { LEDGER } from './ledger-table.ts';
import {
  type ArgumentSpec,
  BATCH_BYTES,
  FORMAT,
  FULL_REFRESH,
  KEEP_INDEXES,
  LOAD_METHOD,
  LAKE,
  MEMORY,
  type OptionSpec,
  RESUME,
  SELECT,
  STREAM_ARGUMENTS,
  TABLES,
  VERIFY,
  WINDOW,
  WORKERS,
  YES,
} from './option-table.ts';
import { QUARANTINE } from './quarantine-table.ts';
import { SCHEMA } from './schema-table.ts';
import { SHADOW_COMMAND } from './shadow-table.ts';
import { SINGER_TARGET } from './singer-table.ts';

export interface CommandSpec {
  /** `run`, or two words: `state show`. */
  readonly name: string;
  readonly group: 'start' | 'move' | 'look' | 'repair';
  readonly summary: string;
  /** More than a line of help, where it is needed. */
  readonly about?: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
}

/** Options that every command takes; they may also stand before it. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'project',
    short: 'C',
    value: '<path>',
    summary: 'folder of the project, or its file (default: the nearest one upwards)',
  },
  { name: 'json', summary: 'output for programs: exact values, one JSON value per line' },
  { name: 'verbose', summary: 'with errors: causes and stack' },
  { name: 'no-color', summary: 'no colours (NO_COLOR and FORCE_COLOR are respected too)' },
  { name: 'help', short: 'h', summary: 'what a command does and takes' },
  { name: 'version', summary: 'which version this is' },
];

export const GROUPS: readonly { name: CommandSpec['group']; title: string }[] = [
  { name: 'start', title: 'start' },
  { name: 'move', title: 'move data' },
  { name: 'look', title: 'look' },
  { name: 'repair', title: 'state and tools' },
];

/** Commands of two words and what the first word stands for. */
export const FAMILIES: Readonly<Record<string, string>> = {
  generate: 'made-up records, the same for the same options: tables, files, a REST API',
  schema: 'columns of tables: show them, what they were, what they are to be',
  state: 'how far a stream is loaded: show it, set it, start over',
  ledger: 'which files streams have loaded',
  quarantine: 'records that did not fit: look at them, load them again, give them up',
  catalog: 'the tables of the lake: list, describe, query, maintain',
  sql: 'SQL that prepares a database',
};

const START: readonly CommandSpec[] = [
  {
    name: 'init',
    group: 'start',
    summary: 'write a project file; asks on a terminal',
    arguments: [],
    options: [
      {
        name: 'from',
        value: '<url, path or $NAME>',
        summary:
          'where the data is: a URL, files (a folder, or a path with *), or the environment variable that holds it',
      },
      { name: 'to', value: '<path or url>', summary: 'where it goes: a folder for a lake (default: ./lake)' },
      { ...TABLES, summary: 'tables to load; wildcards allowed (default: all)' },
      { name: 'typescript', summary: 'write sluice.config.ts instead of sluice.yaml' },
      { name: 'force', summary: 'replace a project file that is there' },
      YES,
    ],
    examples: [
      'sluice init',
      "sluice init --from '$SHOP_URL' --to ./lake --table 'public.*' --yes",
      "sluice init --from './landing/tenants_*.csv' --yes",
    ],
  },
  {
    name: 'discover',
    group: 'start',
    summary: 'list what a source has, with keys, cursors and a proposal',
    arguments: [{ name: 'connection or url', optional: true }],
    options: [TABLES],
    examples: [
      'sluice discover',
      "sluice discover shop --table 'public.*'",
      'sluice discover postgres://localhost/shop --json',
    ],
  },
  {
    name: 'check',
    group: 'start',
    summary: 'can we connect? which rows of a pipeline would its target change or refuse?',
    about:
      'Of a pipeline, values that would be too long, too large, out of range or changed by rule are counted in the source, before anything is loaded. Exit code 4 when something would stop the load.',
    arguments: [{ name: 'pipeline, connection or url', optional: true }],
    options: [
      SELECT,
      { name: 'no-scan', summary: 'read the catalogs only; says what would have to be looked for' },
      { name: 'rows', value: '<n>', summary: 'most rows of a stream that are looked at (default: all)' },
      { name: 'limit', value: '<n>', summary: 'most rows that are named for each finding (default: 5)' },
      { ...FULL_REFRESH, summary: 'as if everything were to be loaded again' },
      ...WINDOW,
    ],
    examples: [
      'sluice check',
      'sluice check shop',
      'sluice check shop_to_mirror --select public.orders --rows 1000000',
    ],
  },
];

const MOVE: readonly CommandSpec[] = [
  {
    name: 'plan',
    group: 'move',
    summary: 'show what a run would read and write; writes nothing',
    arguments: [{ name: 'pipeline', optional: true, many: true }],
    options: [
      SELECT,
      FULL_REFRESH,
      ...RESUME,
      KEEP_INDEXES,
      LOAD_METHOD,
      ...WINDOW,
      { name: 'sql', summary: 'also the SQL for each stream' },
    ],
    examples: ['sluice plan', "sluice plan shop_to_lake --select 'public.ord*' --sql"],
  },
  {
    name: 'run',
    group: 'move',
    summary: 'load what is new',
    about:
      'A run that fails or is stopped leaves nothing half-done; run it again and it goes on where it was.',
    arguments: [{ name: 'pipeline', optional: true, many: true }],
    options: [
      SELECT,
      FULL_REFRESH,
      ...RESUME,
      { name: 'dry-run', summary: 'the same as plan' },
      VERIFY,
      KEEP_INDEXES,
      LOAD_METHOD,
      WORKERS,
      MEMORY,
      BATCH_BYTES,
      ...WINDOW,
    ],
    examples: [
      'sluice run',
      'sluice run shop_to_lake --select public.orders',
      'sluice run shop_to_lake --date yesterday',
      'sluice run shop_to_lake --verify checksums',
      'sluice run shop_to_mirror --load-method bulk',
      'sluice run shop_to_lake --json > events.jsonl',
    ],
  },
  {
    name: 'copy',
    group: 'move',
    summary: 'from one URL to another, without a project file',
    about: 'A second copy with the same cursor loads what is new: how far it was is kept with the data.',
    arguments: [{ name: 'source' }, { name: 'destination' }],
    options: [
      TABLES,
      { name: 'sql', value: '<query>', summary: 'copy the result of a query; needs --name' },
      { name: 'name', value: '<table>', summary: 'name of the table in the destination' },
      { name: 'load', value: '<strategy>', summary: 'append, merge, replace, delete-insert or scd2' },
      {
        name: 'cursor',
        value: '<column>',
        many: true,
        summary: 'column that tells what is new; xmin works for any PostgreSQL table',
      },
      {
        name: 'key',
        value: '<column>',
        many: true,
        summary: 'key columns, when the source does not declare them',
      },
      { name: 'where', value: '<condition>', summary: 'SQL condition put to the source' },
      {
        name: 'partition-by',
        value: '<column:unit>',
        summary: 'folders by column: order_date:day (hour, day, month, year, value)',
      },
      FULL_REFRESH,
      { name: 'dry-run', summary: 'show the plan, write nothing' },
      VERIFY,
      KEEP_INDEXES,
      LOAD_METHOD,
      WORKERS,
      MEMORY,
      BATCH_BYTES,
    ],
    examples: [
      'sluice copy postgres://localhost/shop ./lake --table public.orders',
      'sluice copy "$SHOP_URL" ./lake --table \'public.*\' --cursor updated_at',
      'sluice copy ./shop.sql.gz ./lake',
      'sluice copy \'./landing/tenants_*.csv.gz\' "$SHOP_URL"',
      'sluice copy "$SHOP_URL" \'./exports/{table}_{date}.csv.gz\' --table public.orders',
      'sluice copy "$SHOP_URL" ./lake --sql \'select * from orders where total >= 100\' --name large_orders',
    ],
  },
  SHADOW_COMMAND,
  SINGER_TARGET,
];

const LOOK: readonly CommandSpec[] = [
  {
    name: 'verify',
    group: 'look',
    summary: 'is what was loaded what the source has? names the rows that differ',
    about:
      'Both systems make checksums of their rows; only rows of groups that differ are looked at one by one. Exit code 4 when something differs.',
    arguments: [{ name: 'pipeline', optional: true, many: true }],
    options: [
      SELECT,
      { name: 'limit', value: '<n>', summary: 'most rows of a stream that are named (default: 20)' },
      { name: 'strict', summary: 'rows that the next run reads anyway have to be equal too' },
      { name: 'ignore-extra', summary: 'rows that only the target has are counted, and no difference' },
      ...WINDOW,
      MEMORY,
    ],
    examples: [
      'sluice verify',
      'sluice verify shop_to_lake --select public.orders --limit 100',
      'sluice verify shop_to_lake --ignore-extra && echo all rows are there',
      'sluice verify --json | jq \'.streams[] | select(.status == "differs")\'',
    ],
  },
  {
    name: 'status',
    group: 'look',
    summary: 'pipelines and streams: last run, watermark, rows, who is at work',
    arguments: [{ name: 'pipeline', optional: true, many: true }],
    options: [
      {
        name: 'alerts',
        summary: 'also what was not loaded for too long, told to the webhook; exit code 7 when there is any',
      },
    ],
    examples: ['sluice status', 'sluice status shop_to_lake --json', 'sluice status --alerts'],
  },
  {
    name: 'runs',
    group: 'look',
    summary: 'the history of runs: time, rows, bytes, retries, alerts',
    arguments: [{ name: 'pipeline', optional: true, many: true }],
    options: [
      { name: 'limit', value: '<n>', summary: 'most runs of each pipeline (default: 20)' },
      { name: 'streams', summary: 'a line for each stream' },
    ],
    examples: ['sluice runs', 'sluice runs shop_to_lake --streams', 'sluice runs --json --limit 1000'],
  },
  {
    name: 'catalog tables',
    group: 'look',
    summary: 'the tables of the lake',
    arguments: [],
    options: [LAKE, FORMAT],
    examples: ['sluice catalog tables', 'sluice catalog tables --lake ./lake'],
  },
  {
    name: 'catalog describe',
    group: 'look',
    summary: 'columns, key, partitions and history of a table',
    arguments: [{ name: 'table' }],
    options: [LAKE, FORMAT],
    examples: ['sluice catalog describe orders'],
  },
  {
    name: 'catalog partitions',
    group: 'look',
    summary: 'the folders of a table with files, rows and bytes',
    arguments: [{ name: 'table' }],
    options: [LAKE, FORMAT],
    examples: ['sluice catalog partitions orders --format csv'],
  },
  {
    name: 'catalog query',
    group: 'look',
    summary: 'ask the lake in SQL',
    arguments: [{ name: 'sql' }],
    options: [
      LAKE,
      FORMAT,
      { name: 'limit', value: '<n>', summary: 'at most this many rows (default on a terminal: 1000)' },
    ],
    examples: [
      "sluice catalog query 'select count(*) from orders'",
      "sluice catalog query 'from orders' --format csv > orders.csv",
    ],
  },
  {
    name: 'catalog check',
    group: 'look',
    summary: 'are all files there, whole, and as the commits say?',
    arguments: [{ name: 'table', optional: true, many: true }],
    options: [LAKE, FORMAT],
    examples: ['sluice catalog check'],
  },
];

const REPAIR: readonly CommandSpec[] = [
  {
    name: 'repair',
    group: 'repair',
    summary: 'put back indexes and foreign keys that tables are without',
    about:
      'A large load takes indexes away and makes them again; foreign keys come when all tables are loaded. What could not be made, or was left by a run that was killed, is written down in the destination: every run of the table makes it, and so does this command.',
    arguments: [{ name: 'pipeline', optional: true, many: true }],
    options: [
      { name: 'dry-run', summary: 'only say what is missing' },
      { name: 'forget', summary: 'cross out what cannot be made' },
      WORKERS,
    ],
    examples: ['sluice repair', 'sluice repair replicate --dry-run', 'sluice repair replicate --forget'],
  },
  {
    name: 'catalog compact',
    group: 'repair',
    summary: 'turn many small files of a table into few large ones',
    arguments: [{ name: 'table', optional: true, many: true }],
    options: [LAKE, FORMAT, { name: 'dry-run', summary: 'only say what would be done' }],
    examples: ['sluice catalog compact orders'],
  },
  {
    name: 'catalog sweep',
    group: 'repair',
    summary: 'remove files that no commit refers to',
    arguments: [{ name: 'table', optional: true, many: true }],
    options: [LAKE, FORMAT, { name: 'dry-run', summary: 'only say what would be done' }, YES],
    examples: ['sluice catalog sweep --dry-run'],
  },
  {
    name: 'state show',
    group: 'repair',
    summary: 'how far the streams of a pipeline are loaded',
    arguments: [
      { name: 'pipeline', optional: true },
      { name: 'stream', optional: true, many: true },
    ],
    options: [],
    examples: ['sluice state show', 'sluice state show shop_to_lake public.orders'],
  },
  {
    name: 'state set',
    group: 'repair',
    summary: 'move the watermark of a stream',
    about: 'Moved back: what lies in between is read again and compared. Moved on: it is never read.',
    arguments: STREAM_ARGUMENTS,
    options: [
      { name: 'watermark', value: '<value>', summary: 'cursor value to go on from, as the source writes it' },
    ],
    examples: ["sluice state set shop_to_lake public.orders --watermark '2026-07-01 00:00:00+00'"],
  },
  {
    name: 'state reset',
    group: 'repair',
    summary: 'forget how far a stream is loaded',
    about: 'The next run loads everything and replaces the table in one step; until then it stays as it is.',
    arguments: STREAM_ARGUMENTS,
    options: [YES],
    examples: ['sluice state reset shop_to_lake public.orders'],
  },
  {
    name: 'sql updated-at-trigger',
    group: 'repair',
    summary: 'print DDL that gives a PostgreSQL table a dependable updated_at',
    arguments: [{ name: 'table', many: true }],
    options: [
      { name: 'column', value: '<name>', summary: 'name of the column (default: updated_at)' },
      { name: 'no-index', summary: 'without the index on the column' },
    ],
    examples: [
      'sluice sql updated-at-trigger public.orders',
      'sluice sql updated-at-trigger public.orders | psql "$SHOP_URL"',
    ],
  },
];

export const COMMANDS: readonly CommandSpec[] = [
  ...START,
  ...GENERATE,
  ...MOVE,
  ...LOOK,
  ...SCHEMA,
  ...LEDGER,
  ...QUARANTINE,
  ...REPAIR,
];
