import type { CommandSpec } from './command-table.ts';
import { MEMORY, WORKERS } from './option-table.ts';

export const SINGER_TARGET: CommandSpec = {
  name: 'singer-target',
  group: 'move',
  summary: 'load what a Singer tap writes, from standard input',
  about:
    'tap-github --config tap.json | sluice singer-target ./lake. Prints each STATE once everything before it is committed, and nothing else: everything for people goes to standard error. Streams with a key are merged, others appended. Ended anywhere and run again with the last STATE, tables of streams with a key end the same.',
  arguments: [{ name: 'connection or url', optional: true }],
  options: [
    {
      name: 'config',
      value: '<file>',
      summary: 'the same and more as JSON: to, load, flush_rows, streams …',
    },
    {
      name: 'load',
      value: '<strategy>',
      summary: 'auto (default), append, merge or replace, for all streams',
    },
    {
      name: 'flush-rows',
      value: '<n>',
      summary: 'load what has come after so many rows (default: 1000000)',
    },
    { name: 'flush-size', value: '<size>', summary: 'or so many bytes (default: "1 GB")' },
    { name: 'flush-after', value: '<time>', summary: 'or so long (default: "5 min")' },
    { name: 'extracted-at', summary: 'add a column _sdc_extracted_at with the time of each record' },
    WORKERS,
    MEMORY,
  ],
  examples: [
    'sluice singer-target ./lake > state.jsonl',
    'sluice singer-target "$WAREHOUSE_URL" --flush-after "1 min"',
    'sluice singer-target --config target.json',
  ],
};
