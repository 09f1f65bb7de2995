import type { CommandSpec } from './command-table.ts';
import { BATCH_BYTES, MEMORY, type OptionSpec, type ArgumentSpec, WORKERS, YES } from './option-table.ts';

const QUARANTINE_ARGUMENTS: readonly ArgumentSpec[] = [
  { name: 'pipeline' },
  { name: 'stream', optional: true, many: true },
];
const OF_RUN: OptionSpec = { name: 'run', value: '<id>', summary: 'only what this run has put aside' };

export const QUARANTINE: readonly CommandSpec[] = [
  {
    name: 'quarantine list',
    group: 'look',
    summary: 'records that did not fit, by stream and run, with what is wrong',
    arguments: [{ name: 'pipeline', optional: true, many: true }],
    options: [],
    examples: ['sluice quarantine list', 'sluice quarantine list snapshots --json'],
  },
  {
    name: 'quarantine show',
    group: 'look',
    summary: 'the records: file, line, column, what is wrong, text',
    arguments: QUARANTINE_ARGUMENTS,
    options: [
      OF_RUN,
      { name: 'reason', value: '<code>', summary: 'only with this reason, for example row.type' },
      { name: 'limit', value: '<n>', summary: 'at most this many records (default: 20; with --json all)' },
    ],
    examples: [
      'sluice quarantine show snapshots tenants',
      'sluice quarantine show snapshots --reason row.fields',
    ],
  },
  {
    name: 'quarantine export',
    group: 'look',
    summary: 'write the records to a file, for repair by hand',
    arguments: QUARANTINE_ARGUMENTS,
    options: [OF_RUN, { name: 'to', value: '<file>', summary: 'ends in .csv, .jsonl or .parquet' }],
    examples: ['sluice quarantine export snapshots tenants --to bad.csv'],
  },
  {
    name: 'quarantine replay',
    group: 'move',
    summary: 'read the records again with the options of now, and load those that fit',
    about:
      'Those that still do not fit stay. A record is loaded once, also when the command is stopped or killed.',
    arguments: QUARANTINE_ARGUMENTS,
    options: [OF_RUN, WORKERS, MEMORY, BATCH_BYTES],
    examples: ['sluice quarantine replay snapshots', 'sluice quarantine replay snapshots tenants'],
  },
  {
    name: 'quarantine drop',
    group: 'repair',
    summary: 'give the records up',
    about: 'Their text is removed; the files that they are from and the rows of the table stay as they are.',
    arguments: QUARANTINE_ARGUMENTS,
    options: [OF_RUN, YES],
    examples: ['sluice quarantine drop snapshots tenants'],
  },
];
