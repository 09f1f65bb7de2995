import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { duckError } from './errors.ts';

export interface SessionOptions {
  /** Limit of DuckDB's own buffers; what exceeds it is spilled. */
  memoryBytes: number;
  /** Folder for spilled data; made when needed. */
  tempDirectory: string;
  threads: number;
}

const LEAST_BUFFERS = 16 << 20;
const FLUSH = 'allocator_bulk_deallocation_flush_threshold';
const FLUSH_AT = '1MB';
const KEPT = '16MB';
const GIVE_BACK_MS = 150;

/** One embedded DuckDB with one connection. Times are UTC; nothing is read from the user's home or the network. */
export class Session {
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  readonly memoryBytes: number;
  readonly #spillFolder: string;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, options: SessionOptions) {
    this.memoryBytes = options.memoryBytes;
    this.#spillFolder = options.tempDirectory;
    this.#instance = instance;
    this.connection = connection;
  }

  static async open(options: SessionOptions): Promise<Session> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(options.threads),
      memory_limit: kibibytes(options.memoryBytes),
      temp_directory: options.tempDirectory,
      // Statements run on whatever thread of Node's pool is free, and DuckDB's allocator keeps what each thread has freed.
      // An allocation larger than this gives it all back; the Parquet writer makes one for every column of text.
      [FLUSH]: FLUSH_AT,
      // It would keep a block of 4 KiB for every column of every row group that was read, also of local files.
      enable_external_file_cache: 'false',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      // Who bounds row groups by bytes has to allow any order. One thread keeps the order as it is.
      preserve_insertion_order: 'false',
    });
    return new Session(instance, await connected(instance), options);
  }

  /** A connection of its own to the same engine, for statements that run beside others; whoever asks for it closes it. */
  connect(): Promise<DuckDBConnection> {
    return connected(this.#instance);
  }

  /** The same engine with a connection of its own, which is closed with the engine. */
  async beside(): Promise<Session> {
    const { memoryBytes, tempDirectory } = {
      memoryBytes: this.memoryBytes,
      tempDirectory: this.#spillFolder,
    };
    return new Session(this.#instance, await this.connect(), { memoryBytes, tempDirectory, threads: 1 });
  }

  /** Runs one statement; `doing` begins the message of an error. */
  async run(sql: string, doing: string): Promise<void> {
    try {
      await this.connection.run(sql);
    } catch (error) {
      throw duckError(error, doing, this.#spillFolder);
    }
  }

  /** Runs a query whose result is small and returns rows of JSON values (decimals and 64-bit integers as text). */
  async rows(sql: string, doing: string): Promise<Record<string, unknown>[]> {
    try {
      return (await this.connection.runAndReadAll(sql)).getRowObjectsJson();
    } catch (error) {
      throw duckError(error, doing, this.#spillFolder);
    }
  }

  /** Names and types of the columns of a query. */
  async columns(query: string, doing: string): Promise<{ name: string; type: string }[]> {
    // The API drops a byte order mark that begins a text, so that none may begin one.
    const sql = `SELECT '=' || column_name AS name, column_type AS type FROM (DESCRIBE ${query})`;
    const columns = await this.rows(sql, doing);
    return columns.map(({ name, type }) => ({ name: String(name).slice(1), type: String(type) }));
  }

  /**
   * Gives freed memory back to the system, as DuckDB does whenever its limit is set (at most ten times a second). What is
   * not in its buffers, such as what a file's footer is made of, is freed to the C library, which would keep it for the thread
   * that ran the statement, and the next may run on another.
   */
  async giveBack(): Promise<void> {
    await this.run(`SET memory_limit = '${kibibytes(this.memoryBytes)}'`, 'giving memory back');
  }

  /**
   * Does work during which freed memory is given back now and then, and not with each large allocation: that would be an eighth of
   * the CPU of a scan.
   */
  async keepingFreed<T>(work: () => Promise<T>): Promise<T> {
    const beside = await this.beside();
    const flushAt = (amount: string): Promise<void> =>
      beside.run(`SET ${FLUSH} = '${amount}'`, 'setting up DuckDB');
    let given = Promise.resolve();
    const timer = setInterval(() => {
      given = given.then(() => beside.giveBack()).catch(() => undefined);
    }, GIVE_BACK_MS);
    try {
      await flushAt(KEPT);
      return await work();
    } finally {
      clearInterval(timer);
      await given;
      await flushAt(FLUSH_AT);
      beside.connection.closeSync();
    }
  }

  /** Does work with less memory than else. */
  async within<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    await this.run(`SET memory_limit = '${kibibytes(bytes)}'`, 'setting up DuckDB');
    try {
      return await work();
    } finally {
      await this.giveBack();
    }
  }

  /**
   * Lets go of what is in the buffers only to be read once more, for who writes much and reads nothing of it again: up to the whole
   * limit it would stay there. What is in use stays.
   */
  async emptyBuffers(): Promise<void> {
    const least = kibibytes(LEAST_BUFFERS);
    // It fails where less is not possible, and has done what is.
    await this.connection.run(`SET memory_limit = '${least}'`).catch(() => undefined);
    await this.giveBack();
  }

  close(): void {
    this.connection.closeSync();
    this.#instance.closeSync();
  }
}

async function connected(instance: DuckDBInstance): Promise<DuckDBConnection> {
  const connection = await instance.connect();
  await connection.run(`SET TimeZone = 'UTC'`);
  return connection;
}

function kibibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}KiB`;
}
