import type { Connection } from 'mysql2/promise';
import { mysqlConnector } from '../../src/connectors/mysql/index.ts';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import type { Destination } from '../../src/core/destination.ts';
import type { LogicalType } from '../../src/core/types.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { testDestination } from '../../src/testing/destination-conformance.ts';
import { mariadbPresent, session, useMariadb } from '../support/mariadb.ts';
import { readMysql } from '../support/mysql-reader.ts';

const server = useMariadb();
let databases = 0;

/** There is no NaN and no infinity, and MariaDB keeps -0 as 0. */
function kept(cell: Cell, type: LogicalType): Cell {
  if (type.kind.startsWith('float') && cell === '-0') return '0';
  return type.kind.startsWith('float') && !Number.isFinite(Number(cell)) ? null : cell;
}

if (mariadbPresent) {
  testDestination({
    name: 'MariaDB',
    open: async () => {
      const url = await server().createDatabase(`target_${++databases}`);
      const opened: Destination[] = [];
      const reader: Connection = await session(url);
      return {
        destination: async () => {
          const context = { name: 'target', directory: '.', memoryBytes: 256 << 20, workers: 2 };
          const destination = await mysqlConnector.openDestination!(mysqlOptions.parse({ url }), context);
          opened.push(destination);
          return destination;
        },
        kept,
        read: (table) => readMysql(reader, table),
        close: async () => {
          await Promise.all(opened.map((destination) => destination.close()));
          await reader.end();
        },
      };
    },
  });
}
