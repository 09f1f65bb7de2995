import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { duckdbConnector } from '../../src/connectors/duckdb/index.ts';
import { duckdbOptions } from '../../src/connectors/duckdb/options.ts';
import { DuckdbTarget } from '../../src/connectors/duckdb/target.ts';
import type { Destination } from '../../src/core/destination.ts';
import { testDestination } from '../../src/testing/destination-conformance.ts';
import { VERSION_FIELDS } from '../../src/testing/destination-suite.ts';
import { type AskDuckdb, readDuckdb } from '../support/duckdb-reader.ts';

testDestination({
  name: 'DuckDB file',
  open: async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-duckdb-'));
    const context = { name: 'warehouse', directory: folder, memoryBytes: 256 << 20, workers: 2 };
    const options = duckdbOptions.parse({ path: './warehouse.duckdb' });
    const opened: Destination[] = [];
    const reader = new DuckdbTarget(options, context);
    const ask: AskDuckdb = async (sql) => {
      const session = await reader.connect(new AbortController().signal);
      try {
        return (await session.query(sql, 'reading')).rows;
      } finally {
        await session.close();
      }
    };
    const database = 'warehouse';
    return {
      destination: async () => {
        const destination = await duckdbConnector.openDestination!(options, context);
        opened.push(destination);
        return destination;
      },
      read: (table) => readDuckdb(ask, { database, table }),
      versions: (table) => readDuckdb(ask, { database, table }, VERSION_FIELDS),
      close: async () => {
        await Promise.all(opened.map((destination) => destination.close()));
        await reader.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
});
