import type { Attack } from '../attack.ts';
import type { AnyPair } from '../pair.ts';
import { DESTINATION_FAULTS } from './destination.ts';
import { SOURCE_FAULTS } from './source.ts';
import { TARGET_LOCKS } from './target-locks.ts';
import { MYSQL_TARGET_FAULTS } from './target-mysql.ts';
import { TARGET_SERVER } from './target-server.ts';
import { TARGET_TABLES } from './target-tables.ts';

export const FAULTS_ATTACKS: readonly Attack<AnyPair>[] = [
  ...SOURCE_FAULTS,
  ...DESTINATION_FAULTS,
  ...TARGET_TABLES,
  ...TARGET_SERVER,
  ...TARGET_LOCKS,
  ...MYSQL_TARGET_FAULTS,
];
