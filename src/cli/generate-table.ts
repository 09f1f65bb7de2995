import type { CommandSpec } from './command-table.ts';
import type { OptionSpec } from './option-table.ts';

const ROWS: OptionSpec = {
  name: 'rows',
  value: '<n>',
  summary: 'records on the first day; of lending, loans (default: 10,000)',
};

/** What decides the records, for all that is made of them. */
const MODEL: readonly OptionSpec[] = [
  {
    name: 'model',
    value: '<name>',
    summary: 'lending (partners, loans, payments; the default) or tenants (20 plain fields)',
  },
  ROWS,
  { name: 'seed', value: '<n>', summary: 'another number makes other records (default: 1)' },
  { name: 'from', value: '<day>', summary: 'the first day (default: 2026-01-01)' },
  { name: 'inserts', value: '<n>', summary: 'records that a day makes (default: 1 % of the first)' },
  { name: 'updates', value: '<n>', summary: 'records that a day changes (default: 2 %)' },
  {
    name: 'deletes',
    value: '<n>',
    summary: 'records that a day takes away, of those that none belongs to (default: 0)',
  },
  {
    name: 'drift',
    value: '<change@day>',
    many: true,
    summary:
      'from that day on, 0 being the first: new-field, rename, decimal (was whole), retype (was a number), nested (new fields in an object), or all',
  },
];

const FAULT_FIELD: OptionSpec = {
  name: 'fault-field',
  value: '<name>',
  many: true,
  summary: 'only values of these fields are broken',
};

const FAULTS: readonly OptionSpec[] = [
  { name: 'faults', value: '<share>', summary: 'share of the records that are broken: "1 %"' },
  {
    name: 'fault',
    value: '<kind>',
    many: true,
    summary:
      'only these: wrong-type, bad-date, out-of-range, missing, too-long, duplicate, bad-utf8, columns (CSV), cut (JSON Lines)',
  },
  FAULT_FIELD,
];

const ONLY: OptionSpec = { name: 'table', short: 't', value: '<name>', many: true, summary: 'only these' };

/** Commands for trying things without data of one's own. */
export const GENERATE: readonly CommandSpec[] = [
  {
    name: 'demo',
    group: 'start',
    summary: 'a shop database, a lake and a day of changes, on this machine',
    arguments: [],
    options: [
      { name: 'rows', value: '<n>', summary: 'rows to begin with, roughly (default: a million)' },
      { name: 'quick', summary: 'few rows, for a look in passing' },
      { name: 'keep', summary: 'leave the temporary folder there at the end' },
      {
        name: 'directory',
        value: '<path>',
        summary: 'put it there, and leave it; opens the database of a demo that is there already',
      },
    ],
    examples: ['sluice demo', 'sluice demo --directory ./demo'],
  },
  {
    name: 'generate files',
    group: 'start',
    summary: 'make files of made-up records: CSV, JSON, JSON Lines or Parquet',
    about:
      'The ending of the path says the format, and whether text is packed: .csv, .json, .jsonl, .parquet, and .gz or .zst. {table}, {date}, {year}, {month} and {day} stand for values; a folder gets {table}_{date}.csv. The same options make the same bytes.',
    arguments: [{ name: 'path' }],
    options: [
      ...MODEL,
      { name: 'days', value: '<n>', summary: 'days, each with a file of its own (default: 1)' },
      {
        name: 'changes',
        summary: 'files of later days have what the day has made and changed, not everything',
      },
      {
        name: 'change-column',
        value: '<name>',
        summary:
          'with --changes: a column with insert, update or delete; without it, nothing tells what is gone',
      },
      ONLY,
      ...FAULTS,
      { name: 'manifest', value: '<path>', summary: 'write down which records were broken, as JSON Lines' },
      { name: 'force', summary: 'write over files that are there' },
    ],
    examples: [
      'sluice generate files ./landing --rows 100000',
      "sluice generate files './landing/{table}_{date}.csv.gz' --days 30 --changes",
      "sluice generate files './landing/{table}.jsonl' --table loans --faults '1 %' --manifest ./faults.jsonl",
      "sluice generate files './landing/{table}_{date}.parquet' --model tenants --rows 1000000",
    ],
  },
  {
    name: 'generate tables',
    group: 'start',
    summary: 'make tables of made-up records in a database, and let days pass in them',
    about:
      'In PostgreSQL, MySQL, MariaDB or a DuckDB file, by the bulk load of the system. What the tables were made of is written down in the database, so that --next needs no other options.',
    arguments: [{ name: 'connection or url' }],
    options: [
      ...MODEL,
      {
        name: 'days',
        value: '<n>',
        summary: 'days that new tables have behind them, the first among them (default: 1)',
      },
      {
        name: 'next',
        value: '<n>',
        summary:
          'let so many days pass in tables that were made here: inserts, updates and deletes, a transaction each',
      },
      ONLY,
      { ...FAULTS[0]!, summary: 'share of the records without a value where there always is one' },
      { name: 'replace', summary: 'drop tables of these names first' },
    ],
    examples: [
      'sluice generate tables "$SHOP_URL" --rows 1000000',
      'sluice generate tables shop --next 1',
      'sluice generate tables ./try.duckdb --model tenants --deletes 20 --days 30',
    ],
  },
  {
    name: 'generate api',
    group: 'start',
    summary: 'serve made-up records as a REST API on this machine, until Ctrl-C',
    about:
      'Requests say how they want it: ?paging=page|offset|cursor|header|link|next|none, per_page or limit, updated_since=2026-01-31T12:00:00Z, records=result.items, format=jsonl, day=3, hostile=429:1x2. Paths are /loans, /loans/17 and /partners/3/loans.',
    arguments: [],
    options: [
      ...MODEL,
      { name: 'day', value: '<n>', summary: 'the day whose end is served, 0 being the first (default: 0)' },
      { name: 'port', value: '<n>', summary: 'port on 127.0.0.1 (default: a free one)' },
      {
        name: 'paging',
        value: '<kind>',
        summary:
          'of requests that do not say it: page, offset, cursor, header, link, next or none (default: page)',
      },
      { name: 'page-size', value: '<n>', summary: 'records of a page (default: 100)' },
      {
        name: 'cache',
        value: '<size>',
        summary: 'pages that are kept, for example "2 GB" (default: 64 MiB)',
      },
      { name: 'bearer', value: '<token>', summary: 'only for those who send this token' },
      { name: 'basic', value: '<user:password>', summary: 'only for those who sign in so' },
      { name: 'api-key', value: '<key>', summary: 'only for those who send it as X-Api-Key' },
      {
        name: 'oauth',
        value: '<client:secret>',
        summary: 'only for those who get a token with it: POST /oauth/token',
      },
      {
        name: 'hostile',
        value: '<records=trouble>',
        many: true,
        summary:
          'what goes wrong: a status (429:2 with Retry-After), reset, refuse, hang, invalid, html, empty, redirect, bomb, drip, shift, repeat, endless, loop, blank; then x2 for two tries, @3 for every third page',
      },
      ...FAULTS,
    ],
    examples: [
      'sluice generate api --port 8080',
      'sluice generate api --rows 1000000 --model tenants --page-size 10000',
      'sluice generate api --paging cursor --bearer secret --hostile loans=429:1x2@3 --hostile reset@5',
    ],
  },
];
