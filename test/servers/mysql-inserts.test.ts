/** A server that takes no files: the same by INSERT. */
import { expect, it } from 'vitest';
import { testDestination } from '../../src/testing/destination-conformance.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { FAST, mysqlSuite } from '../support/mysql-kit.ts';

const server = useMariadb({ settings: [...FAST, '--local-infile=0'] });

if (mariadbPresent) testDestination(mysqlSuite('MariaDB without local_infile', server));

it.runIf(mariadbPresent)('is told not to take files', async () => {
  expect(await server().query('SELECT @@GLOBAL.local_infile AS files')).toEqual([{ files: 0 }]);
});
