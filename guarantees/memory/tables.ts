/**
 * Tables of any size that take no room in the source: views over a series of numbers. What they hold changes with the
 * number in `phase`, which every later run may raise.
 */

/** A number from 0 to `below` that follows from the row and the salt. */
function spread(salt: number, below: number): string {
  return `((i * 2654435761 + ${salt} * 40503) % 1000003 * 7919 % ${below})`;
}

const NARROW = [
  'i AS id',
  `${spread(1, 100_000)}::int AS account`,
  `${spread(2, 12)}::smallint AS kind`,
  // Three of ten rows change with each phase.
  '(i % 1000000 / 100.0 + CASE WHEN i % 10 < 3 THEN n ELSE 0 END)::numeric(12,2) AS amount',
  `${spread(3, 999_983)} / 1003.0::float8 AS rate`,
  `timestamptz '2025-01-01 00:00+00' + ${spread(4, 400 * 1440)} * interval '1 minute' AS happened_at`,
  `'label ' || ${spread(5, 5000)} AS label`,
  `timestamptz '2026-03-01 00:00+00' + i * interval '1 us' AS placed_at`,
  `CASE WHEN i % 10 < 3 AND n > 0 THEN changed ELSE made - interval '1 hour' + i * interval '1 us' END AS updated_at`,
];

/** 184 columns of the common types; every third is NULL now and then. */
const WIDE = Array.from({ length: 184 }, (_, k) => {
  const kinds = [
    spread(k, 1_000_000),
    `${spread(k, 99_991)} / 7.0::float8`,
    `(${spread(k, 1_000_000)} / 100.0)::numeric(12,2)`,
    `md5((i + ${k})::text)`,
    `date '2000-01-01' + ${spread(k, 9000)}::int`,
  ];
  const value = kinds[k % kinds.length]!;
  return `${k % 3 === 2 ? `CASE WHEN i % 8 > 0 THEN ${value} END` : value} AS c${k}`;
});

export type Width = 'narrow' | 'wide';

export function createView(name: string, width: Width, rows: number): string {
  const columns = width === 'narrow' ? NARROW : [NARROW[0], NARROW[3], ...WIDE];
  return `CREATE VIEW ${name} AS SELECT ${columns.join(', ')} FROM phase, generate_series(1::bigint, ${rows}) AS i`;
}

export const PHASE: string = `CREATE TABLE phase (n int, made timestamptz, changed timestamptz);
  INSERT INTO phase VALUES (0, now(), NULL)`;
export const NEXT_PHASE = 'UPDATE phase SET n = n + 1, changed = now()';
