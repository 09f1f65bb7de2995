import { duckName, duckText } from '../../duckdb/types.ts';
import type { DatabaseFile } from './file.ts';

/** Opens the file beside a database in memory, so that it can be given back; makes it when it is written and not there. */
export function attach({ path, name }: DatabaseFile, readOnly: boolean = false): string {
  return `ATTACH IF NOT EXISTS ${duckText(path)} AS ${duckName(name)} (TYPE duckdb${readOnly ? ', READ_ONLY' : ''})`;
}

/** In the database in memory, which lives as long as the engine. */
export const OWNERS = 'memory.main.sluice_owners';
