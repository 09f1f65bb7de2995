/** A table of the lake as one side of a comparison: the files of one state, hashed by a DuckDB of its own. */
import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type {
  Bucket,
  Comparable,
  ComparedColumn,
  CompareRequest,
  HashedRows,
  NamedRow,
  RowValues,
  Within,
} from '../../core/compare.ts';
import { CancelledError, throwIfAborted } from '../../core/errors.ts';
import { schemaToJson, type Schema } from '../../core/schema.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { SliceRange } from '../../core/stream.ts';
import { duckError } from '../../duckdb/errors.ts';
import { Session, type SessionOptions } from '../../duckdb/session.ts';
import { duckName, duckText } from '../../duckdb/types.ts';
import { keyColumns, type Operand, rowText } from '../shared/row-hash.ts';
import { DUCK_DIALECT as dialect } from '../shared/duckdb/canonical.ts';
import { currentRule } from './current.ts';
import { readingFiles } from '../shared/local-files.ts';
import type { FoldedState } from './records.ts';
import { columnsOf, DELETED, LOAD_ID, LOADED_AT, OPERATION, scanSql, type SqlColumn } from './records-sql.ts';

export interface LakeComparison {
  storage: ObjectStorage;
  state: FoldedState;
  schema: Schema;
  session: SessionOptions;
}

/** Started with the first question; `close` takes its scratch folder away. */
export class LakeComparable implements Comparable {
  readonly #comparison: LakeComparison;
  readonly #columns: Map<string, SqlColumn>;
  #session: Promise<Session> | undefined;
  #scratch: string | undefined;

  constructor(comparison: LakeComparison) {
    this.#comparison = comparison;
    this.#columns = new Map(columnsOf(schemaToJson(comparison.schema)).map((each) => [each.field, each]));
  }

  async buckets(request: CompareRequest, signal: AbortSignal): Promise<Bucket[]> {
    const sql = `SELECT ${bucketSql(request)}, CAST(count(*) AS VARCHAR), CAST(sum(CAST('0x' || left(h, 15) AS BIGINT)) AS VARCHAR) FROM ${this.#hashed(request)} GROUP BY 1`;
    const found: Bucket[] = [];
    for await (const [buckets, counts, checksums] of this.#stream(sql, signal))
      buckets!.forEach((bucket, i) =>
        found.push({ bucket: Number(bucket), rows: Number(counts![i]), checksum: String(checksums![i]) }),
      );
    return found;
  }

  async *rows(
    request: CompareRequest,
    buckets: readonly number[] | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<HashedRows> {
    const only = buckets === undefined ? '' : ` WHERE ${bucketSql(request)} IN (${buckets.join(', ')})`;
    const sql = `SELECT k, h, waiting, * EXCLUDE (k, h, waiting, inside) FROM ${this.#hashed(request, keyColumns(request))}${only} ORDER BY k`;
    for await (const [keys, rows, waiting, ...names] of this.#stream(sql, signal))
      yield {
        keys: keys as string[],
        rows: rows as string[],
        waiting: request.waiting && (waiting as unknown as boolean[]),
        names: names.slice(0, request.key.length),
      };
  }

  async values(
    request: CompareRequest,
    rows: readonly NamedRow[],
    signal: AbortSignal,
  ): Promise<RowValues[]> {
    const { columns } = request;
    const canonical = columns.map((column) => rowText([column], this.#operand, dialect));
    const shown = columns.map((column) => `left(CAST(${this.#operand(column).sql} AS VARCHAR), ${SHOWN})`);
    const sql = `SELECT k, h, * EXCLUDE (k, h, waiting, inside) FROM ${this.#hashed(request, columns, [...canonical, ...shown])} WHERE k IN (${rows.map(({ key }) => duckText(key)).join(', ')})`;
    const found: RowValues[] = [];
    for await (const [ks, hs, ...all] of this.#stream(sql, signal))
      ks!.forEach((key, i) => {
        const texts = all.map((column) => column[i]!);
        const middle = columns.length;
        found.push({
          key: key!,
          row: hs![i]!,
          canonical: texts.slice(0, middle),
          shown: texts.slice(middle, 2 * middle),
        });
      });
    return found;
  }

  async least(column: string, signal: AbortSignal): Promise<string | undefined> {
    const { storage, state } = this.#comparison;
    const name = duckName(this.#columns.get(column)!.name);
    const sql = `SELECT CAST(min(${name}) AS VARCHAR) FROM (${scanSql({ storage, state, files: state.files })})`;
    for await (const [least] of this.#stream(sql, signal)) return least![0] ?? undefined;
    return undefined;
  }

  async counts(column: string, signal: AbortSignal): Promise<ReadonlyMap<string | null, number>> {
    const { storage, state } = this.#comparison;
    const name = duckName(this.#columns.get(column)!.name);
    const sql = `SELECT CAST(${name} AS VARCHAR), CAST(count(*) AS VARCHAR) FROM (${scanSql({ storage, state, files: state.files })}) GROUP BY 1`;
    const counts = new Map<string | null, number>();
    for await (const [values, rows] of this.#stream(sql, signal))
      values!.forEach((value, i) => counts.set(value, Number(rows![i])));
    return counts;
  }

  /** As its records say, which have the numbers from whoever wrote the files. */
  async count(): Promise<number> {
    return this.#comparison.state.rows;
  }

  async close(): Promise<void> {
    if (!this.#session) return;
    await this.#session.then(
      (session) => session.close(),
      () => undefined,
    );
    if (this.#scratch === undefined) return;
    await rm(this.#scratch, { recursive: true, force: true }).catch(() => undefined);
    // It may hold what others left, or be the system's.
    await rmdir(path.dirname(this.#scratch)).catch(() => undefined);
  }

  readonly #operand = ({ name }: ComparedColumn): Operand => ({
    sql: duckName(this.#columns.get(name)!.name),
    nullable: true,
  });

  /** Key hash `k`, row hash `h` and `n0`, `n1`, … of the current rows. Hashes are made first, so that versions are sorted as small rows. */
  #hashed(
    request: CompareRequest,
    named: readonly ComparedColumn[] = [],
    texts: readonly string[] = named.map((column) => `CAST(${this.#operand(column).sql} AS VARCHAR)`),
  ): string {
    const { storage, state } = this.#comparison;
    const row = dialect.md5(rowText(request.columns, this.#operand, dialect));
    const keys = keyColumns(request);
    const key = keys.length === 0 ? row : dialect.md5(rowText(keys, this.#operand, dialect));
    const meta = (field: string): string => duckName(this.#columns.get(field)!.name);
    const list = [
      `${row} AS h`,
      `${key} AS k`,
      ...texts.map((text, i) => `${text} AS n${i}`),
      `${this.#waiting(request.waiting)} AS waiting`,
      `${meta(OPERATION)} IS DISTINCT FROM '${DELETED}' AND ${this.#within(request.within)} AS inside`,
    ];
    const versions = request.current && currentRule(state).kind === 'last-by-key';
    if (versions) list.push(`${meta(LOAD_ID)} AS load_id`, `${meta(LOADED_AT)} AS loaded_at`);
    const hashed = `SELECT ${list.join(', ')} FROM (${scanSql({ storage, state, files: state.files })})`;
    if (!versions) return `(SELECT * FROM (${hashed}) WHERE inside)`;
    const newest = 'row_number() OVER (PARTITION BY k ORDER BY load_id DESC, loaded_at DESC) = 1';
    return `(SELECT * FROM (${hashed}) QUALIFY ${newest} AND inside)`;
  }

  #within(within: Within | undefined): string {
    if (!within) return 'true';
    const column = this.#columns.get(within.column)!;
    const value = (text: string): string => `CAST(${duckText(text)} AS ${column.sqlType})`;
    const name = duckName(column.name);
    const parts = [
      within.from === undefined ? 'true' : `${name} >= ${value(within.from)}`,
      within.to === undefined ? 'true' : `${name} < ${value(within.to)}`,
    ];
    return `coalesce(${parts.join(' AND ')}, ${within.nulls === true})`;
  }

  /** A cursor tells of the source's rows only. */
  #waiting(range: SliceRange | undefined): string {
    return range?.kind === 'column' ? this.#within(range) : 'false';
  }

  /** The result a chunk at a time, in columns of text. */
  async *#stream(sql: string, signal: AbortSignal): AsyncGenerator<(string | null)[][]> {
    throwIfAborted(signal);
    const { storage, state } = this.#comparison;
    yield* readingFiles({ storage, files: state.files, signal }, () => this.#run(sql, signal));
  }

  async *#run(sql: string, signal: AbortSignal): AsyncGenerator<(string | null)[][]> {
    this.#session ??= this.#start();
    const { connection } = await this.#session;
    const stop = (): void => connection.interrupt();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const result = await connection.stream(sql);
      let chunk = await result.fetchChunk();
      while (chunk && chunk.rowCount > 0) {
        yield chunk.getColumns() as (string | null)[][];
        chunk = await result.fetchChunk();
      }
    } catch (error) {
      if (signal.aborted) throw new CancelledError('stopped on request', { code: 'cancelled', cause: error });
      throw duckError(error, `comparing table "${this.#comparison.state.table}"`);
    } finally {
      // A stream that was not read to its end would keep its threads and memory.
      connection.interrupt();
      signal.removeEventListener('abort', stop);
    }
  }

  async #start(): Promise<Session> {
    const { session } = this.#comparison;
    // A lake may be read-only for us.
    this.#scratch = await mkdir(session.tempDirectory, { recursive: true }).then(
      () => session.tempDirectory,
      () => mkdtemp(path.join(tmpdir(), 'sluice-compare-')),
    );
    return Session.open({ ...session, tempDirectory: this.#scratch });
  }
}

function bucketSql({ digits }: CompareRequest): string {
  return `CAST('0x' || left(k, ${digits}) AS INTEGER)`;
}

/** Characters of a value that is shown. */
const SHOWN = 200;
