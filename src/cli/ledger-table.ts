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
      'For a table whose list was lost (`load: append`): by its column with the path of a file, or with the date of its name. A file of which the table has other numbers of rows is loaded again, which replaces them. One commit changes the list; rows stay as they are.',
    arguments: [...STREAM_ARGUMENTS],
    options: [{ name: 'dry-run', summary: 'only say what would be done' }, YES],
    examples: [
      'sluice ledger rebuild snapshots tenants --dry-run',
      'sluice ledger rebuild snapshots tenants',
    ],
  },
];
