import pg from 'pg';
import { postgresConnector } from '../../src/connectors/postgres/index.ts';
import { postgresOptions } from '../../src/connectors/postgres/options.ts';
import type { Destination } from '../../src/core/destination.ts';
import { testDestination } from '../../src/testing/destination-conformance.ts';
import { VERSION_FIELDS } from '../../src/testing/destination-suite.ts';
import { loadingBy } from '../support/load-method.ts';
import { readPostgres } from '../support/postgres-reader.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
let databases = 0;

for (const method of ['statements', 'bulk'] as const)
  testDestination({
    name: `PostgreSQL, ${method}`,
    open: async () => {
      const url = await server().createDatabase(`target_${++databases}`);
      const opened: Destination[] = [];
      const reader = new pg.Client(url);
      await reader.connect();
      return {
        destination: async () => {
          const context = { name: 'target', directory: '.', memoryBytes: 256 << 20, workers: 2 };
          const destination = await postgresConnector.openDestination!(
            postgresOptions.parse({ url }),
            context,
          );
          opened.push(destination);
          return loadingBy(method, destination);
        },
        read: (table) => readPostgres(reader, table),
        versions: (table) => readPostgres(reader, table, VERSION_FIELDS),
        close: async () => {
          await Promise.all(opened.map((destination) => destination.close()));
          await reader.end();
        },
      };
    },
  });
