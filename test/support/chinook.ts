/** A database that others made, where the machine has it. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('../../../shared/data/chinook/postgresql.sql', import.meta.url));

/** Its statements; undefined when it is not there. It begins with making its own database, which is psql's affair. */
export const CHINOOK: string | undefined = existsSync(FILE)
  ? readFileSync(FILE, 'utf8').replace(/^(DROP|CREATE) DATABASE .*;$|^\\c .*$/gm, '')
  : undefined;
