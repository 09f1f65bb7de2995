/**
 * Finds the rows that share their key with others of a load, after a commit has failed for them. Only keys are read again, and compared
 * in parts by their hash: memory is that of a part, however many there are.
 */
import { rmSync } from 'node:fs';
import type { RowTrial, TriedSlices } from '../../core/destination.ts';
import type { DataError } from '../../core/errors.ts';
import type { RefusedRow } from '../../core/quarantine.ts';
import type { Schema } from '../../core/schema.ts';
import type { SliceReader } from '../../core/source.ts';
import { duckName, duckText, literalPattern } from '../../duckdb/types.ts';
import { fileScan } from '../shared/lane/hash-split.ts';
import { FILE_NUMBER, type FileOptions, ROW_NUMBER } from '../shared/lane/lane-protocol.ts';
import type { Lane } from '../shared/lane/lane.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';
import { dataSelect, fileColumn, sameKey } from './stage-sql.ts';

interface TrialPlace {
  /** Of the table. */
  schema: Schema;
  stream: string;
  pool: ThreadPool<Lane>;
  /** With a folder of their own. */
  files(): FileOptions;
  /** Rows that stay beside those of the load; undefined: none. */
  table: { scan: string; rows: number } | undefined;
  /** The table can be read within. */
  reading<T>(work: () => Promise<T>): Promise<T>;
  /** That brought us here. */
  error: DataError;
}

/** Keys of a slice. */
interface Keys {
  /** A query: the columns of the key, and {@link ROW_NUMBER}, from 1 on. */
  rows: string;
  count: number;
}

/** Rows that are named one by one; where more share their keys, it is another key that is needed. */
const MOST_ROWS = 1_000_000;

export class KeyTrial implements RowTrial {
  readonly #place: TrialPlace;
  readonly #tried: TriedSlices;
  readonly #folders: string[] = [];
  readonly #before: Keys[] = [];

  constructor(place: TrialPlace, tried: TriedSlices) {
    this.#place = place;
    this.#tried = tried;
  }

  async refused(reader: SliceReader): Promise<RefusedRow[]> {
    const { schema, pool } = this.#place;
    const named = `(${schema.key.join(', ')})`;
    const keys = await this.#keysOf(reader);
    const found = async (lane: Lane): Promise<RefusedRow[]> => {
      const doubles = await this.#met(lane, keys, keys);
      const there = await this.#met(lane, keys, this.#there());
      const superseded = new Set<number>();
      for (const among of this.#before)
        for (const row of await this.#met(lane, keys, among)) superseded.add(row);
      if (this.#tried.several) this.#before.push(keys);
      const rows = new Map<number, RefusedRow>();
      const add = (all: Iterable<number>, code: RefusedRow['code'], who: string): void => {
        for (const row of all) rows.set(row, { row, code, reason: `${who} has its key ${named}` });
      };
      add(superseded, 'row.superseded', 'another record of the load');
      add(there, 'row.duplicate', 'a row of the table');
      add(doubles, 'row.duplicate', 'an earlier record of the load');
      return [...rows.values()].toSorted((a, b) => a.row - b.row);
    };
    return this.#place.reading(() => pool.use(found));
  }

  async close(): Promise<void> {
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }

  /** The columns of the key under names that are nobody else's. */
  #key({ fields }: Schema): Schema {
    const { key } = this.#place.schema;
    const own = key.flatMap((name, i) =>
      fields.filter((field) => field.name === name).map((field) => ({ ...field, name: `k${i}` })),
    );
    return { fields: own, key: own.map(({ name }) => name) };
  }

  #there(): Keys {
    const { table, schema } = this.#place;
    if (!table) return { rows: '', count: 0 };
    const list = schema.key.map((name, i) => `${duckName(fileColumn(schema, name).name)} AS k${i}`);
    return { rows: `SELECT ${list.join(', ')} FROM (${table.scan})`, count: table.rows };
  }

  get #columns(): string {
    return this.#key(this.#place.schema).key.map(duckName).join(', ');
  }

  /** Reads the slice to its end. */
  async #keysOf(given: SliceReader): Promise<Keys> {
    const { pool, stream, schema } = this.#place;
    const files = this.#files();
    // Rows are counted in their order, in which one thread reads them.
    const reader = given.format === 'bytes' ? { ...given, direct: undefined } : given;
    const incoming = reader.schema.fields.map((field) => {
      const at = schema.key.indexOf(field.name);
      return { ...field, name: at < 0 ? `other ${field.name}` : `k${at}` };
    });
    const data = dataSelect(this.#key(schema), { fields: incoming, key: [] });
    const task = { stream, data, meta: undefined, minus: undefined, files };
    const staged = await pool.use((lane) => lane.stage(task, reader, () => undefined, this.#tried.signal));
    let count = 0;
    const scans = staged.files.map(({ path, rows }) => {
      const number = `CAST(file_row_number + ${count + 1} AS BIGINT) AS ${ROW_NUMBER}`;
      count += rows;
      return `SELECT ${this.#columns}, ${number} FROM read_parquet(${duckText(literalPattern(path))}, hive_partitioning = false, file_row_number = true)`;
    });
    return { rows: scans.join('\nUNION ALL\n'), count };
  }

  /** Numbers of rows whose keys are among others; of rows among themselves, of all but the first with each key. */
  async #met(lane: Lane, keys: Keys, among: Keys): Promise<number[]> {
    if (keys.count === 0 || among.count === 0) return [];
    const key = this.#key(this.#place.schema);
    const same = sameKey(key, key.key);
    const itself = among === keys;
    const { places } = await lane.match({
      keys: among.rows,
      rows: among.count,
      ...(itself && { first: this.#columns }),
      table: `SELECT *, 0 AS ${FILE_NUMBER} FROM (${keys.rows})`,
      hash: `hash(${this.#columns})`,
      met: itself ? `${same} AND new.${ROW_NUMBER} < old.${ROW_NUMBER}` : same,
      files: this.#files(),
    });
    const found = `FROM (${fileScan(...places)})`;
    const [size] = await lane.query(`SELECT count(*) AS n ${found}`);
    if (Number(size!['n']) > MOST_ROWS) throw this.#place.error;
    return (await lane.query(`SELECT ${ROW_NUMBER} AS n ${found} ORDER BY n`)).map(({ n }) => Number(n));
  }

  #files(): FileOptions {
    const files = this.#place.files();
    this.#folders.push(files.directory);
    return files;
  }
}
