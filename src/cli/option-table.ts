/** Options and arguments that several commands have. */

export interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  /** What follows the option, as help shows it; absent for a switch. */
  readonly value?: string;
  /** May be given more than once. */
  readonly many?: true;
  readonly summary: string;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly optional?: true;
  readonly many?: true;
}

export const SELECT: OptionSpec = {
  name: 'select',
  short: 's',
  value: '<stream>',
  many: true,
  summary: 'only these streams; wildcards allowed',
};
export const KEEP_INDEXES: OptionSpec = {
  name: 'keep-indexes',
  summary: 'leave the indexes of tables on, however many rows come',
};
export const WORKERS: OptionSpec = {
  name: 'workers',
  short: 'w',
  value: '<n>',
  summary: 'slices that are loaded side by side',
};
export const MEMORY: OptionSpec = {
  name: 'memory',
  value: '<size>',
  summary: 'memory for the whole run, for example "512 MB"',
};
export const BATCH_BYTES: OptionSpec = {
  name: 'batch-bytes',
  value: '<size>',
  summary: 'bytes that close a batch of rows, from "64 KiB" to "16 MiB" (default: 8 MiB)',
};
export const FULL_REFRESH: OptionSpec = {
  name: 'full-refresh',
  summary: 'load everything again and replace what is there in one step',
};
export const RESUME: readonly OptionSpec[] = [
  {
    name: 'resume',
    summary: 'go on with the parts of an interrupted load that are left (this is the default)',
  },
  { name: 'restart', summary: 'begin an interrupted load again' },
];
export const VERIFY: OptionSpec = {
  name: 'verify',
  value: '<how>',
  summary: 'what is compared after the load: off, counts or checksums',
};
export const LOAD_METHOD: OptionSpec = {
  name: 'load-method',
  value: '<how>',
  summary: 'how rows go into tables of databases: auto (by their number), statements or bulk',
};
export const YES: OptionSpec = { name: 'yes', short: 'y', summary: 'do not ask' };
export const TABLES: OptionSpec = {
  name: 'table',
  short: 't',
  value: '<name>',
  many: true,
  summary: 'only these tables; wildcards allowed',
};
export const FORMAT: OptionSpec = {
  name: 'format',
  value: '<table|csv|json>',
  summary: 'form of the output (default: table)',
};
export const LAKE: OptionSpec = {
  name: 'lake',
  value: '<connection or path>',
  summary: 'which lake, when the project has several or there is none',
};
export const WINDOW: readonly OptionSpec[] = [
  {
    name: 'date',
    value: '<day>',
    summary: 'streams loaded by date: this day; today, yesterday or 2026-07-01',
  },
  { name: 'from', value: '<day or time>', summary: 'streams loaded by date: from here on, inclusive' },
  { name: 'to', value: '<day or time>', summary: 'streams loaded by date: up to here, exclusive' },
];
export const STREAM_ARGUMENTS: readonly ArgumentSpec[] = [{ name: 'pipeline' }, { name: 'stream' }];
