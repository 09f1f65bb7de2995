import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Session } from '../../duckdb/session.ts';
import { duckName, duckText } from '../../duckdb/types.ts';
import type { FileOptions, StagedFile } from './lane-protocol.ts';
import { rowGroupRows } from './row-groups.ts';

const VECTOR_ROWS = 2048;
/** A sort that spills was measured to take about twice what it accounts for. */
const SORT_MEMORY = 0.45;

/** Writes the results of queries as Parquet files of bounded size into one folder. */
export class ParquetWriter {
  readonly files: StagedFile[] = [];
  readonly #session: Session;
  readonly #options: FileOptions;
  readonly #rowGroupRows: number;
  #made = false;
  #count = 0;

  constructor(session: Session, options: FileOptions, rowBytes: number) {
    this.#session = session;
    this.#options = options;
    const rows = options.rowGroupRows ?? rowGroupRows(rowBytes);
    this.#rowGroupRows = Math.max(VECTOR_ROWS, Math.ceil(rows / VECTOR_ROWS) * VECTOR_ROWS);
  }

  /**
   * Runs the query into the next file (or one file per partition); remembers files that hold rows. `signedZeros` says
   * that there may be -0 among floats: DuckDB's dictionaries would turn it into 0, or every 0 into -0.
   */
  async write(query: string, signedZeros: boolean): Promise<void> {
    this.#prepare();
    const { compression, partitions } = this.#options;
    const target = this.#next();
    const common = [
      `FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE ${this.#rowGroupRows}, RETURN_STATS`,
      // They wait in memory for the end of the file, and there are some only for columns with few values, where they
      // hardly ever tell anything.
      'WRITE_BLOOM_FILTER false',
      // Level 3, the default, makes files 2 to 3 % smaller and loads 8 to 23 % longer.
      ...(compression === 'zstd' ? ['COMPRESSION_LEVEL 1'] : []),
      ...(signedZeros ? ['DICTIONARY_SIZE_LIMIT 0'] : []),
    ].join(', ');
    if (partitions.length === 0) {
      await this.#add(
        await this.#session.rows(`COPY (${query}) TO ${duckText(target)} (${common})`, `writing ${target}`),
      );
      return;
    }
    const levels = partitions
      .map((level, i) => `${folderSql(level.sql)} AS ${duckName(levelName(i))}`)
      .join(', ');
    const by = partitions.map((_, i) => duckName(levelName(i))).join(', ');
    // Sorted, which spills, only a few partitions are open at a time and each gets whole row groups; unsorted, DuckDB
    // keeps buffers for every partition, and a table by day does not fit into any budget.
    const sorted = `SELECT *, ${levels} FROM (${query}) ORDER BY ${by}`;
    const sql = `COPY (${sorted}) TO ${duckText(target)} (${common}, PARTITION_BY (${by}), FILENAME_PATTERN 'part_{i}')`;
    await this.#session.run(
      `SET partitioned_write_flush_threshold = ${this.#rowGroupRows}`,
      'setting up partitions',
    );
    await this.#session.run('SET partitioned_write_max_open_files = 4', 'setting up partitions');
    await this.#add(
      await this.#session.withMemory(SORT_MEMORY, () => this.#session.rows(sql, `writing ${target}`)),
    );
  }

  /** A check, for the scan of the next file, of whether that file has reached its size. */
  fullCheck(): () => boolean {
    if (this.#options.partitions.length > 0) return () => false;
    const path = join(this.#options.directory, `${this.#count}.parquet`);
    const callsPerRowGroup = this.#rowGroupRows / VECTOR_ROWS;
    let calls = 0;
    return () => {
      // The size only changes when a row group is written.
      if (++calls % callsPerRowGroup !== 0) return false;
      return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= this.#options.fileBytes;
    };
  }

  /** Values of the partition levels of a file. */
  async #partition(path: string, keys: Map<string, unknown>): Promise<(string | null)[]> {
    const levels = this.#options.partitions;
    const values = levels.map((_, i) => (keys.get(levelName(i)) as string | null | undefined) ?? null);
    if (!values.some((value) => value?.startsWith(HASHED))) return values;
    const list = levels.map((level, i) => `${level.sql} AS ${levelName(i)}`).join(', ');
    const file = duckText(path.replace(/[*?[]/g, '[$&]'));
    const [first] = await this.#session.rows(
      `SELECT ${list} FROM read_parquet(${file}, hive_partitioning = false) LIMIT 1`,
      `reading ${path}`,
    );
    return levels.map((_, i) => first![levelName(i)] as string | null);
  }

  #prepare(): void {
    if (this.#made) return;
    rmSync(this.#options.directory, { recursive: true, force: true });
    mkdirSync(this.#options.directory, { recursive: true });
    this.#made = true;
  }

  #next(): string {
    const name = this.#options.partitions.length > 0 ? String(this.#count) : `${this.#count}.parquet`;
    this.#count++;
    return join(this.#options.directory, name);
  }

  async #add(rows: Record<string, unknown>[]): Promise<void> {
    for (const row of rows) {
      const count = Number(row['count']);
      if (count === 0) continue;
      const keys = entries(row['partition_keys']);
      this.files.push({
        path: String(row['filename']),
        rows: count,
        bytes: Number(row['file_size_bytes']),
        partition: await this.#partition(String(row['filename']), keys),
        stats: columnStats(row['column_statistics']),
      });
    }
  }
}

/** Marks a folder whose name is not the value itself. */
const HASHED = '~';

/**
 * DuckDB names folders after partition values; a value that is long, or equal to another one on a file system that
 * ignores capitals, gets its hash instead. Ours are named later, by layout.ts.
 */
function folderSql(value: string): string {
  return `CASE WHEN NOT regexp_full_match(${value}, '[a-z0-9_.-]{1,60}') THEN '${HASHED}' || md5(${value}) ELSE ${value} END`;
}

function levelName(index: number): string {
  return `sluice_partition_${index}`;
}

/** DuckDB gives maps as lists of key and value. */
function entries(map: unknown): Map<string, unknown> {
  const list = (map ?? []) as { key: string; value: unknown }[];
  return new Map(list.map(({ key, value }) => [key, value]));
}

function columnStats(map: unknown): StagedFile['stats'] {
  const stats: StagedFile['stats'] = {};
  for (const [quoted, inner] of entries(map)) {
    const values = entries(inner);
    const name = quoted.startsWith('"') ? quoted.slice(1, -1).replaceAll('""', '"') : quoted;
    stats[name] = {
      min: values.get('min') as string | undefined,
      max: values.get('max') as string | undefined,
    };
  }
  return stats;
}
