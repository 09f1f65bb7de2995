/** Compares what is in the lake with the source: rows, and for every column sums that notice a wrong value. */
import { openCatalog } from '../src/catalog/index.ts';
import { openLocalStorage } from '../src/connectors/shared/local-storage.ts';
import type { BenchServer } from './server.ts';
import type { ColumnKind, ColumnShape, TableShape } from './tables.ts';

/** The same number in both systems, as expressions over `?`. */
type Check = { name: string; postgres: string; duckdb: string };

const same = (name: string, sql: string): Check => ({ name, postgres: sql, duckdb: sql });

const CHECKS: Readonly<Record<ColumnKind, readonly Check[]>> = {
  int: [same('sum', 'sum(?)')],
  decimal: [same('sum', 'sum(?)')],
  // Sums of floats depend on the order.
  double: [same('least', 'min(?)'), same('greatest', 'max(?)')],
  bool: [same('true', 'count(*) FILTER (WHERE ?)')],
  date: [same('days', `sum(? - date '1970-01-01')`)],
  // PostgreSQL's length() leaves out the blanks that fill a char(n).
  text: [
    { name: 'bytes', postgres: 'sum(octet_length(?))', duckdb: 'sum(strlen(?))' },
    same('first letters', 'sum(ascii(?))'),
  ],
  timestamp: [
    {
      name: 'microseconds',
      postgres: 'sum(trunc(extract(epoch FROM ?) * 1000000))',
      duckdb: 'sum(epoch_us(?))',
    },
  ],
  timestamptz: [
    {
      name: 'microseconds',
      postgres: 'sum(trunc(extract(epoch FROM ?) * 1000000))',
      duckdb: 'sum(epoch_us(?))',
    },
  ],
};

/** Returns how many figures were compared; throws with those that differ. */
export async function verify(server: BenchServer, shape: TableShape, lake: string): Promise<number> {
  const checks = [same('rows', 'count(*)'), ...shape.columns.flatMap(columnChecks)];
  const select = (side: 'postgres' | 'duckdb'): string => {
    const list = checks.map(
      (check, i) => `CAST(${check[side]} AS ${side === 'postgres' ? 'text' : 'VARCHAR'}) AS v${i}`,
    );
    return `SELECT ${list.join(', ')} FROM ${shape.name}`;
  };
  const [source] = await server.query<Record<string, string | null>>(select('postgres'));
  const target = await selectRow(lake, select('duckdb'));
  const wrong = checks.flatMap(({ name }, i) => {
    const [expected, found] = [source![`v${i}`], target[i]];
    return equal(expected, found)
      ? []
      : [`${name}: ${String(expected)} in the source, ${String(found)} in the lake`];
  });
  if (wrong.length > 0) throw new Error(`the lake differs from the source:\n  ${wrong.join('\n  ')}`);
  return checks.length;
}

function columnChecks({ name, kind }: ColumnShape): Check[] {
  const all = [same('values', 'count(?)'), ...CHECKS[kind]];
  return all.map((check) => ({
    name: `${name}, ${check.name}`,
    postgres: check.postgres.replace('?', name),
    duckdb: check.duckdb.replace('?', name),
  }));
}

/** The systems write numbers differently: 1.50 and 1.5, 1e+20 and 100000000000000000000. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'string' || typeof b !== 'string') return false;
  const plain = (text: string): string =>
    text.includes('.') && !/e/i.test(text) ? text.replace(/\.?0+$/, '') : text;
  return plain(a) === plain(b) || (/e/i.test(a + b) && Number(a) === Number(b));
}

async function selectRow(lake: string, sql: string): Promise<readonly unknown[]> {
  const catalog = openCatalog({ storage: openLocalStorage(lake) });
  try {
    const { batches } = await catalog.select(sql);
    for await (const [row] of batches) if (row) return row;
    throw new Error('the lake gave no answer');
  } finally {
    await catalog.close();
  }
}
