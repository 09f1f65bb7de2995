/** The kit of a destination against MariaDB servers of any setting. */
import type { Connection } from 'mysql2/promise';
import { mysqlConnector } from '../../src/connectors/mysql/index.ts';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import type { Destination } from '../../src/core/destination.ts';
import type { LoadMethod } from '../../src/core/stream.ts';
import type { LogicalType } from '../../src/core/types.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import {
  type DestinationSuite,
  type DestinationUnderTest,
  VERSION_FIELDS,
} from '../../src/testing/destination-suite.ts';
import type { MariadbServer } from '../../src/testing/mariadb-server.ts';
import { loadingBy } from './load-method.ts';
import { session } from './mariadb.ts';
import { readMysql } from './mysql-reader.ts';

/** Nothing of these servers has to outlive a crash of the machine. */
export const FAST: string[] = ['--innodb-flush-method=nosync', '--sync-frm=0', '--innodb-doublewrite=0'];

let databases = 0;

/** There is no NaN and no infinity, and MariaDB keeps -0 as 0. */
function kept(cell: Cell, type: LogicalType): Cell {
  if (!type.kind.startsWith('float')) return cell;
  if (cell === '-0') return '0';
  return Number.isFinite(Number(cell)) ? cell : null;
}

export async function openMysql(url: string): Promise<Destination> {
  const context = { name: 'target', directory: '.', memoryBytes: 256 << 20, workers: 2 };
  return mysqlConnector.openDestination!(mysqlOptions.parse({ url }), context);
}

/** All loads go one way, or by their size. */
export function mysqlSuite(name: string, server: () => MariadbServer, method?: LoadMethod): DestinationSuite {
  return { name, open: () => openSuite(server(), method) };
}

async function openSuite(
  server: MariadbServer,
  method: LoadMethod | undefined,
): Promise<DestinationUnderTest> {
  const url = await server.createDatabase(`target_${++databases}`);
  const opened: Destination[] = [];
  const reader: Connection = await session(url);
  return {
    destination: async () => {
      const destination = await openMysql(url);
      opened.push(destination);
      return method ? loadingBy(method, destination) : destination;
    },
    kept,
    read: (table) => readMysql(reader, table),
    versions: (table) => readMysql(reader, table, VERSION_FIELDS),
    close: async () => {
      await Promise.all(opened.map((destination) => destination.close()));
      await reader.end();
    },
  };
}
