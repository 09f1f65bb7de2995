/** One read-only statement: what it refers to, whether it may run, and its rows in batches. */
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api';
import { CancelledError, ConfigError, type SluiceError, throwIfAborted } from '../core/errors.ts';
import { duckError } from '../duckdb/errors.ts';
import type { ResultColumn, RowBatches } from './render.ts';
import { type Plain, plainConverter } from './values.ts';

export interface QueryResult {
  columns: ResultColumn[];
  /** Can be read once, to the end or not; either way the query is over then. */
  batches: RowBatches;
}

const NOTHING = /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*$/;
/** `EXPLAIN` with its options, and the comments before it. */
const EXPLAIN = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*explain\b\s*(?:\([^)]*\)\s*)?(?:analyze\b)?/i;

/** Functions and catalogs that can see every table, so every table has to be there. */
const SEES_ALL_FUNCTION = /^(query|query_table|duckdb_\w+|pragma_\w+)$/i;
const SEES_ALL_NAME = /^(information_schema|pg_catalog|sqlite_\w+|duckdb_\w+|pg_\w+)$/i;

/**
 * Names of the tables that `sql` refers to, in lower case, with their schema when it is written; undefined when it
 * may look at any table. Names that the query defines itself are among them.
 */
export async function referencedTables(
  connection: DuckDBConnection,
  sql: string,
): Promise<Set<string> | undefined> {
  const statement = await connection.prepare('SELECT json_serialize_sql($1::VARCHAR)');
  try {
    statement.bindVarchar(1, sql.replace(EXPLAIN, ''));
    const [row] = (await statement.runAndReadAll()).getRows();
    const tree = JSON.parse(String(row![0])) as { error: boolean; statements?: unknown };
    const found = new Set<string>();
    return !tree.error && collect(tree.statements, found) ? found : undefined;
  } finally {
    statement.destroySync();
  }
}

/** False when the tree may refer to tables that it does not name. */
function collect(node: unknown, found: Set<string>): boolean {
  if (typeof node !== 'object' || node === null) return true;
  if (Array.isArray(node)) return node.every((item) => collect(item, found));
  const {
    type,
    table_name: table,
    schema_name: schema,
    function_name: called,
    query,
  } = node as Record<string, unknown>;
  if (type === 'SHOW_REF' && query === null) return false;
  if (typeof called === 'string' && SEES_ALL_FUNCTION.test(called)) return false;
  if (type === 'BASE_TABLE' && typeof table === 'string') {
    if (SEES_ALL_NAME.test(table) || (typeof schema === 'string' && SEES_ALL_NAME.test(schema))) return false;
    const qualified =
      typeof schema === 'string' && schema !== '' && schema !== 'main' ? `${schema}.${table}` : table;
    found.add(qualified.toLowerCase());
  }
  return Object.values(node).every((value) => collect(value, found));
}

/** Refuses whatever is not exactly one statement that DuckDB can parse. */
export async function checkSingle(connection: DuckDBConnection, sql: string): Promise<void> {
  const parse = async (): Promise<number> => {
    try {
      return (await connection.extractStatements(sql)).count;
    } catch (error) {
      throw queryError(error);
    }
  };
  const count = NOTHING.test(sql) ? 0 : await parse();
  if (count === 1) return;
  throw new ConfigError(
    `reading the query: it holds ${count === 0 ? 'no statement' : `${count} statements`}, one is expected`,
    {
      code: 'query.one_statement',
      remedy:
        count > 1
          ? 'run them one after the other; PIVOT needs its values listed: `ON column IN (…)`'
          : 'for example: select count(*) from orders',
    },
  );
}

/** Binds and starts the query. The connection is closed when the batches end. */
export async function startQuery(
  connection: DuckDBConnection,
  sql: string,
  signal: AbortSignal | undefined,
): Promise<QueryResult> {
  const stop = (): void => connection.interrupt();
  signal?.addEventListener('abort', stop, { once: true });
  const end = (): void => {
    signal?.removeEventListener('abort', stop);
    connection.closeSync();
  };
  const translate = (error: unknown): SluiceError =>
    signal?.aborted
      ? new CancelledError('stopped on request', { code: 'cancelled', cause: error })
      : queryError(error);
  // Nothing runs yet that an interrupt would stop.
  const notStopped = (): void => signal && throwIfAborted(signal);
  try {
    notStopped();
    const prepared = await prepareReadOnly(connection, sql);
    notStopped();
    const result = await prepared.stream();
    const types = result.columnTypes();
    const columns = result.deduplicatedColumnNames().map((name, i) => ({ name, type: String(types[i]) }));
    const convert = await plainConverter();
    const batches = async function* (): AsyncGenerator<Plain[][]> {
      try {
        for (
          let chunk = await result.fetchChunk();
          chunk && chunk.rowCount > 0;
          chunk = await result.fetchChunk()
        ) {
          yield chunk.convertRows(convert);
        }
      } catch (error) {
        throw translate(error);
      } finally {
        // An unfinished stream would keep its threads and memory.
        connection.interrupt();
        end();
      }
    };
    return { columns, batches: batches() };
  } catch (error) {
    end();
    throw translate(error);
  }
}

async function prepareReadOnly(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  const { StatementType } = await import('@duckdb/node-api');
  const prepared = await connection.prepare(sql);
  if (prepared.statementType === StatementType.SELECT) return prepared;
  if (prepared.statementType === StatementType.EXPLAIN) {
    // EXPLAIN ANALYZE runs what it explains.
    const inner = await connection.prepare(sql.replace(EXPLAIN, ''));
    const harmless = inner.statementType === StatementType.SELECT;
    inner.destroySync();
    if (harmless) return prepared;
  }
  prepared.destroySync();
  throw new ConfigError('running the query: only SELECT, DESCRIBE, SHOW, SUMMARIZE and EXPLAIN are allowed', {
    code: 'query.read_only',
    remedy: 'the lake is changed by loads only; to export, use --format csv or json',
  });
}

/** DuckDB's message as one line; where it points into the query is kept as a detail. */
function queryError(error: unknown): SluiceError {
  const known = duckError(error, 'running the query');
  if (known.code !== 'duckdb.failed') return known;
  const text = error instanceof Error ? error.message : String(error);
  const at = text.search(/^LINE \d+:/m);
  const message = (at < 0 ? text : text.slice(0, at))
    .replace(/^Failed to extract statements: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');
  return new ConfigError(`running the query: ${message}`, {
    code: 'query.failed',
    details: at < 0 ? {} : { position: text.slice(at).trimEnd() },
    cause: error,
  });
}
