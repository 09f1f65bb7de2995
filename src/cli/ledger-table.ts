import type { CommandSpec } from './command-table.ts';
import { STREAM_ARGUMENTS } from './option-table.ts';

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
];
