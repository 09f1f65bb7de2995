/** With the smallest budget that the docs promise, for every way in which a table can be loaded and looked after. */
import type { Attack } from '../attack.ts';
import { atAllSizes } from './sizes.ts';
import { tooLittle } from './too-little.ts';

const RUN = ['run'];
const BY_DAY = { column: 'happened_at', by: 'day' } as const;

export const MEMORY_ATTACKS: readonly Attack[] = [
  tooLittle,
  atAllSizes({
    name: 'append',
    tries: 'loads 1, 10 and 30 times the rows for the first time with the smallest memory budget',
    rows: 330_000,
    stream: { load: 'append' },
    steps: [RUN],
  }),
  atAllSizes({
    name: 'replace',
    tries: 'replaces a table of 1, 10 and 30 times the rows',
    rows: 330_000,
    stream: { load: 'replace' },
    steps: [RUN, RUN],
  }),
  atAllSizes({
    name: 'wide-rows',
    tries: 'loads 20,000, 200,000 and 600,000 rows of 186 columns',
    width: 'wide',
    rows: 20_000,
    stream: { load: 'append' },
    steps: [RUN],
  }),
  atAllSizes({
    name: 'partitions',
    tries: 'loads 0.33, 3.3 and 9.9 million unsorted rows of 400 days into a folder for each day',
    rows: 330_000,
    stream: { load: 'append', partition_by: BY_DAY },
    steps: [RUN],
  }),
  atAllSizes({
    name: 'merge',
    tries: 'merges three of ten rows into tables of 0.45, 4.5 and 13.5 million rows',
    rows: 450_000,
    stream: { load: 'merge', key: 'id', cursor: 'updated_at' },
    steps: [RUN, 'change', RUN],
  }),
  atAllSizes({
    name: 'overlap',
    tries: 'reads 0.11, 1.1 and 3.3 million rows again and compares each with the table',
    rows: 110_000,
    stream: { load: 'append', cursor: 'updated_at', overlap: 30 * 86_400 },
    steps: [RUN, RUN],
  }),
  atAllSizes({
    name: 'days',
    tries: 'replaces days that hold 1, 10 and 30 times the rows',
    rows: 330_000,
    stream: { load: 'delete-insert', date: { column: 'placed_at', timezone: 'UTC' } },
    steps: [
      ['run', '--from', '2026-03-01', '--to', '2026-03-02'],
      ['run', '--from', '2026-03-01', '--to', '2026-03-02'],
    ],
  }),
  atAllSizes({
    name: 'catalog',
    tries: 'checks, queries and compacts tables of 0.2, 2 and 6 million rows',
    rows: 200_000,
    stream: { load: 'append', key: 'id', cursor: 'updated_at' },
    steps: [
      RUN,
      'change',
      RUN,
      'change',
      RUN,
      ['catalog', 'check'],
      [
        'catalog',
        'query',
        'SELECT account, sum(amount) AS total FROM "$table" GROUP BY account ORDER BY total LIMIT 9',
      ],
      ['catalog', 'compact'],
      ['catalog', 'check'],
    ],
  }),
];
