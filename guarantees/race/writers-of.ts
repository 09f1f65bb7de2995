import type { SourceSide } from '../sides.ts';
import { mysqlWriters } from './mysql-writers.ts';
import { postgresWriters } from './postgres-writers.ts';
import type { RaceTable } from './tables.ts';
import type { Writers } from './writers.ts';

type MakeWriters = (tables: readonly RaceTable[], name: string) => Writers;

const WRITERS: Readonly<Record<string, MakeWriters>> = {
  postgres: postgresWriters,
  mysql: mysqlWriters,
};

/** The SQL that others write to a source with. */
export function writersOf({ type }: SourceSide): MakeWriters {
  const writers = WRITERS[type];
  if (writers) return writers;
  throw new Error(`nobody knows how to write to ${type}; there are ${Object.keys(WRITERS).join(', ')}`);
}
