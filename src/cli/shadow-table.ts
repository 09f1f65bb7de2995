import type { CommandSpec } from './command-table.ts';
import { BATCH_BYTES, FULL_REFRESH, MEMORY, RESUME, SELECT, WORKERS, YES } from './option-table.ts';

export const SHADOW_COMMAND: CommandSpec = {
  name: 'shadow',
  group: 'move',
  summary: 'load into tables beside the present ones, compare, and swap when they are right',
  about:
    'What readers see stays as it is until --promote, which takes no time and can be undone with --rollback. Exit code 4 when a shadow table differs from the present one.',
  arguments: [{ name: 'pipeline', optional: true, many: true }],
  options: [
    SELECT,
    { name: 'into', value: '<name>', summary: 'name of the place of shadow tables (default: shadow)' },
    { name: 'limit', value: '<n>', summary: 'most rows of a stream that are named (default: 20)' },
    { name: 'compare', summary: 'only compare, load nothing' },
    {
      name: 'promote',
      summary: 'put shadow tables where readers look; those that they had become former ones',
    },
    { name: 'force', summary: 'with --promote: whether they differ is not looked at' },
    { name: 'rollback', summary: 'give readers the former tables back' },
    { name: 'drop', summary: 'remove shadow and former tables' },
    YES,
    FULL_REFRESH,
    ...RESUME,
    WORKERS,
    MEMORY,
    BATCH_BYTES,
  ],
  examples: [
    'sluice shadow shop_to_mirror --select public.orders',
    'sluice shadow shop_to_mirror --compare --limit 100',
    'sluice shadow shop_to_mirror --promote',
    'sluice shadow shop_to_mirror --rollback',
    'sluice shadow shop_to_mirror --drop --yes',
  ],
};
