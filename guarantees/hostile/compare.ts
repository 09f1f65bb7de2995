/**
 * Compares a table as the catalog gives it with the server, value by value. Texts are compared by their bytes, since
 * what looks alike need not be, and a reader on the way may drop a byte order mark.
 */
import { globSync } from 'node:fs';
import path from 'node:path';
import { type Catalog, openCatalog } from '../../src/catalog/index.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import { duckName } from '../../src/duckdb/types.ts';
import type { Arena } from '../attack.ts';
import { type Pair, without } from '../pair.ts';

/** A table of the lake and the relation of the server that it was loaded from. */
export interface Loaded {
  table: string;
  /** As in a FROM clause. */
  from: string;
  /** SQL of the server in place of a column, where a value cannot arrive as it is: NULL for NaN, say. */
  instead?: Readonly<Record<string, string>>;
}

/** Longer texts are compared by their digest. */
const SHOWN_BYTES = 200;
/** A function of PostgreSQL takes 100 arguments. */
const ARGUMENTS = 90;

interface Column {
  server: string;
  lake: string;
}

/** Fails, and counts rows, unless the catalog lists, describes, checks and gives the tables as the server has them. */
export async function expectSame(arena: Arena, pair: Pair, tables: readonly Loaded[]): Promise<void> {
  await using closing = new AsyncDisposableStack();
  // What is compared here at once is much: digests of all columns of a row.
  const storage = openLocalStorage(pair.to.root);
  const catalog = openCatalog({ storage, memoryBytes: 3 * 2 ** 30 });
  closing.defer(() => catalog.close());
  const listed = (await catalog.tables()).map(({ name }) => name);
  for (const loaded of tables) {
    if (!listed.includes(loaded.table)) throw new Error(`the catalog lists no table ${loaded.table}`);
    await expectTable(arena, pair, catalog, loaded);
  }
  const findings = (await catalog.check()).findings.filter(({ severity }) => severity === 'error');
  if (findings.length > 0) throw new Error(`the check of the catalog finds ${JSON.stringify(findings[0])}`);
}

async function expectTable(arena: Arena, pair: Pair, catalog: Catalog, loaded: Loaded): Promise<void> {
  const { views } = await catalog.describe(loaded.table);
  const columns = await columnsOf(pair, catalog, loaded);
  const server = await serverLines(pair, columns, loaded);
  const lake = await lakeLines(catalog, columns, views[0]!.name);
  const history = await lakeLines(catalog, columns, views[1]!.name);
  const lost = without(server, lake);
  const extra = without(lake, server);
  const doubled = without(history, [...new Set(history)]).filter((line) => !server.includes(line));
  arena.tally.rowsLost += lost.length;
  arena.tally.rowsDoubled += extra.length + doubled.length;
  if (lost.length + extra.length + doubled.length === 0) return;
  const some = { lost: lost.slice(0, 2), extra: extra.slice(0, 2), doubled: doubled.slice(0, 2) };
  throw new Error(`${loaded.table} is not what ${loaded.from} is: ${JSON.stringify(some).slice(0, 2000)}`);
}

/** Columns by position: the lake keeps the order of the server, and may give one of two names alike a number. */
async function columnsOf(pair: Pair, catalog: Catalog, loaded: Loaded): Promise<Column[]> {
  const { columns } = await catalog.describe(loaded.table);
  const { fields } = await pair.from.db.query(`SELECT * FROM ${loaded.from} LIMIT 0`);
  const own = columns.filter(({ name }) => !name.startsWith('_sluice_'));
  if (own.length !== fields.length)
    throw new Error(`${loaded.table} has ${own.length} columns, ${loaded.from} has ${fields.length}`);
  return own.map(({ name, type }, i): Column => {
    const source = fields[i]!.name;
    // Of two that differ in capitals only, one gets a number.
    if (name !== source && name.replace(/_\d+$/, '') !== source)
      throw new Error(`column ${JSON.stringify(source)} is called ${JSON.stringify(name)}`);
    const quoted = loaded.instead?.[source] ?? `"${source.replaceAll('"', '""')}"`;
    return { server: serverText(quoted, type), lake: lakeText(duckName(name), type) };
  });
}

function serverText(column: string, type: string): string {
  const text = `convert_to(CAST(${column} AS text), 'UTF8')`;
  switch (type) {
    case 'utf8':
      return shortOrDigest(`octet_length(${text})`, `encode(${text}, 'hex')`, `md5(${text})`);
    case 'json': {
      // Arrays and composites become JSON on the way.
      const json = `convert_to(CAST(to_json(${column}) AS text), 'UTF8')`;
      return shortOrDigest(`octet_length(${json})`, `encode(${json}, 'hex')`, `md5(${json})`);
    }
    case 'binary':
      return shortOrDigest(`octet_length(${column})`, `encode(${column}, 'hex')`, `md5(${column})`);
    case 'timestamp':
    case 'timestamptz':
      return `CASE WHEN isfinite(${column}) THEN CAST(CAST(extract(epoch FROM ${column}) * 1000000 AS numeric(30,0)) AS text) ELSE CAST(${column} AS text) END`;
    case 'date':
      return `CASE WHEN isfinite(${column}) THEN CAST(${column} - date '1970-01-01' AS text) ELSE CAST(${column} AS text) END`;
    case 'float32':
    case 'float64':
      return floatMark(type, `CAST(${column} AS text)`);
    default:
      return type.startsWith('decimal')
        ? `CAST(CAST(${column} AS ${type.replace('decimal', 'numeric')}) AS text)`
        : `CAST(${column} AS text)`;
  }
}

function lakeText(column: string, type: string): string {
  switch (type) {
    case 'utf8':
    case 'json':
      return shortOrDigest(`strlen(${column})`, `lower(hex(${column}))`, `md5(${column})`);
    case 'binary':
      return shortOrDigest(`octet_length(${column})`, `lower(hex(${column}))`, `md5(${column})`);
    case 'timestamp':
    case 'timestamptz':
      return `CASE WHEN isfinite(${column}) THEN CAST(epoch_us(${column}) AS VARCHAR) ELSE CAST(${column} AS VARCHAR) END`;
    case 'date':
      return `CASE WHEN isfinite(${column}) THEN CAST(${column} - DATE '1970-01-01' AS VARCHAR) ELSE CAST(${column} AS VARCHAR) END`;
    case 'float32':
    case 'float64':
      return floatMark(type, `CAST(${column} AS VARCHAR)`);
    default:
      // DuckDB prints no 0 before the point of a decimal that has no digits there.
      return type.startsWith('decimal')
        ? `regexp_replace(CAST(${column} AS VARCHAR), '^(-?)[.]', '\\10.')`
        : `CAST(${column} AS VARCHAR)`;
  }
}

/** Both print the shortest text that gives the same float, each in its own style. */
function floatMark(type: string, text: string): string {
  return `'<${type} ' || ${text} || '>'`;
}

function sameFloats(line: string): string {
  return line.replaceAll(/<(float32|float64) ([^>]*)>/g, (_, type: string, text: string) => {
    const number = /inf/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
    const value = type === 'float32' ? Math.fround(number) : number;
    return Object.is(value, -0) ? '-0' : String(value);
  });
}

function shortOrDigest(length: string, short: string, digest: string): string {
  return `CASE WHEN ${length} > ${SHOWN_BYTES} THEN concat(${length}, ':', ${digest}) ELSE ${short} END`;
}

async function serverLines(pair: Pair, columns: readonly Column[], { from }: Loaded): Promise<string[]> {
  const sql = `SELECT ${lineSql(columns.map(({ server }) => server))} AS line FROM ${from}`;
  const { rows } = await pair.from.db.query<{ line: string }>(sql);
  return rows.map(({ line }) => sameFloats(line));
}

async function lakeLines(catalog: Catalog, columns: readonly Column[], view: string): Promise<string[]> {
  const sql = `SELECT ${lineSql(columns.map(({ lake }) => lake))} AS line FROM ${duckName(view)}`;
  const lines: string[] = [];
  for await (const rows of (await catalog.select(sql)).batches)
    for (const [line] of rows) lines.push(sameFloats(line as string));
  return lines;
}

/** All columns as one text; NULL is no text that a value can have. */
function lineSql(texts: readonly string[]): string {
  const some = texts.slice(0, ARGUMENTS).map((text) => `coalesce(${text}, '(null)')`);
  const line = `concat_ws('|', ${some.join(', ')})`;
  return texts.length <= ARGUMENTS ? line : `concat_ws('|', ${line}, ${lineSql(texts.slice(ARGUMENTS))})`;
}

/** Fails when anything was written that is not the project's state, the lake's own or in the folder of one of the tables. */
export function expectInside(pair: Pair, tables: readonly string[]): void {
  const lake = path.relative(pair.folder, pair.to.root);
  const allowed = ['.sluice', 'spill', ...['_sluice', ...tables].map((folder) => path.join(lake, folder))];
  const strange = globSync('**/*', { cwd: pair.folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(pair.folder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !allowed.some((folder) => file.startsWith(folder + path.sep)));
  if (strange.length > 0) throw new Error(`written outside of the tables: ${strange.slice(0, 3).join(', ')}`);
}
