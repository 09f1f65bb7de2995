import type { CommandSpec } from './command-table.ts';
import { STREAM_ARGUMENTS, YES } from './option-table.ts';

export const LEDGER: readonly CommandSpec[] = [
  {
    name: 'ledger show',
    group: 'repair',
    summary: 'which files streams have loaded',
    arguments: [
      { name: 'pipeline', optional: true },
      { name: 'stream', optional: true, many: true },
    ],
    options: [],
    examples: ['sluice ledger show', 'sluice ledger show snapshots tenants --json'],
  },
  {
    name: 'ledger reload',
    group: 'repair',
    summary: 'have the next run load files again',
    about: 'Rows that they have brought are replaced in the same commit; until then they stay.',
    arguments: [...STREAM_ARGUMENTS, { name: 'file', many: true }],
    options: [],
    examples: [
      'sluice ledger reload snapshots tenants tenants_20260209.csv',
      "sluice ledger reload snapshots tenants 'tenants_202602*'",
    ],
  },
  {
    name: 'ledger forget',
    group: 'repair',
    summary: 'take files out of the list of those that are loaded',
    about:
      'Their rows stay, and the next run loads the files as new: rows of `load: append` are in the table twice then. `ledger reload` replaces them.',
    arguments: [...STREAM_ARGUMENTS, { name: 'file', many: true }],
    options: [YES],
    examples: ['sluice ledger forget snapshots tenants tenants_20260209.csv'],
  },
  {
    name: 'ledger rebuild',
    group: 'repair',
    summary: 'find out from the table which files are loaded',
    about:
      'For a table whose list was lost, or that somebody else has filled: by its column with the path of a file, or with the date of its name. A file of which the table has other numbers of rows is loaded again, which replaces them. Where rows of later files take the place of earlier ones, a file of which none is left may be loaded or not: the command says so, and goes by `--up-to`. One commit changes the list; rows stay as they are.',
    arguments: [...STREAM_ARGUMENTS],
    options: [
      { name: 'date-column', value: '<column>', summary: 'column of the table with the date of the names' },
      {
        name: 'up-to',
        value: '<file or day>',
        summary: 'what the table does not tell of is loaded up to this one, and not loaded after it',
      },
      { name: 'dry-run', summary: 'only say what would be done' },
      YES,
    ],
    examples: [
      'sluice ledger rebuild snapshots tenants --dry-run',
      'sluice ledger rebuild snapshots tenants',
      'sluice ledger rebuild snapshots tenants --date-column snapshot_date',
      'sluice ledger rebuild snapshots prices --up-to 2026-02-09',
    ],
  },
];
