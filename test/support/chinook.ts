/** A database that others made, where the machine has it. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** It begins with making its own database, which is the affair of the command line. */
function script(name: string): string | undefined {
  const file = fileURLToPath(new URL(`../../../shared/data/chinook/${name}.sql`, import.meta.url));
  if (!existsSync(file)) return undefined;
  return readFileSync(file, 'utf8').replace(/^((DROP|CREATE) DATABASE|USE) .*;$|^\\c .*$/gm, '');
}

/** Its statements for PostgreSQL; undefined when it is not there. */
export const CHINOOK: string | undefined = script('postgresql');
/** The same for MySQL and MariaDB. */
export const CHINOOK_MYSQL: string | undefined = script('mysql');
