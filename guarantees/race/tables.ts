/** The tables that a race writes to, each with the cursor that is attacked in it. */
import type { StreamOptions } from '../../src/core/project.ts';

export interface RaceTable {
  name: string;
  /** How its cursor comes about. */
  cursor:
    | 'instant'
    /** As `instant`; NULL in some versions of a row. */
    | 'sparse'
    /** Time of a zone without saying so. */
    | 'local'
    | 'day'
    /** As `instant` beside a business date, which may change while the cursor does not. */
    | 'business'
    /** The greater of two columns, of which one may be NULL. */
    | 'greatest'
    | 'number'
    | 'transaction';
  /** Rows are inserted, and never changed. */
  insertOnly?: boolean;
  keyless?: boolean;
  /** Seconds that a writer's clock may be off. */
  skewSeconds?: number;
  /** Without an index on the cursor the whole table is read. */
  indexed?: boolean;
  options: StreamOptions;
}

/** Zone of the table with local times. */
export const ZONE = 'Europe/Berlin';

// The default minute would hide whether open transactions are seen at all, hence `overlap: 0`.
const OPEN = { cursor: 'at', overlap: 0 } as const;

/** Of each list, the naive reader reads the first. */
export const CLOCK_TABLES: readonly RaceTable[] = [
  { name: 'merged', cursor: 'instant', indexed: true, options: { ...OPEN, load: 'merge' } },
  { name: 'appended', cursor: 'instant', options: { ...OPEN, load: 'append' } },
  { name: 'batched', cursor: 'instant', indexed: true, options: { ...OPEN, load: 'append', slice_rows: 12 } },
  {
    name: 'keyless',
    cursor: 'instant',
    keyless: true,
    indexed: true,
    insertOnly: true,
    options: { ...OPEN, load: 'append' },
  },
  { name: 'local', cursor: 'local', options: { ...OPEN, cursor_timezone: ZONE, load: 'append' } },
];

export const NUMBER_TABLES: readonly RaceTable[] = [
  { name: 'xmin_appended', cursor: 'transaction', options: { cursor: 'xmin', load: 'append' } },
  { name: 'numbered', cursor: 'number', insertOnly: true, options: { cursor: 'at', load: 'append' } },
  {
    name: 'numbers_merged',
    cursor: 'number',
    indexed: true,
    insertOnly: true,
    options: { cursor: 'at', load: 'merge' },
  },
  { name: 'xmin_merged', cursor: 'transaction', options: { cursor: 'xmin', load: 'merge' } },
];

export const VALUE_TABLES: readonly RaceTable[] = [
  {
    name: 'business',
    cursor: 'business',
    indexed: true,
    options: { ...OPEN, load: 'append', lookback: { column: 'day', days: 7 } },
  },
  { name: 'sparse', cursor: 'sparse', options: { ...OPEN, load: 'append' } },
  { name: 'sparse_indexed', cursor: 'sparse', indexed: true, options: { ...OPEN, load: 'merge' } },
  { name: 'daily', cursor: 'day', options: { ...OPEN, cursor_timezone: 'UTC', load: 'append' } },
  {
    name: 'greatest',
    cursor: 'greatest',
    indexed: true,
    options: { ...OPEN, cursor: ['made', 'at'], load: 'append' },
  },
];

/** Where others cannot be seen: as far back as is promised, less what a slow machine takes from beginning to end. */
const SLOW_SECONDS = 120;
export const HIDDEN_TABLES: readonly RaceTable[] = [
  {
    name: 'hour',
    cursor: 'instant',
    indexed: true,
    skewSeconds: 3600 - SLOW_SECONDS,
    options: { cursor: 'at', load: 'append' },
  },
  {
    name: 'spanned',
    cursor: 'instant',
    skewSeconds: 900 - SLOW_SECONDS,
    options: { cursor: 'at', overlap: 900, load: 'merge' },
  },
  {
    name: 'numbered',
    cursor: 'number',
    indexed: true,
    insertOnly: true,
    options: { cursor: 'at', load: 'append' },
  },
  { name: 'xmin', cursor: 'transaction', options: { cursor: 'xmin', load: 'append' } },
];

/** A clock that is off by less than the overlap: the default of a minute, or what the stream says. */
export const SKEWED_TABLES: readonly RaceTable[] = [
  {
    name: 'minute',
    cursor: 'instant',
    indexed: true,
    skewSeconds: 60,
    options: { cursor: 'at', load: 'append' },
  },
  {
    name: 'spanned',
    cursor: 'instant',
    skewSeconds: 600,
    options: { cursor: 'at', overlap: 600, load: 'merge' },
  },
  {
    name: 'keyless',
    cursor: 'instant',
    keyless: true,
    insertOnly: true,
    skewSeconds: 60,
    options: { cursor: 'at', load: 'append' },
  },
];

export const STORM_TABLES: readonly RaceTable[] = [...CLOCK_TABLES, ...NUMBER_TABLES, ...VALUE_TABLES].filter(
  ({ name }) =>
    ['merged', 'batched', 'keyless', 'numbered', 'xmin_appended', 'business', 'sparse'].includes(name),
);
