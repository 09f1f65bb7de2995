/** In bulk; by statements: mysql-inserts.test.ts. */
import { testDestination } from '../../src/testing/destination-conformance.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { FAST, mysqlSuite } from '../support/mysql-kit.ts';

const server = useMariadb({ settings: FAST });

if (mariadbPresent) testDestination(mysqlSuite('MariaDB', server, 'bulk'));
