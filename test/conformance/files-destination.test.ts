/**
 * Exports are files of one load each, so that nothing of the kit applies that is about rows of several loads in one table, or
 * about what is known of the load before. The rest does, with files of Parquet.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { filesConnector } from '../../src/connectors/files/index.ts';
import type { Destination } from '../../src/core/destination.ts';
import type { LogicalType } from '../../src/core/types.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { DESTINATION_CHECKS, testDestination } from '../../src/testing/destination-conformance.ts';
import { asCell, cellSql } from '../support/duckdb-reader.ts';
import { ask } from '../support/exports.ts';

const APPLY = new Set([
  'keeps nulls, extremes and any text of every type',
  'takes more rows than a batch from a batch that is used again',
  'lets rows take the place of everything',
  'shows several slices of one commit at once',
  'passes on why a reader failed, leaves nothing to see and goes on',
  'stops at once when it is told, and leaves nothing to see',
  'forgets a load whose process died before the commit',
  'can be closed twice, also with work left undone',
]);

testDestination({
  name: 'files',
  async open() {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-kit-'));
    const opened: Destination[] = [];
    return {
      async destination() {
        const options = filesConnector.options.parse({ path: './out', export: '{table}.parquet' });
        const place = { name: 'kit', directory: folder, memoryBytes: 512 << 20, workers: 2 };
        const destination = await filesConnector.openDestination!(options, place);
        opened.push(destination);
        return destination;
      },
      read: (table) => readParquet(path.join(folder, 'out', `${table}.parquet`)),
      async close() {
        for (const destination of opened) await destination.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
  skips: DESTINATION_CHECKS.filter(({ name }) => !APPLY.has(name)).map(({ name }) => ({
    check: name,
    reason: 'a file holds one load, and knows nothing of the one before',
  })),
});

async function readParquet(file: string): Promise<{ columns: string[]; rows: Cell[][] } | undefined> {
  if (!existsSync(file)) return undefined;
  const from = `read_parquet('${file}')`;
  // The API drops a byte order mark that begins a text.
  const described = await ask(`SELECT '=' || column_name, column_type FROM (DESCRIBE FROM ${from})`);
  const columns = described.map(([name]) => name!.slice(1));
  const types = described.map(([, type]) => typeOf(type!));
  const cells = columns.map((name, i) => `'=' || ${cellSql(`"${name.replaceAll('"', '""')}"`, types[i]!)}`);
  const rows = await ask(`SELECT ${cells.join(', ')} FROM ${from}`);
  return { columns, rows: rows.map((row) => row.map((cell, i) => asCell(cell, types[i]!))) };
}

/** As far as cells of a type have a form of their own. */
function typeOf(duck: string): LogicalType {
  if (duck === 'FLOAT') return { kind: 'float32' };
  if (duck === 'DOUBLE') return { kind: 'float64' };
  if (duck === 'DATE') return { kind: 'date' };
  if (duck === 'TIME') return { kind: 'time' };
  if (duck === 'BLOB') return { kind: 'binary' };
  if (duck.startsWith('TIMESTAMP')) return { kind: 'timestamp', zone: duck !== 'TIMESTAMP' };
  return { kind: 'utf8' };
}
