import type { CommandSpec } from './command-table.ts';
import { type ArgumentSpec, FULL_REFRESH, STREAM_ARGUMENTS } from './option-table.ts';

const STREAMS: readonly ArgumentSpec[] = [
  { name: 'pipeline', optional: true },
  { name: 'stream', optional: true, many: true },
];

export const SCHEMA: readonly CommandSpec[] = [
  {
    name: 'schema show',
    group: 'look',
    summary: 'columns of the tables: types, NULL, key, types in the source, version',
    arguments: STREAMS,
    options: [],
    examples: ['sluice schema show', 'sluice schema show shop_to_lake public.orders --json'],
  },
  {
    name: 'schema diff',
    group: 'look',
    summary: 'what the next run would change in the tables, or would stop at',
    about: 'Exit code 4 when a load would stop: under `schema: freeze` at every difference.',
    arguments: STREAMS,
    options: [{ ...FULL_REFRESH, summary: 'as if everything were to be loaded again' }],
    examples: ['sluice schema diff', 'sluice schema diff shop_to_lake || echo somebody has to look at it'],
  },
  {
    name: 'schema history',
    group: 'look',
    summary: 'every change of the tables: when, by which run, what; newest first',
    arguments: STREAMS,
    options: [],
    examples: ['sluice schema history', 'sluice schema history shop_to_lake public.orders --json'],
  },
  {
    name: 'schema accept',
    group: 'repair',
    summary: 'let the next run take the changes of the source that it would stop at',
    about:
      'Only the columns and types that the source has now: when they change once more before that run, it stops as before. What `schema: discard` leaves out is taken, too.',
    arguments: STREAM_ARGUMENTS,
    options: [
      {
        ...FULL_REFRESH,
        summary: 'what a run with --full-refresh would stop at, where files are all read again',
      },
    ],
    examples: ['sluice schema accept shop_to_lake public.orders'],
  },
];
